"""Answers in other forms than logits (1, q, h, w)."""

import pytest
import torch
from torch import nn

from trust_seg_ros.segmentation import InputSpec, LabelSet, ModelOutputError, load_labels
from trust_seg_ros.segmentation.answers import kind_of
from trust_seg_ros.segmentation.loader_row import from_module
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.uncertainty import uncertainty_maps

CPU = torch.device("cpu")
CAMVID = load_labels("camvid11")


class After(nn.Module):
    """A network with something behind its logits."""

    def __init__(self, net, end):
        super().__init__()
        self.net, self.end = net, end

    def forward(self, x):
        return self.end(self.net(x))


def opaque(net, end, labels=CAMVID):
    """A callable whose layers cannot be watched, like a program from a file."""
    module = After(net, end)
    return ModuleNetwork(lambda x: module(x), name="f", labels=labels, device=CPU, input_spec=InputSpec(stride=32))


def watched(net, end):
    return from_module(After(net, end), "f", CAMVID, InputSpec(stride=32), CPU, False)


@pytest.mark.parametrize("total", [255, 100, 2.5])
def test_scaled_probabilities_become_log_probabilities(tiny, image, total):
    network = opaque(tiny(), lambda y: y.softmax(1) * total)
    wanted = watched(tiny(), lambda y: y).infer(image).logits.log_softmax(0)
    assert torch.allclose(network.infer(image).logits, wanted, atol=1e-4)
    assert not network.raw
    assert f"probabilities × {total:g}" in network.remarks[0]


def test_rounded_probabilities_are_recognised(tiny, image):
    network = opaque(tiny(), lambda y: (y.softmax(1) * 255).round())
    assert not network.raw
    assert torch.allclose(network.infer(image).logits.exp().sum(0), torch.ones(32, 48), atol=1e-5)


def test_sigmoids_become_the_distribution_of_their_logits(tiny, image):
    """Given that exactly one class is right, the odds of independent classes make the softmax of their logits."""
    network = opaque(tiny(), torch.sigmoid)
    wanted = watched(tiny(), lambda y: y).infer(image).logits.log_softmax(0)
    assert torch.allclose(network.infer(image).logits, wanted, atol=1e-4)
    assert not network.raw
    assert "independent probabilities" in network.remarks[0]


@pytest.mark.parametrize("end", [torch.sigmoid, lambda y: y.softmax(1) * 255])
def test_a_watched_networks_own_logits_are_used_instead(tiny, image, end):
    network = watched(tiny(), end)
    assert network.raw
    assert torch.equal(network.infer(image).logits, watched(tiny(), lambda y: y).infer(image).logits)
    assert "its last convolution is used instead" in network.remarks[0]


@pytest.mark.parametrize("end", [lambda y: y, lambda y: y.softmax(1), lambda y: y.log_softmax(1), lambda y: y.relu()])
def test_usual_answers_get_no_remark(tiny, end):
    assert opaque(tiny(), end).remarks == ()


@pytest.mark.parametrize("make", [opaque, watched])
def test_channels_last_are_moved(tiny, image, make):
    network = make(tiny(), lambda y: y.permute(0, 2, 3, 1))
    assert torch.allclose(network.infer(image).logits, watched(tiny(), lambda y: y).infer(image).logits, atol=1e-5)
    assert "channels last" in network.remarks[0]
    assert network.takes_batches


def test_maps_of_what_was_recognised_are_those_of_the_logits(tiny, image):
    wanted = uncertainty_maps(watched(tiny(), lambda y: y).infer(image)).entropy
    for end in (torch.sigmoid, lambda y: y.softmax(1) * 255):
        assert torch.allclose(uncertainty_maps(opaque(tiny(), end).infer(image)).entropy, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("end", "hint"),
    [
        (lambda y: y.argmax(1), "argmax"),
        (lambda y: y.argmax(1, keepdim=True).float(), "argmax"),
        (lambda y: y.argmax(1)[..., None].float(), "argmax"),
        (lambda y: (y.softmax(1) * 255).byte(), "whole numbers lose what scores need"),
    ],
)
def test_class_maps_and_bytes_are_named(tiny, end, hint):
    with pytest.raises(ModelOutputError, match=hint):
        opaque(tiny(), end)


def test_binary_networks_are_named(tiny):
    with pytest.raises(ModelOutputError, match="binary network"):
        opaque(tiny(), lambda y: y[:, :1], LabelSet("two", ("other", "road")))


def test_one_picture_is_not_enough():
    """Values may lie in 0..1 on one picture by chance."""
    low, high = torch.rand(1, 5, 8, 8), 3 * torch.rand(1, 5, 8, 8)
    assert kind_of([low]).kind == "independent_probabilities"
    assert kind_of([low, high]).kind == "logits"


def test_equal_values_everywhere_mean_nothing():
    assert kind_of([torch.ones(1, 5, 8, 8)]).kind == "logits"
