import math

import pytest

from trust_seg_ros.drawing.wording import not_class, percent, unknown_object, unknown_score


def test_a_label_says_what_the_number_is_about():
    assert not_class("Car", 0.68) == "not Car, 68 %"
    assert unknown_object(0.91) == "unknown, 91 %"
    assert unknown_object(0.06) == "maybe unknown, 6 %", "kept, but more likely a false alarm"
    assert unknown_score(0.914) == "unknown, score 0.91", "a score is no probability, and has no percent sign"


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0, "0 %"), (0.004, "<1 %"), (0.006, "1 %"), (0.5, "50 %"), (0.994, "99 %"),
        (0.9951, ">99 %"), (1.0, "100 %"), (math.nan, "? %"),
    ],
)  # fmt: skip
def test_only_what_is_certain_is_called_certain(probability, text):
    assert percent(probability) == text


def test_labels_are_ascii_which_is_all_that_the_lettering_has():
    assert (not_class("Car", 0.68) + unknown_object(0.004) + unknown_score(0.5)).isascii()
