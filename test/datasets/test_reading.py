"""Images that cannot be read: an error, or left out by name."""

import numpy as np
import pytest

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.reading import read_or_skip


class Images:
    """Every odd image is damaged."""

    def read(self, item, /):
        if item % 2:
            raise DatasetError(f"image {item} is damaged")
        return np.zeros((2, 3, 3), np.uint8), np.full((2, 3), item, np.uint8)


def test_what_can_be_read_is_given():
    skipped = {}
    image, labels = read_or_skip(Images(), 4, "four", False, skipped)
    assert image.shape == (2, 3, 3)
    assert (labels == 4).all()
    assert skipped == {}


def test_a_damaged_image_is_an_error_or_named():
    skipped = {}
    with pytest.raises(DatasetError, match="image 3 is damaged"):
        read_or_skip(Images(), 3, "three", False, skipped)
    assert skipped == {}
    assert read_or_skip(Images(), 3, "three", True, skipped) is None
    assert skipped == {"three": "image 3 is damaged"}
