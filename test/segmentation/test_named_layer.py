"""A layer that the user names gives features for scores; what cannot be watched is refused."""

import numpy as np
import pytest
import torch

from trust_seg_ros.segmentation import load_network
from trust_seg_ros.segmentation.errors import ModelOutputError, ModelSpecError
from trust_seg_ros.segmentation.named_layer import watch_layer

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def loaded(layer="", factory="small_net"):
    return load_network(f"feature_cases:{factory}", device="cpu", features_layer=layer)


def test_the_output_of_the_layer_comes_with_every_answer():
    named, plain = loaded("body").infer(IMAGE), loaded().infer(IMAGE)
    assert plain.layer is None
    assert named.layer.name == "body"
    torch.testing.assert_close(named.layer.features, plain.features)
    assert torch.equal(named.logits, plain.logits)


def test_tokens_become_a_map_without_the_class_token():
    network = loaded("tokens")
    expected = loaded("body").infer(IMAGE).layer.features
    torch.testing.assert_close(network.infer(IMAGE).layer.features, expected)


def test_batches_keep_their_images_apart():
    network = loaded("body")
    other = IMAGE[::-1].copy()
    for answer, image in zip(network.infer_batch([IMAGE, other]), (IMAGE, other), strict=True):
        torch.testing.assert_close(answer.layer.features, network.infer(image).layer.features)


def test_an_unknown_layer_is_refused_with_the_nearest():
    with pytest.raises(ModelSpecError, match=r"features_layer is 'bodi', but the network has no such layer.*body"):
        loaded("bodi")


def test_a_layer_that_gives_no_map_of_features_is_refused():
    with pytest.raises(
        ModelOutputError, match=r"the layer 'flat' \(features_layer\) gave shape \(1, 6\) .* name another"
    ):
        loaded("flat")


def test_programs_and_complete_networks_cannot_be_watched(tmp_path):
    from feature_cases import small_net

    path = tmp_path / "net.ts"
    torch.jit.trace(small_net().eval(), torch.zeros(1, 3, 64, 64)).save(str(path))
    with pytest.raises(ModelSpecError, match=r"layers of the program .* cannot be watched; .*factory"):
        load_network(str(path), labels="camvid11", device="cpu", features_layer="body")

    class Complete:
        name = "mine"

    with pytest.raises(ModelSpecError, match=r"'mine' answers by itself"):
        watch_layer(Complete(), "body")
