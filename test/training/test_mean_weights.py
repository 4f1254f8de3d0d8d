"""Mean of the weights of several runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mean_weights import main, mean_weights

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.segmentation.compact import CompactConfig, CompactNet, load_compact, save_compact
from trust_seg_ros.support.tensor_file import load_tensors, save_tensors


def _network(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    save_compact(CompactNet(CompactConfig()), path, {"run": path.stem})


def test_mean_of_networks_loads_and_lies_between_them(tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.safetensors" for n in range(3)]
    for seed, path in enumerate(files):
        _network(path, seed)
    mean_weights(tmp_path / "mean.safetensors", files)
    mean = load_compact(weights=tmp_path / "mean.safetensors").state_dict()
    nets = [load_compact(weights=path).state_dict() for path in files]
    for name, value in mean.items():
        if value.is_floating_point():
            expected = torch.stack([net[name] for net in nets]).mean(0)
            torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-4)  # files hold kernels in half precision
    metadata = load_tensors(tmp_path / "mean.safetensors", "").metadata
    assert "config" in metadata  # the same in all
    assert "run" not in metadata  # of each its own
    assert metadata["mean of"].split() == [load_tensors(path, "").sha256 for path in files]


def test_counters_are_the_first_files(tmp_path: Path) -> None:
    for name, count in (("a", 3), ("b", 8)):
        save_tensors(tmp_path / name, {"seen": torch.tensor(count), "w": torch.full((2,), float(count))})
    mean_weights(tmp_path / "mean", [tmp_path / "a", tmp_path / "b"])
    tensors = load_tensors(tmp_path / "mean", "").tensors
    assert tensors["seen"].item() == 3
    assert tensors["w"].tolist() == [5.5, 5.5]


def test_other_tensors_are_named(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a", {"w": torch.zeros(2), "b": torch.zeros(1)})
    save_tensors(tmp_path / "b", {"w": torch.zeros(3), "c": torch.zeros(1)})
    said = r"b: in name, shape or kind 3 tensors differ from those of .*a, the first is 'b'"
    with pytest.raises(TrustSegError, match=said):
        mean_weights(tmp_path / "mean", [tmp_path / "a", tmp_path / "b"])
    assert not (tmp_path / "mean").exists()


def test_one_file_is_no_mean_and_a_missing_one_is_said(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a", {"w": torch.zeros(2)})
    with pytest.raises(SystemExit, match="1 file; a mean takes two and more"):
        main([str(tmp_path / "mean"), str(tmp_path / "a")])
    with pytest.raises(SystemExit, match=r"mean_weights: .*missing"):
        main([str(tmp_path / "mean"), str(tmp_path / "a"), str(tmp_path / "missing")])
