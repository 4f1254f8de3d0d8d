"""The building blocks of the compiled maps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from placements import placements
from torch.nn import functional

from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.support.jit import jit
from trust_seg_ros.uncertainty import kernels
from trust_seg_ros.uncertainty.logits import upsample


@jit(fastmath={"contract"}, cache=False)
def exp_all(x, out):
    for i in range(x.size):
        out[i] = kernels.exp_negative(x[i])


@jit(fastmath={"contract"}, cache=False)
def log_all(x, out):
    for i in range(x.size):
        out[i] = kernels.log_positive(x[i])


def test_exp_is_accurate_to_its_limits():
    x = -np.geomspace(1e-8, 86.9, 400_001).astype(np.float32)
    out = np.empty_like(x)
    exp_all(x, out)
    error = np.abs(out / np.exp(x.astype(np.float64)) - 1.0)
    assert error[x > -10].max() < 7e-7
    assert error.max() < 5e-6


def test_exp_of_zero_is_one_and_far_below_it_is_tiny():
    out = np.empty(4, np.float32)
    exp_all(np.array([0.0, -0.0, -1e30, -np.inf], np.float32), out)
    assert list(out[:2]) == [1.0, 1.0]
    assert (out[2:] > 0).all()
    assert (out[2:] < 2e-38).all()


def test_log_is_accurate_over_all_possible_sums():
    x = np.linspace(1.0, 254.0, 300_001).astype(np.float32)
    out = np.empty_like(x)
    log_all(x, out)
    assert np.abs(out - np.log(x.astype(np.float64))).max() < 5e-7
    assert out[0] == 0.0


@settings(max_examples=200, deadline=None)
@given(source=st.integers(1, 300), target=st.integers(1, 700))
def test_taps_are_those_of_torch(source, target):
    ramp = torch.eye(source).reshape(1, source, 1, source)  # channel k is 1 at sample k
    want = functional.interpolate(ramp, size=(1, target), mode="bilinear", align_corners=False)[0, :, 0].numpy()
    first, second, weight = kernels.taps(source, target)
    got = np.zeros((source, target), np.float32)
    np.add.at(got, (first, np.arange(target)), np.float32(1.0) - weight)
    np.add.at(got, (second, np.arange(target)), weight)
    assert first.dtype == second.dtype == np.int32
    np.testing.assert_allclose(got, want, atol=2e-7 * source + 1e-6)


@settings(max_examples=200, deadline=None)
@given(
    source=st.integers(1, 60), factor=st.integers(1, 8), corners=st.booleans(), centred=st.booleans(), data=st.data()
)
def test_taps_of_an_answer_are_those_of_torch(source, factor, corners, centred, data):
    """Of an answer that is the samples upsampled, corners on corners or not, and then cut."""
    whole = source * factor
    size = data.draw(st.integers(1, whole))
    ramp = torch.eye(source).reshape(1, source, 1, source)
    grown = functional.interpolate(ramp, size=(1, whole), mode="bilinear", align_corners=corners)[0, :, 0]
    cut = (whole - size) // 2 if centred else 0
    placement = Where(factor, corners, centred).placement((1, source), (1, size))
    first, second, weight = kernels.taps(source, size, placement.axes[1])
    got = np.zeros((source, size), np.float32)
    np.add.at(got, (first, np.arange(size)), np.float32(1.0) - weight)
    np.add.at(got, (second, np.arange(size)), weight)
    np.testing.assert_allclose(got, grown[:, cut : cut + size].numpy(), atol=2e-7 * source + 1e-6)


@settings(max_examples=50, deadline=None)
@given(h=st.integers(1, 20), w=st.integers(1, 20), data=st.data())
def test_planes_are_upsampled_with_corners_on_corners_as_torch_does(h, w, data):
    size = data.draw(st.integers(h, 5 * h)), data.draw(st.integers(w, 5 * w))
    planes = torch.randn(3, h, w, generator=torch.Generator().manual_seed(h * 31 + w))
    want = functional.interpolate(planes[None], size=size, mode="bilinear", align_corners=True)[0]
    found = upsample(planes, size, Where(corners=True).placement((h, w), size))
    torch.testing.assert_close(found, want, atol=2e-5, rtol=1e-5)


def test_a_grid_coarser_than_the_answer_is_read_at_the_middle_of_its_pixels():
    """As from the answer itself: every second position of an answer of 8 with corners on those of 4 samples."""
    placement = Where(corners=True).placement((1, 4), (1, 8))
    first, _, weight = kernels.taps(4, 4, placement.axes[1])
    np.testing.assert_allclose(first + weight, (np.arange(4) * 2 + 0.5) * 3 / 7, atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(w=st.integers(1, 30), factor=st.integers(1, 10), extra=st.integers(0, 2), data=st.data())
def test_any_range_of_columns_equals_the_plain_taps(w, factor, extra, data):
    width = w * factor + extra
    start = data.draw(st.integers(0, width - 1))
    stop = data.draw(st.integers(start + 1, width))
    logits = np.random.default_rng(w).normal(size=(2, 3, w)).astype(np.float32)
    placement = data.draw(placements(1, w))
    left, right, weight = kernels.taps(w, width, placement and placement.axes[1])
    out = np.full((2, stop - start + 3), 77.0, np.float32)
    kernels.expand_row(logits, 1, start, stop, left, right, weight, out)
    want = (1 - weight) * logits[:, 1][:, left] + weight * logits[:, 1][:, right]
    np.testing.assert_allclose(out[:, : stop - start], want[:, start:stop], atol=1e-6)
    assert (out[:, stop - start :] == 77.0).all()


@pytest.mark.parametrize(("h", "w", "height", "width"), [(5, 7, 20, 28), (5, 7, 13, 31), (9, 8, 3, 5), (1, 1, 4, 4)])
def test_softmax_row_equals_torch_row_by_row(h, w, height, width):
    logits = torch.randn(6, h, w, generator=torch.Generator().manual_seed(1)) * 4
    full = functional.interpolate(logits[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    rows, held = np.empty((2, 6, width), np.float32), np.full(2, -1, np.int64)
    row_logits, row_probs = np.empty((6, width), np.float32), np.empty((6, width), np.float32)
    top, bottom, mix = kernels.taps(h, height)
    for y in range(height):
        columns = kernels.taps(w, width)
        kernels.softmax_row(logits.numpy(), top[y], bottom[y], mix[y], *columns, rows, held, row_logits, row_probs)
        np.testing.assert_allclose(row_logits, full[:, y], atol=2e-5)
        np.testing.assert_allclose(row_probs, full[:, y].softmax(0), atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf, 3.4028235e38, -3.4028235e38])
@pytest.mark.parametrize("place", [0, 500, 1000])
def test_all_within_sees_each_kind_of_value_anywhere(value, place):
    low, high = np.float32(-(2.0**126)), np.float32(2.0**126)
    values = np.linspace(low, high, 1001).astype(np.float32)
    assert kernels.all_within(values, low, high)
    values[place] = value
    assert not kernels.all_within(values, low, high)


@jit(fastmath={"contract"}, cache=False)
def expm1_all(x, out):
    for i in range(x.size):
        out[i] = kernels.expm1_negative(x[i])


def test_expm1_keeps_its_digits_near_zero():
    x = -np.geomspace(1e-30, 1e3, 400_001).astype(np.float32)
    out = np.empty_like(x)
    expm1_all(x, out)
    assert np.abs(out / np.expm1(x.astype(np.float64)) - 1.0).max() < 1e-6
    expm1_all(np.zeros(1, np.float32), out)
    assert out[0] == 0.0
