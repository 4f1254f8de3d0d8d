"""The kernel that prepares an image, in the interpreter, against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreted import needs_triton

from trust_seg_ros.segmentation import InputSpec
from trust_seg_ros.segmentation.normalisation import can_prepare
from trust_seg_ros.segmentation.preprocess import preprocess_torch

pytestmark = needs_triton
CPU = torch.device("cpu")
sides = st.integers(1, 40)
GREY = 1 / 0.25 / 255
"""The largest step between two grey levels with these deviations."""


def noise(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def device_input(image, spec, out=None):
    from trust_seg_ros.segmentation import upload_gpu  # the kernel is defined with the interpreter's variable set

    return upload_gpu.device_input(image, spec, out)


@settings(max_examples=25, deadline=None)
@given(sides, sides, sides, sides, st.sampled_from(["rgb", "bgr"]), st.integers(0, 99))
def test_it_equals_torch(height, width, h, w, order, seed):
    image = noise(height, width, seed)
    spec = InputSpec(size=(h, w), mean=(0.4, 0.5, 0.6), std=(1.0, 0.5, 0.25), order=order)
    got, wanted = device_input(image, spec), preprocess_torch(image, spec, CPU)
    assert got.shape == wanted.shape == (1, 3, h, w)
    assert got.is_contiguous()
    away = (got - wanted).abs()
    if h <= height and w <= width:
        assert away.max() < 1e-5, "means of areas are rounded exactly"
    else:
        assert away.max() < 1.01 * GREY
        assert (away > 1e-5).float().mean() < 0.05, "a weighted mean between two grey levels, by the last bit"


@pytest.mark.parametrize("size", [None, (7, 300), (90, 300)])
def test_views_wide_rows_and_half_precision(size):
    image = noise(20, 560)[::2, 5:305, :]
    spec = InputSpec(size=size, half=True)
    got, wanted = device_input(image, spec), preprocess_torch(image, spec, CPU)
    assert got.dtype == torch.bfloat16
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert (got.float() - wanted.float()).abs().max() < 0.04


def test_channels_first_memory_and_a_place_in_a_batch():
    image = noise(6, 8).permute(2, 0, 1).contiguous().permute(1, 2, 0)
    batch = torch.zeros((3, 3, 6, 8), dtype=torch.float16).contiguous(memory_format=torch.channels_last)
    given_back = device_input(image, InputSpec(), batch[1:2])
    assert given_back.data_ptr() == batch[1:2].data_ptr()
    assert torch.equal(batch[1:2], preprocess_torch(image, InputSpec(), CPU).half())
    assert not batch[0].any()
    assert not batch[2].any()


def test_what_32_bits_cannot_count_is_left_to_torch():
    assert can_prepare((2160, 3840), (1024, 2048))
    assert can_prepare((2160, 3840), (8, 8))
    assert not can_prepare((4096, 4096), (1, 1)), "sums of bytes"
    assert not can_prepare((1 << 20, 64), (1 << 14, 64)), "places"


def test_a_batch_is_prepared_image_by_image_where_it_belongs():
    from trust_seg_ros.segmentation.preprocess import _prepared

    images = [noise(10, 12).numpy(), noise(14, 12, 1), noise(10, 12).numpy()]
    images.append(images[0])
    spec = InputSpec(size=(5, 6), half=True)
    batch = _prepared(images, spec, CPU)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    wanted = torch.cat([preprocess_torch(image, spec, CPU) for image in images])
    assert (batch.float() - wanted.float()).abs().max() < 0.04
