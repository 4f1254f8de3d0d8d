"""Normalisation in another unit, and networks that do not see what they were trained on."""

import itertools
import logging

import numpy as np
import pytest
import torch
from torch import nn

from trust_seg_ros.segmentation import InputSpec, LabelSet, ModelSpecError, load_labels
from trust_seg_ros.segmentation.compact import MEAN, STD, CompactNet, load_compact
from trust_seg_ros.segmentation.loader_row import from_module
from trust_seg_ros.segmentation.plausibility import implausible
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.segmentation.units import in_units

CPU = torch.device("cpu")
CAMVID = load_labels("camvid11")
BYTES = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}


def build(module, labels=CAMVID, **spec):
    return from_module(module, "net", labels, InputSpec(**{"stride": 32, **spec}), CPU, False)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        (BYTES["mean"], BYTES["std"]),
        ((127.5,) * 3, (127.5,) * 3),
        ((123.0, 117.0, 104.0), (1.0, 1.0, 1.0)),  # Caffe's way
        ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    ],
)
def test_values_of_bytes_are_converted(image, mean, std):
    """The network sees what it would see without scaling to 0..1."""
    spec = in_units(InputSpec(mean=mean, std=std))
    wanted = preprocess(image, InputSpec(mean=mean, std=std, scale=1.0), CPU)
    assert torch.allclose(preprocess(image, spec, CPU), wanted, atol=1e-4)
    assert "are in 0..255" in spec.remark


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec(),
        InputSpec(mean=(0, 0, 0), std=(1, 1, 1)),
        InputSpec(mean=(1, 1, 1), std=(1, 1, 1), scale=2 / 255),
        InputSpec(scale=1.0, **BYTES),
        InputSpec(mean=(104, 117, 123), std=(1, 1, 1), scale=1.0),
        InputSpec(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), scale=1.0),
        InputSpec(mean=MEAN, std=STD),
    ],
)
def test_what_fits_is_left_alone(spec):
    assert in_units(spec) is spec
    assert spec.remark == ""


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        (BYTES["mean"], (0.229, 0.224, 0.225)),
        ((0.485, 0.456, 0.406), BYTES["std"]),
        ((3.0, 2.0, 1.0), (0.2, 0.2, 0.2)),
        ((1e5, 1e5, 1e5), (1e5, 1e5, 1e5)),
    ],
)
def test_contradictions_are_refused(mean, std):
    with pytest.raises(ModelSpecError, match=r"mean is \(.*std is \(.*scaled to 0\.\.1: give both in that unit"):
        in_units(InputSpec(mean=mean, std=std))


def test_a_network_uses_and_says_the_converted_values(tiny):
    network = build(tiny(), **BYTES)
    assert network.input_spec == InputSpec(stride=32)
    assert "taken as (0.485, 0.456, 0.406)" in network.remarks[0]


def test_scenes_are_repeatable_and_differ():
    assert np.array_equal(scene_image((48, 64), 1), scene_image((48, 64), 1))
    assert not np.array_equal(scene_image((48, 64), 1), scene_image((48, 64), 2))
    for size in ((1, 1), (2, 300), (300, 2)):
        assert scene_image(size).shape == (*size, 3)


def test_the_amplitudes_of_a_scene_fall_like_those_of_photographs():
    grey = np.mean([scene_image((256, 256), seed).mean(2) for seed in range(4)], 0)
    power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    bands = [np.sqrt(power[(radius > low) & (radius < 2 * low)].mean()) for low in (0.02, 0.04, 0.08, 0.16)]
    falls = [b / a for a, b in itertools.pairwise(bands)]
    assert all(0.3 < fall < 0.8 for fall in falls)  # 1/f halves per octave


@pytest.mark.parametrize("seed", range(3))
def test_random_networks_raise_no_alarm(tiny, seed):
    torch.manual_seed(seed)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 11, 1))
    for module in (plain, tiny(), CompactNet()):
        assert implausible(build(module)) == ()


def shipped(**spec):
    return build(load_compact(), mean=MEAN, std=STD, **spec)


def test_the_shipped_network_is_plausible_and_other_units_are_not():
    assert implausible(shipped()) == ()
    found = implausible(shipped(scale=1.0))
    assert "standard deviation" in found[0]
    assert "certain of everything" in found[1]
    with pytest.raises(ModelSpecError, match="scaled to"):
        shipped(scale=1 / 255**2)


class Blind(nn.Module):
    """Looks at the place only."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        rows = torch.linspace(-2, 2, x.shape[2])[:, None].expand(x.shape[2], x.shape[3])
        return torch.stack([self.value * rows, -self.value * rows, rows * 0])[None] + 0 * x


THREE = LabelSet("three", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "hardly depends on the image"), (0.0, "all classes get the same value")]
)
def test_a_network_that_does_not_look(value, text):
    (found,) = implausible(build(Blind(value), THREE))
    assert text in found


def test_logits_that_are_not_finite():
    class Breaks(Blind):
        def forward(self, x):
            return torch.where(x > 0, torch.nan, x)

    (found,) = implausible(build(Breaks(1.0), THREE))
    assert "not finite" in found


def test_remarks_are_logged_once_at_loading(tmp_path, monkeypatch, caplog, tiny):
    from trust_seg_ros.segmentation import load_network

    (tmp_path / "blind_net.py").write_text(
        "import torch\nclass N(torch.nn.Module):\n    labels, stride = 'camvid11', 32\n"
        "    def forward(self, x):\n        return torch.zeros(1, 11, *x.shape[2:])\nmake = N\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        network = load_network("blind_net:make", device="cpu")
    assert [text for text in caplog.messages if "same value" in text] == [
        f"network blind_net:make: {network.remarks[0]}"
    ]
