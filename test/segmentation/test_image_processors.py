"""What reaches a network of Hugging Face: the same as from its own image processor."""

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
from image_processor_cases import CASES, difference, ours

from trust_seg_ros.segmentation import InputSpec, ModelFileError
from trust_seg_ros.segmentation.image_processors import CLASSES, input_spec_of
from trust_seg_ros.segmentation.processor_file import processor_settings
from trust_seg_ros.segmentation.protocol import Edges
from trust_seg_ros.segmentation.scenes import scene_image

by_name = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])

MEANS = {
    "SegFormer": ((3, 512, 512), (-0.0736, 0.1558, 0.4284)),
    "SegFormer, older file": ((3, 128, 128), (0.0073, 0.2455, 0.5164)),
    "MobileViT": ((3, 128, 128), (0.5454, 0.5516, 0.5466)),
    "MobileViTv2": ((3, 128, 160), (0.4754, 0.464, 0.4424)),
    "MobileNetV2": ((3, 96, 96), (-0.0995, -0.1143, -0.1658)),
    "DPT": ((3, 128, 128), (-0.0267, 0.022, 0.0444)),
    "DPT, aspect kept": ((3, 128, 192), (0.0652, 0.1181, 0.1342)),
    "BEiT": ((3, 128, 128), (-0.0267, 0.022, 0.0444)),
    "Data2VecVision": ((3, 224, 224), (-0.0129, 0.0338, 0.0544)),
    "UperNet on ConvNeXt": ((3, 384, 384), (0.1343, 0.1892, 0.1948)),
    "UperNet on Swin": ((3, 128, 96), (-0.3935, -0.313, -0.2731)),
    "DeiT": ((3, 128, 128), (247.1995, 259.6077, 265.312)),
    "EfficientNet": ((3, 96, 128), (-2.7965, -2.6387, -2.5693)),
}
"""Shape and means of red, green and blue (or their swap) that the real processors give for the same picture."""


@by_name
def test_means_are_those_of_the_real_processors(case):
    shape, means = MEANS[case.name]
    mine = ours(case, scene_image(case.same))
    top, left = ((a - b) // 2 for a, b in zip(mine.shape[1:], shape[1:], strict=True))
    seen = mine[:, top : top + shape[1], left : left + shape[2]]
    assert seen.shape == shape
    assert np.allclose(seen.mean((1, 2)), means, atol=1e-4 * max(1, abs(means[0])))


@by_name
def test_pictures_equal_those_of_the_real_processors(case):
    """Exactly where nothing is resized; else up to the kind of interpolation."""
    pytest.importorskip("transformers", reason="the optional extra 'hf' is not installed")
    pytest.importorskip("PIL", reason="the image processors need Pillow")
    height, width = case.same
    assert difference(case, scene_image(case.same)).max() < 1e-5
    image = scene_image((3 * height, 3 * width))
    assert difference(case, image).mean() < 0.06 * ours(case, image).std()


@pytest.mark.parametrize("name", CLASSES)
def test_defaults_are_those_of_the_class(name):
    transformers = pytest.importorskip("transformers", reason="the optional extra 'hf' is not installed")
    real = _real(transformers, name)
    if real is None:
        pytest.skip(f"this transformers has no {name}ImageProcessor")
    mine = CLASSES[name]
    if getattr(real, "image_mean", None) and mine.normalises is not False:
        assert (tuple(real.image_mean), tuple(real.image_std)) == (mine.mean, mine.std) or mine.normalises is None
    assert bool(real.do_normalize) == bool(mine.normalises)
    assert bool(getattr(real, "do_center_crop", False)) == mine.crop
    assert bool(getattr(real, "do_flip_channel_order", False)) == mine.flips
    assert bool(getattr(real, "include_top", False)) == mine.include_top
    assert mine.divisor is None or getattr(real, "size_divisor", 1) == mine.divisor
    size = mine.size if not isinstance(mine.size, list) else tuple(mine.size)
    edge = {"shortest_edge": size} if not mine.square and isinstance(size, int) else None
    edge = size if isinstance(size, dict) else edge
    sides = size if isinstance(size, tuple) else (size, size)
    assert dict(real.size) == (edge or {"height": sides[0], "width": sides[1]})


def _real(transformers, name):
    """The class with its defaults; None where it needs torchvision, or before transformers 5, which has none."""
    for suffix in ("ImageProcessorPil", "ImageProcessor"):
        with contextlib.suppress(AttributeError, ImportError):
            real = getattr(transformers, name + suffix)
            if isinstance(real.size, dict):
                return real
    return None


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"image_mean": None, "image_std": None}, {"mean": (0.5,) * 3, "std": (0.5,) * 3}),
        ({"do_normalize": None}, {"mean": (0.0,) * 3, "std": (1.0,) * 3}),
        ({"size": None}, {"size": (224, 224)}),
        ({"size": 96}, {"size": (96, 96)}),
        ({"size": {"longest_edge": 96}}, {"size": None, "edges": Edges(longest=96)}),
        ({"size": {"shortest_edge": 96, "longest_edge": 200}}, {"edges": Edges(96, 200)}),
        ({"size": {"max_height": 96, "max_width": 200}}, {"edges": Edges(box=(96, 200))}),
        ({"do_resize": False}, {"size": None, "edges": None}),
        ({"do_center_crop": True, "crop_size": 64}, {"size": (64, 64)}),
        ({"rescale_offset": True, "do_normalize": False}, {"mean": (1.0,) * 3, "std": (1.0,) * 3}),
        ({"do_flip_channels": True}, {"order": "bgr"}),
        ({"do_rescale": False}, {"scale": 1.0}),
    ],
)
def test_keys_are_understood(settings, wanted):
    spec = input_spec_of({"image_processor_type": "BeitImageProcessor", **settings}, "m")
    assert {name: getattr(spec, name) for name in wanted} == wanted


def test_mobilevit_never_normalises_and_wants_blue_first():
    for kind in ("mobilevit", "mobilevitv2"):
        spec = input_spec_of({"do_normalize": True, "image_mean": [0.4] * 3}, "m", kind)
        assert (spec.mean, spec.std, spec.order) == ((0.0,) * 3, (1.0,) * 3, "bgr")
    assert input_spec_of({"do_flip_channels": False}, "m", "mobilevit").order == "rgb"


def test_an_unknown_processor_is_told_only_where_it_matters():
    spec = input_spec_of({"image_processor_type": "OwnImageProcessor"}, "m")
    assert "OwnImageProcessor is not known here: image_mean, image_std, size" in spec.remark
    given = {"image_mean": 0.5, "image_std": 0.5, "size": 64}
    assert input_spec_of({"image_processor_type": "OwnImageProcessor", **given}, "m").remark == ""


@pytest.mark.parametrize("kind", ["dpt", "data2vec-vision", "beit"])
def test_models_of_one_size_take_it_from_their_configuration(kind):
    assert input_spec_of({}, "m", kind, 96, absent=True).size == (96, 96)
    assert input_spec_of({}, "m", kind, [64, 96], absent=True).size == (64, 96)
    assert input_spec_of({}, "m", "mobilevit", 96, absent=True).size is None
    assert input_spec_of({"keep_aspect_ratio": True, "size": 96}, "m", kind).size == (96, 96)
    edge = {"size": {"shortest_edge": 128}}
    assert input_spec_of(edge, "m", kind, 96).size == (96, 96)
    assert input_spec_of({**edge, "do_center_crop": True, "crop_size": 64}, "m", kind, 96).size == (64, 64)


@pytest.mark.parametrize(
    "settings",
    [
        {"size": {"depth": 3}},
        {"size": [1, 2, 3]},
        {"size": True},
        {"rescale_factor": "x"},
        {"size": {"shortest_edge": 0}},
    ],
)
def test_malformed_settings_are_ours(settings):
    with pytest.raises(ModelFileError, match=r"m: malformed preprocessor_config\.json"):
        input_spec_of(settings, "m")


@pytest.mark.parametrize(
    ("edges", "image", "wanted"),
    [
        (Edges(128), (480, 640), (128, 160)),  # 128x171 in multiples of 32
        (Edges(128, 150), (480, 640), (128, 160)),  # 112.5x150
        (Edges(longest=320), (480, 640), (256, 320)),
        (Edges(least=(480, 480)), (360, 480), (352, 480)),
        (Edges(least=(480, 480)), (720, 1280), (480, 864)),
        (Edges(box=(240, 640)), (480, 640), (256, 320)),
    ],
)
def test_edges_keep_the_aspect(edges, image, wanted):
    assert InputSpec(edges=edges, stride=32).size_for(image) == wanted
    assert InputSpec(edges=edges, stride=32, size=(8, 8)).size_for(image) == (8, 8)


@pytest.mark.parametrize(
    "edges", [Edges(128), Edges(128, 300), Edges(longest=64), Edges(least=(64, 96)), Edges(box=(9, 9))]
)
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_written_settings_say_the_input_again(edges, order):
    plain = InputSpec(edges=edges, stride=32, order=order)
    for spec in (plain, replace(plain, mean=(0.0,) * 3, std=(1.0,) * 3)):
        again = json.loads(json.dumps(processor_settings(spec)))
        assert input_spec_of(again, "m", "mobilevit") == spec
