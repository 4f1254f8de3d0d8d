import pytest
import torch
from safetensors.torch import save_file

from trust_seg_ros.segmentation.compact import CompactNet, CompactWeightsError, load_compact, save_compact


def test_at_most_one_and_a_half_million_parameters():
    assert sum(p.numel() for p in CompactNet().parameters()) <= 1_500_000


@pytest.mark.parametrize("size", [(360, 480), (33, 65), (16, 16)])
def test_logits_are_a_quarter_rounded_up_and_made_by_the_last_layer(size):
    net = CompactNet().eval()
    with torch.inference_mode():
        logits, features = net(torch.randn(2, 3, *size))
        assert logits.shape == (2, 11, -(-size[0] // 4), -(-size[1] // 4))
        assert torch.allclose(net.classifier(features), logits)


def test_saved_weights_give_the_same_logits_up_to_half_precision(tmp_path):
    net = CompactNet().eval()
    save_compact(net, tmp_path / "w.safetensors")
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected, actual = net(x)[0], load_compact(weights=tmp_path / "w.safetensors")(x)[0]
    assert torch.allclose(actual, expected, atol=2e-2 * expected.abs().max().item())
    assert (tmp_path / "w.safetensors").stat().st_size <= 4_000_000


def test_missing_corrupt_and_foreign_files_are_named(tmp_path):
    with pytest.raises(CompactWeightsError, match="no such weights file"):
        load_compact(weights=tmp_path / "none.safetensors")
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"garbage" * 10)
    with pytest.raises(CompactWeightsError, match=r"bad\.safetensors: not weights of a compact network"):
        load_compact(weights=bad)
    save_file({"x": torch.zeros(1)}, str(bad))
    with pytest.raises(CompactWeightsError, match="not weights of a compact network"):
        load_compact(weights=bad)
