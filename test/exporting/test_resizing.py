"""The resizing inside a graph is OpenCV's, to the last bit, in torch and in both runtimes."""

import cv2
import numpy as np
import pytest
import torch

from trust_seg_ros.exporting.resizing import Resize, area_taps
from trust_seg_ros.segmentation.preprocess import preprocess_cpu
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.segmentation.scenes import scene_image

BYTES = InputSpec(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), scale=1.0)
SIZES = [
    ((360, 480), (360, 480)),  # as it is
    ((360, 480), (416, 544)),  # both sides grow
    ((360, 480), (200, 544)),  # one grows: bilinear
    ((360, 480), (361, 481)),
    ((7, 5), (64, 96)),
    ((1, 1), (32, 32)),
    ((360, 480), (180, 240)),  # halves
    ((360, 480), (90, 120)),  # a whole factor
    ((360, 480), (208, 272)),
    ((360, 480), (300, 400)),  # many sums lie between two grey levels
    ((359, 641), (358, 32)),
    ((360, 480), (1, 1)),
]


def opencv(image, new):
    pixels = preprocess_cpu(image, InputSpec(size=new, mean=BYTES.mean, std=BYTES.std, scale=1.0))
    return pixels[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("kind", ["noise", "scene"])
@pytest.mark.parametrize(("old", "new"), SIZES)
def test_it_is_opencvs_result(old, new, kind):
    rng = np.random.default_rng(7)
    image = scene_image(old) if kind == "scene" else rng.integers(0, 256, (*old, 3), dtype=np.uint8)
    found = Resize(old, new)(torch.from_numpy(image)[None])[0].numpy()
    assert np.array_equal(found, opencv(image, new))


def test_the_weights_of_an_area_sum_to_one():
    for old, new in ((480, 300), (1920, 544), (17, 3), (5, 5)):
        index, weight = area_taps(old, new)
        assert np.allclose(weight.sum(0), 1.0, atol=1e-6)
        assert 0 <= index.min() <= index.max() < old


def test_a_plain_bilinear_resize_would_not_do():
    """Why none of the operations that graphs have is used: they differ in every tenth pixel."""
    image = scene_image((360, 480))
    plain = torch.nn.functional.interpolate(
        torch.from_numpy(image).permute(2, 0, 1)[None].float(), (416, 544), mode="bilinear", align_corners=False
    )
    differs = plain.round()[0].permute(1, 2, 0).numpy() != opencv(image, (416, 544))
    assert differs.mean() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), [((360, 480), (416, 544)), ((540, 960), (208, 272)), ((360, 480), (300, 400))])
def test_runtimes_round_as_opencv_does(old, new):
    runtime = pytest.importorskip("onnxruntime")
    openvino = pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    from trust_seg_ros.segmentation.graphs.to_onnx import to_onnx

    image = np.random.default_rng(1).integers(0, 256, (*old, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 1.5)
    model = to_onnx(Resize(old, new), "resize", torch.from_numpy(image)[None], ["out"]).SerializeToString()
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert np.array_equal(session.run(None, {"image": image[None]})[0][0], opencv(image, new))
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert np.array_equal(compiled([image[None]])[0][0], opencv(image, new))
