"""Networks as their authors publish them: what lies behind the last convolution is recognised, and nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trust_seg_ros.segmentation import load_labels, load_network
from trust_seg_ros.segmentation.last_layer import agrees
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import gradient_maps
from trust_seg_ros.uncertainty.logits import upsample
from trust_seg_ros.uncertainty.reference import reference_maps

Q = 11
IMAGE = np.random.default_rng(5).integers(0, 256, (60, 100, 3), np.uint8)
IMAGE[:30] //= 3


def grow(y: torch.Tensor, size: tuple[int, ...], corners: bool = False) -> torch.Tensor:
    return F.interpolate(y, size=size, mode="bilinear", align_corners=corners)


class Net(nn.Module):
    """Logits of two heads at a quarter of the input's size, and an end of somebody's own."""

    def __init__(self, end, channels=Q, kernel=1, second=1):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU())
        self.head = nn.Conv2d(12, channels, kernel, padding=kernel // 2)
        self.other = nn.Conv2d(8, Q, second, padding=second // 2, bias=False)
        self.norm = nn.BatchNorm2d(Q)
        self.end = end

    def forward(self, x):
        return self.end(self, self.body(x), x)


def padded_to_16(net, x):
    height, width = x.shape[2:]
    return F.pad(x, (0, -width % 16, 0, -height % 16))


def second(net, x):
    return net.other(F.avg_pool2d(net.body[1](net.body[0](x)), 2))  # on the grid of the first head


def fine(net, x):
    return net.other(net.body[1](net.body[0](x)))


ENDS = {
    "corners": lambda net, y, x: grow(net.head(y), x.shape[2:], True),
    "corners, by two": lambda net, y, x: F.interpolate(
        net.head(y), scale_factor=2, mode="bilinear", align_corners=True
    ),
    "first channels": lambda net, y, x: net.head(y)[:, :Q],
    "without the background": lambda net, y, x: grow(net.head(y)[:, 1 : Q + 1], x.shape[2:]),
    "softmax of some channels": lambda net, y, x: grow(net.head(y)[:, 1 : Q + 1], x.shape[2:]).softmax(1),
    "batch norm": lambda net, y, x: grow(net.norm(net.head(y)), x.shape[2:]),
    "temperature": lambda net, y, x: grow(net.head(y) / 1.7, x.shape[2:], True),
    "cut at the end": lambda net, y, x: grow(net.head(y), padded_to_16(net, x).shape[2:])[
        :, :, : x.shape[2], : x.shape[3]
    ],
    "sum of two heads": lambda net, y, x: grow(net.head(y) + second(net, x), x.shape[2:], True),
    "weighted sum": lambda net, y, x: net.head(y) + 0.4 * second(net, x),
}


def network(end: str, **options) -> ModuleNetwork:
    torch.manual_seed(3)
    if "channel" in end or "background" in end:
        options["channels"] = Q + 2
    net = Net(ENDS[end], **options).eval()
    net.norm.running_mean.normal_()
    net.norm.running_var.uniform_(0.5, 2.0)
    net.norm.weight.data.uniform_(0.5, 2.0)
    net.norm.bias.data.normal_()
    spec = InputSpec(stride=4)
    device = torch.device("cpu")
    if end.startswith("cut"):  # the body sees the padded picture, as after its own padding
        body = net.forward
        net.forward = lambda x: net.end(net, net.body(padded_to_16(net, x)), x)
        assert body is not None
    return ModuleNetwork(net, name=end, labels=load_labels("camvid11"), device=device, input_spec=spec)


@torch.inference_mode()
def own_answer(made: ModuleNetwork) -> torch.Tensor:
    """(q, n, m) as the network itself answers."""
    return made._forward(preprocess(IMAGE, made.input_spec, made.device))[0]


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("end", ENDS)
def test_the_last_convolution_is_found_behind_what_authors_write(end, kernel):
    made = network(end, kernel=kernel)
    maps = made.infer(IMAGE)
    assert maps.features is not None
    assert maps.logits.shape[0] == Q
    assert agrees(maps.classifier, maps.features[None], maps.logits[None])
    answer = own_answer(made)
    found = upsample(maps.logits, tuple(answer.shape[1:]), maps.placement)
    if "softmax" in end:
        found = found.softmax(0)
    torch.testing.assert_close(found, answer, atol=2e-5, rtol=1e-4)
    assert torch.isfinite(gradient_maps(maps).onehot).all()
    got, want = reference_maps(maps), reference_maps(LogitMaps(answer.log() if "softmax" in end else answer, maps.size))
    sizes_meet = tuple(answer.shape[1:]) == maps.size
    assert (got.entropy - want.entropy).abs().max() < (1e-3 if sizes_meet else 0.2)


def test_two_kernels_of_different_size_are_one():
    made = network("sum of two heads", kernel=1, second=3)
    maps = made.infer(IMAGE)
    assert maps.classifier.weight.shape == (Q, 20, 3, 3)
    assert agrees(maps.classifier, maps.features[None], maps.logits[None])


def test_a_batch_is_placed_as_one_image():
    made = network("corners")
    alone, together = made.infer(IMAGE), made.infer_batch([IMAGE, IMAGE[::-1].copy()])
    assert [maps.placement for maps in together] == [alone.placement] * 2
    torch.testing.assert_close(together[0].logits, alone.logits, atol=1e-5, rtol=1e-5)


NOT_ONE = {
    "transposed": lambda net, y, x: F.conv_transpose2d(y, net.head.weight.transpose(0, 1).repeat(1, 1, 2, 2), stride=2),
    "nearest": lambda net, y, x: F.interpolate(net.head(y), scale_factor=4),
    "relu": lambda net, y, x: 20 * net.head(y).relu(),
    "scaled by the image": lambda net, y, x: net.head(y) * (1 + x.mean()),
    "heads of two sizes": lambda net, y, x: grow(net.head(y), x.shape[2:]) + grow(fine(net, x), x.shape[2:]),
}


@pytest.mark.parametrize("end", NOT_ONE)
def test_what_is_no_convolution_of_features_keeps_its_answer(end):
    ENDS[end] = NOT_ONE[end]
    try:
        made = network(end)
    finally:
        del ENDS[end]
    maps = made.infer(IMAGE)
    assert maps.features is None
    assert maps.placement is None
    torch.testing.assert_close(maps.logits, own_answer(made))


def exported(net, path, kind):
    example = torch.zeros(1, 3, 64, 96)
    if kind == "pt2":
        torch.export.save(torch.export.export(net, (example,)), str(path))
    else:
        pytest.importorskip("onnxscript")
        torch.onnx.export(net, (example,), str(path), dynamo=True, verbose=False)


@pytest.mark.parametrize("kind", ["pt2", "onnx"])
@pytest.mark.parametrize("end", [end for end in ENDS if end not in ("cut at the end", "weighted sum")])
def test_the_same_ends_are_read_from_files(tmp_path, end, kind):
    made = network(end)
    path = tmp_path / f"net.{kind}"
    exported(made._forward, path, kind)
    found = load_network(str(path), labels="camvid11", device="cpu")
    answer = made._forward(preprocess(IMAGE, found.input_spec, made.device)).detach()[0]
    maps = found.infer(IMAGE)
    if end == "softmax of some channels" and kind == "pt2":
        assert maps.features is None  # a softmax stays in a .pt2
        return
    if end == "corners, by two":  # half the size of the image: where the image lies is not known without running it
        assert maps.features is None
        torch.testing.assert_close(maps.logits, answer, atol=1e-4, rtol=1e-4)
        return
    assert maps.features is not None
    assert agrees(maps.classifier, maps.features[None], maps.logits[None])
    whole = upsample(maps.logits, tuple(answer.shape[1:]), maps.placement)
    torch.testing.assert_close(whole.softmax(0) if "softmax" in end else whole, answer, atol=1e-4, rtol=1e-4)
