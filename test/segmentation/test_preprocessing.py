import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.segmentation import InputSpec, ModelSpecError
from trust_seg_ros.segmentation.preprocess import preprocess, preprocess_cpu, preprocess_torch

CPU = torch.device("cpu")
sides = st.integers(2, 60)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_without_resizing_it_is_the_definition():
    image = noise(5, 7)
    spec = InputSpec(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    wanted = (image / 255 - np.array(spec.mean)) / np.array(spec.std)
    got = preprocess(image, spec, CPU)
    assert got.shape == (1, 3, 5, 7)
    assert got.dtype == torch.float32
    np.testing.assert_allclose(got[0].permute(1, 2, 0), wanted, atol=1e-6)


def test_bgr_swaps_the_planes_after_normalising():
    image = noise(4, 4)
    spec = InputSpec(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    swapped = preprocess(image, InputSpec(mean=spec.mean, std=spec.std, order="bgr"), CPU)
    assert torch.equal(swapped, preprocess(image, spec, CPU)[:, [2, 1, 0]])


def test_scale_one_leaves_bytes():
    image = noise(4, 4)
    got = preprocess(image, InputSpec(mean=(0, 0, 0), std=(1, 1, 1), scale=1.0), CPU)
    assert torch.equal(got[0].permute(1, 2, 0).to(torch.uint8), torch.from_numpy(image))


@settings(max_examples=60, deadline=None)
@given(sides, sides, sides, sides, st.sampled_from(["rgb", "bgr"]), st.integers(0, 99))
def test_cpu_way_equals_torch_way(height, width, h, w, order, seed):
    """Equal up to one grey level where the resize is the same; see ``preprocess_torch`` for the rest."""
    if h <= height and w <= width:  # averaging over whole windows only
        height, width = h * max(1, height // h), w * max(1, width // w)
    image = noise(height, width, seed)
    spec = InputSpec(size=(h, w), mean=(0.4, 0.5, 0.6), std=(1.0, 0.5, 0.25), order=order)
    fast, reference = preprocess_cpu(image, spec), preprocess_torch(image, spec, CPU)
    assert fast.shape == reference.shape == (1, 3, h, w)
    assert (fast - reference).abs().max() <= 4 * 1.01 / 255


def test_shrinking_averages_what_bilinear_sampling_would_skip():
    image = np.zeros((64, 64, 3), np.uint8)
    image[::8] = 255  # thin lines, one row in eight
    spec = InputSpec(size=(8, 8), mean=(0, 0, 0), std=(1, 1, 1))
    assert preprocess(image, spec, CPU).sub(1 / 8).abs().max() < 1 / 200
    assert preprocess_torch(image, spec, CPU).sub(1 / 8).abs().max() < 1 / 200


@pytest.mark.parametrize("way", [preprocess_cpu, lambda i, s: preprocess_torch(i, s, CPU)])
@pytest.mark.parametrize("size", [None, (10, 12)])
def test_views_and_read_only_images_give_what_copies_give(way, size):
    wide = noise(20, 40)
    views = [wide[:, 3:27], wide[::-1], wide[:, :, ::-1], wide[::2, ::2]]
    for view in views:
        view.setflags(write=False)
        spec = InputSpec(size=size)
        assert torch.equal(way(view, spec), way(view.copy(), spec))


def test_the_image_is_left_alone():
    image = noise(9, 9)
    before = image.copy()
    preprocess_torch(image, InputSpec(), CPU).zero_()
    preprocess_cpu(image, InputSpec()).zero_()
    assert (image == before).all()


def test_half_is_channels_last():
    got = preprocess(noise(8, 8), InputSpec(half=True), CPU)
    assert got.dtype == torch.bfloat16
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert (got - preprocess(noise(8, 8), InputSpec(), CPU)).abs().max() < 1e-2


@pytest.mark.parametrize(("image", "wanted"), [((360, 480), (352, 480)), ((368, 480), (384, 480)), ((5, 5), (32, 32))])
def test_size_as_the_image_rounds_to_the_nearest_multiple(image, wanted):
    assert InputSpec(stride=32).size_for(image) == wanted
    assert InputSpec(stride=32, size=(7, 9)).size_for(image) == (7, 9)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"mean": (0.1, 0.2)}, "three finite numbers"),
        ({"mean": (0.1, 0.2, float("nan"))}, "three finite numbers"),
        ({"std": (0.1, 0.2, 0.0)}, "above 0"),
        ({"order": "grb"}, "'rgb' or 'bgr'"),
        ({"scale": 0.0}, "scale is 0.0"),
        ({"stride": 0}, "stride is 0"),
        ({"size": (0, 10)}, r"\(0, 10\)"),
        ({"size": (10, 1 << 15)}, "16384"),
    ],
)
def test_values_out_of_range_are_refused(values, match):
    with pytest.raises(ModelSpecError, match=match):
        InputSpec(**values)
