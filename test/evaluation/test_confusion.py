import math

import numpy as np
import pytest

from trust_seg_ros.evaluation.confusion import ConfusionMatrix


def test_iou_worked_out_by_hand():
    confusion = ConfusionMatrix(4)
    truth = np.array([[0, 0, 1, 1, 255]], np.uint8)
    predicted = np.array([[0, 1, 1, 255, 2]], np.uint8)  # the last pixel has no truth: it does not count
    confusion.add(truth, predicted)
    iou = confusion.iou()
    assert iou[0] == pytest.approx(1 / 2)  # hit 1, union {0, 1}
    assert iou[1] == pytest.approx(1 / 3)  # hit 1, union of truth {2, 3} and predicted {1, 2}
    assert math.isnan(iou[2])
    assert math.isnan(iou[3])
    assert confusion.mean_iou() == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert confusion.accuracy() == pytest.approx(2 / 4)


def test_images_add_up():
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 3, (2, 6, 20, 30), dtype=np.uint8)
    whole, parts = ConfusionMatrix(3), ConfusionMatrix(3)
    whole.add(maps[0].reshape(-1, 30), maps[1].reshape(-1, 30))
    for truth, predicted in zip(*maps, strict=True):
        parts.add(truth, predicted)
    assert np.array_equal(whole.counts, parts.counts)
