"""Pictures of the best and the worst images."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.evaluation.report.best_worst import best_and_worst, scaled, write_rows


@given(st.lists(st.integers(), unique=True, max_size=9), st.integers(1, 4))
def test_none_is_shown_twice_and_both_ends_are(order, number):
    chosen = best_and_worst(order, number)
    assert len(set(chosen)) == len(chosen) == min(len(order), 2 * number)
    assert chosen == [image for image in order if image in chosen]
    assert chosen[:number] == order[:number]
    assert chosen[-1:] == order[-1:]


def test_one_scale_for_all_images():
    plane = np.array([[-1, 0, 1, 2, 3]], np.float32)
    assert scaled(plane, 0.0, 2.0).tolist() == [[0, 0, 0.5, 1, 1]]
    assert scaled(plane, 1.0, 1.0).tolist() == [[0, 0, 0, 1, 1]], "a score that does not vary"


def test_rows_below_the_head(tmp_path):
    head, row = np.full((2, 4, 3), (255, 0, 0), np.uint8), np.zeros((3, 4, 3), np.uint8)
    assert write_rows(tmp_path / "a.png", head, [row, row])
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture.shape == (8, 4, 3)
    assert picture[0, 0].tolist() == [0, 0, 255]  # BGR
