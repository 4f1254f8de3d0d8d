"""Run lengths and polygons say exactly which pixels a mask has."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from trust_seg_ros.library.masks import compressed, polygons, run_lengths

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans())


def placed(mask, left, top):
    """The mask in an image that is a little larger, and its box."""
    image = np.zeros((mask.shape[0] + top + 2, mask.shape[1] + left + 1), bool)
    box = (left, top, left + mask.shape[1], top + mask.shape[0])
    image[top : box[3], left : box[2]] = mask
    return image, box


@given(MASKS, st.integers(0, 3), st.integers(0, 3))
def test_run_lengths_are_those_of_the_definition(mask, left, top):
    image, box = placed(mask, left, top)
    reference, value = [0], False
    for pixel in image.T.ravel().tolist():
        if pixel != value:
            reference.append(0)
            value = pixel
        reference[-1] += 1
    assert run_lengths(mask, box, image.shape) == reference


@given(MASKS, st.integers(0, 3), st.integers(0, 3))
def test_pycocotools_reads_the_same_mask(mask, left, top):
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    image, box = placed(mask, left, top)
    counts = compressed(run_lengths(mask, box, image.shape))
    assert (coco.decode({"size": list(image.shape), "counts": counts}) == image).all()
    assert counts == coco.encode(np.asfortranarray(image.view(np.uint8)))["counts"].decode()


@given(st.lists(st.integers(1, 1 << 22), min_size=1, max_size=12))
def test_long_runs_are_written_as_pycocotools_writes_them(lengths):
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    size = [1, sum(lengths)]
    if size[1] < 1 << 24:  # its limit
        assert compressed(lengths) == coco.frPyObjects({"size": size, "counts": lengths}, *size)["counts"].decode()


def inside(ring, shape):
    """(H, W) bool, pixels in a polygon: its edges cross the line to their left an odd number of times."""
    found = np.zeros(shape, bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        assert (x0 == x1) != (y0 == y1)  # along the edges of pixels, and never standing still
        if x0 == x1:
            found[min(y0, y1) : max(y0, y1), x0:] ^= True
    return found


@given(MASKS, st.integers(0, 3), st.integers(0, 3))
def test_polygons_hold_the_mask_with_its_holes_filled(mask, left, top):
    image, box = placed(mask, left, top)
    found = np.zeros(image.shape, bool)
    for ring in polygons(mask, box):
        assert len(ring) >= 4
        found |= inside(ring, image.shape)
    assert (found == ndimage.binary_fill_holes(image)).all()  # a hole is not open at a corner


def test_one_pixel_has_four_corners():
    (ring,) = polygons(np.ones((1, 1), bool), (3, 5, 4, 6))
    assert {tuple(corner) for corner in ring.tolist()} == {(3, 5), (4, 5), (4, 6), (3, 6)}


def test_pixels_that_touch_at_a_corner_are_one_polygon():
    (ring,) = polygons(np.eye(2, dtype=bool), (0, 0, 2, 2))
    assert abs(cv2.contourArea(ring.astype(np.float32))) == 2
