"""Windows, scales and the mirrored image: averages are what their definitions say, on the network's grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trust_seg_ros.segmentation import ModelError, load_labels, load_network
from trust_seg_ros.segmentation.averaged import AveragedNetwork
from trust_seg_ros.segmentation.errors import ModelSpecError
from trust_seg_ros.segmentation.last_layer import agrees
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.passes import Passes
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.uncertainty import gradient_maps

Q, STRIDE = 11, 8
IMAGE = np.random.default_rng(2).integers(0, 256, (96, 136, 3), np.uint8)
THREE = (0.75, 1.0, 1.25)


class Net(nn.Module):
    """Looks beyond its pixel, so that windows and mirrored images change its answer."""

    def __init__(self, kernel: int = 1, grow: bool | None = None) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, 4, 2), nn.ReLU(), nn.Conv2d(8, 12, 3, 1, 1), nn.ReLU())
        self.head = nn.Conv2d(12, Q, kernel, padding=kernel // 2)
        self.grow = grow

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.head(self.body(x))
        return y if self.grow is None else F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=self.grow)


class Pointwise(nn.Module):
    """Every answer depends on its own pixel alone: mirroring and cutting change nothing."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(6, Q, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.first(F.avg_pool2d(x, STRIDE)).relu())


def network(module: nn.Module, stride: int = STRIDE, **spec) -> ModuleNetwork:
    labels = load_labels("camvid11")
    given = InputSpec(stride=stride, **spec)
    return ModuleNetwork(module.eval(), name="net", labels=labels, device=torch.device("cpu"), input_spec=given)


def pixels(image: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    return preprocess(image, replace(InputSpec(stride=STRIDE), size=size), torch.device("cpu"))


@torch.inference_mode()
def restated(module: nn.Module, passes: Passes) -> torch.Tensor:
    """(q, h, w) in plain torch: the mean over windows, then over scales and mirrored images, on the finest grid."""
    answers = []
    for scale in passes.scales:
        size = tuple(round(side * scale / STRIDE) * STRIDE for side in IMAGE.shape[:2])
        for mirrored in (False, True)[: 1 + passes.flip]:
            x = pixels(IMAGE, size)
            x = x.flip(3) if mirrored else x
            height, width = passes.window or size
            step = [int(side * (1 - passes.window_overlap) / STRIDE) * STRIDE for side in (height, width)]
            total, count = torch.zeros(Q, size[0] // 4, size[1] // 4), torch.zeros(size[0] // 4, size[1] // 4)
            for y in sorted({min(y, size[0] - height) for y in range(0, size[0], step[0])}):
                for x0 in sorted({min(x0, size[1] - width) for x0 in range(0, size[1], step[1])}):
                    part = module(x[:, :, y : y + height, x0 : x0 + width])[0]
                    place = slice(y // 4, (y + height) // 4), slice(x0 // 4, (x0 + width) // 4)
                    total[:, place[0], place[1]] += part
                    count[place] += 1
            answer = total / count
            answers.append(answer.flip(2) if mirrored else answer)
    finest = max(answers, key=lambda answer: answer[0].numel()).shape[1:]
    grown = [F.interpolate(a[None], finest, mode="bilinear", align_corners=False)[0] for a in answers]
    if passes.average == "probabilities":
        return torch.stack([a.softmax(0) for a in grown]).mean(0).log()
    return torch.stack(grown).mean(0)


SETTINGS = {
    "flip": Passes(flip=True),
    "scales": Passes(scales=THREE),
    "windows": Passes(window=(40, 48)),
    "windows without overlap": Passes(window=(48, 64), window_overlap=0.0),
    "everything": Passes((64, 72), 0.5, THREE[:2], True),
    "probabilities": Passes(scales=THREE, flip=True, average="probabilities"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_an_answer_is_the_average_that_is_defined(name):
    module, passes = Net(), SETTINGS[name]
    maps = AveragedNetwork(network(module), passes).infer(IMAGE)
    assert maps.size == IMAGE.shape[:2]
    # the picture of another scale passes through bytes where windows are cut from it
    close = 0.03 if passes.window and len(passes.scales) > 1 else 1e-4
    torch.testing.assert_close(maps.logits, restated(module, passes), atol=close, rtol=1e-4)
    assert maps.raw == (name != "probabilities")


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "probabilities"])
def test_averaged_features_give_the_averaged_logits(name):
    maps = AveragedNetwork(network(Net()), SETTINGS[name]).infer(IMAGE)
    assert agrees(maps.classifier, maps.features[None], maps.logits[None])
    assert torch.isfinite(gradient_maps(maps).onehot).all()


def test_a_larger_kernel_has_no_averaged_features():
    maps = AveragedNetwork(network(Net(kernel=3)), Passes(flip=True)).infer(IMAGE)
    assert maps.features is None
    assert maps.classifier is None
    assert maps.raw


@pytest.mark.parametrize("passes", [Passes(flip=True), Passes(window=(32, 40)), Passes((32, 40), 0.5, (1.0,), True)])
def test_a_network_that_sees_single_pixels_only_answers_as_in_one_pass(passes):
    plain = network(Pointwise())
    found, wanted = AveragedNetwork(plain, passes).infer(IMAGE), plain.infer(IMAGE)
    torch.testing.assert_close(found.logits, wanted.logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.features, wanted.features, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("window", [(96, 136), (256, 256), (104, 1024)])
def test_a_window_over_the_whole_image_is_one_pass(window):
    plain = network(Net())
    found = AveragedNetwork(plain, Passes(window=window)).infer(IMAGE)
    assert torch.equal(found.logits, plain.infer(IMAGE).logits)


@pytest.mark.parametrize("size", [(61, 97), (8, 8), (33, 200), (97, 41)])
@pytest.mark.parametrize("passes", [Passes((40, 40), 0.4, (0.6, 1.0), True), Passes(scales=(1.5, 0.5))])
def test_odd_sizes(size, passes):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    maps = AveragedNetwork(network(Net(), stride=4), replace(passes)).infer(image)
    assert maps.size == size
    assert torch.isfinite(maps.logits).all()


def test_windows_off_the_networks_grid_are_averaged_pixel_by_pixel():
    module, passes = Net(), Passes(window=(30, 50), window_overlap=0.0)
    maps = AveragedNetwork(network(module, stride=1), passes).infer(IMAGE)
    assert maps.logits.shape[1:] == IMAGE.shape[:2]
    assert maps.features is None
    x = pixels(IMAGE, IMAGE.shape[:2])
    with torch.inference_mode():
        first = F.interpolate(module(x[:, :, :30, :50]), (30, 50), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(maps.logits[:, :30, :36], first[:, :30, :36], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("passes", [Passes(flip=True), Passes(scales=THREE), Passes(window=(48, 64))])
def test_aligned_corners_stay_aligned(passes):
    """What the passes give is what they give for the same network, upsampled by itself, pixel by pixel."""
    low = AveragedNetwork(network(Net(grow=True)), passes).infer(IMAGE)
    if passes.window is None:
        assert low.placement is not None
        assert agrees(low.classifier, low.features[None], low.logits[None])
    else:
        assert low.logits.shape[1:] == IMAGE.shape[:2]  # windows with corners of their own do not lie on one grid


def test_several_images_are_answered_as_each_alone():
    made = AveragedNetwork(network(Net()), Passes(scales=(1.0, 0.5), flip=True))
    images = [IMAGE, IMAGE[:, ::-1].copy(), IMAGE[:64]]
    for one, image in zip(made.infer_batch(images), images, strict=True):
        assert torch.equal(one.logits, made.infer(image).logits)


def test_a_network_of_probabilities_has_them_averaged():
    class Softmax(Net):
        def forward(self, x):
            return (self.body(x)[:, :Q] * 4).softmax(1)

    plain = network(Softmax())
    assert not plain.raw
    found = AveragedNetwork(plain, Passes(flip=True)).infer(IMAGE)
    mirrored = plain.infer(IMAGE[:, ::-1].copy()).logits.flip(2)
    wanted = (plain.infer(IMAGE).logits.exp() + mirrored.exp()) / 2
    torch.testing.assert_close(found.logits.exp(), wanted, atol=1e-5, rtol=1e-4)
    assert not found.raw
    passes = Passes(window=(96, 80), window_overlap=0.5)
    found = AveragedNetwork(plain, passes).infer(IMAGE)
    total, count = torch.zeros_like(found.logits), torch.zeros(found.logits.shape[1:])
    for rows, columns in passes.windows((96, 136), STRIDE):
        part = plain.infer(np.ascontiguousarray(IMAGE[rows, columns])).logits.exp()
        place = slice(rows.start // 4, rows.stop // 4), slice(columns.start // 4, columns.stop // 4)
        total[(slice(None), *place)] += part
        count[place] += 1
    assert count.max() > 1
    torch.testing.assert_close(found.logits.exp(), total / count, atol=1e-5, rtol=1e-4)


class Own:
    """A complete network that only has ``infer``."""

    def __init__(self, size):
        self._plain = network(Net(), **({"size": size} if size else {}))
        self.name, self.labels, self.device, self.raw = "own", self._plain.labels, self._plain.device, True
        self.input_spec = self._plain.input_spec

    def infer(self, image):
        return self._plain.infer(image)

    def warm_up(self, size):
        pass


def test_a_network_without_batches_is_asked_one_by_one():
    passes = Passes(window=(48, 64), flip=True)
    found = AveragedNetwork(Own(None), passes).infer(IMAGE)
    torch.testing.assert_close(found.logits, restated(Net(), passes), atol=1e-4, rtol=1e-4)


def test_a_network_of_one_size_is_refused_with_its_reason():
    with pytest.raises(ModelError, match=r"scales 0\.75, 1: network 'own' stretches every image to"):
        AveragedNetwork(Own((96, 136)), Passes(scales=(0.75, 1.0)))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"window": (4, 64)}, "window is"),
        ({"window": (0, 0)}, "window is"),
        ({"window_overlap": 0.95}, "window_overlap is 0.95"),
        ({"window_overlap": float("nan")}, "window_overlap is nan"),
        ({"scales": ()}, "scales are"),
        ({"scales": (1.0, 1.0)}, "scales are"),
        ({"scales": (1.0, 9.0)}, "scales are"),
        ({"average": "votes"}, "average is 'votes'"),
        ({"average": "probabilities"}, "average 'probabilities' with one pass has nothing to average"),
        ({"window_overlap": 0.5}, "window_overlap 0.5 without windows has no effect"),
    ],
)
def test_settings_out_of_range_are_refused(given, text):
    with pytest.raises(ModelSpecError, match=text):
        Passes(**given)


def test_windows_that_are_no_multiple_of_the_stride_are_refused_with_the_next_one():
    with pytest.raises(ModelSpecError, match=r"window is 50x33, .* multiples of 8; the next one is 56x40"):
        AveragedNetwork(network(Net()), Passes(window=(33, 50)))


def test_a_named_layer_and_several_passes_are_refused():
    with pytest.raises(ModelSpecError, match="features_layer is 'classifier', whose output is of one pass"):
        load_network("embedded", device="cpu", features_layer="classifier", passes=Passes(flip=True))


def test_passes_are_counted_and_what_they_cost():
    spec = InputSpec(stride=8)
    passes = Passes(scales=THREE, flip=True)
    assert passes.count(spec, (480, 640)) == 6
    assert passes.cost(spec, (480, 640)) == pytest.approx(2 * (0.5625 + 1 + 1.5625))
    assert Passes(window=(240, 320), window_overlap=0.0).count(spec, (480, 640)) == 4
    assert Passes(window=(240, 320), window_overlap=0.5).count(spec, (480, 640)) == 9
