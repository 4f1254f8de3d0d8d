"""Frames of recordings in order, by the numbers in their names."""

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.folders import LabelledFolder, pair_up
from trust_seg_ros.datasets.sequences import frame_rates, median_period, sequences


@pytest.fixture
def frames(tmp_path):
    """Writes images of these names, and labels for those that are said to have some."""

    def write(names, labelled):
        for kind, chosen in (("images", names), ("labels", labelled)):
            for name in chosen:
                path = (tmp_path / kind / name).with_suffix(".png")
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), np.zeros((4, 4), np.uint8))
        return LabelledFolder(pair_up(tmp_path / "images", tmp_path / "labels", some=True), 3)

    return write


def names_of(found):
    return [[(frame.image.stem, frame.index) for frame in frames] for frames in found]


def test_numbers_order_frames_and_frames_without_labels_lie_between(frames):
    folder = frames(["a_10", "a_9", "a_100", "b_1", "c_7", "c_8"], ["a_100", "a_9", "b_1"])
    found = sequences(folder, 10.0)
    position = {sample.name: k for k, sample in enumerate(folder.samples)}
    assert names_of(found) == [
        [("a_9", position["a_9"]), ("a_10", None), ("a_100", position["a_100"])],
        [("b_1", position["b_1"])],
    ], "c has no labelled frame"
    stamps = [frame.stamp_ns for frame in found[0]]
    assert [stamp - stamps[0] for stamp in stamps] == [0, 100_000_000, 9_100_000_000]
    assert stamps[0] > 0, "0 would mean not stamped"


def test_a_folder_and_what_stands_around_the_number_make_a_sequence(frames):
    folder = frames(["x/f1_cam", "x/f2_cam", "y/f2_cam", "x/f2_left"], ["x/f1_cam", "y/f2_cam", "x/f2_left"])
    assert [len(frames) for frames in sequences(folder, 1.0)] == [2, 1, 1]


def test_names_that_are_nanoseconds(frames):
    folder = frames(["1700000000000000000", "1700000000100000000"], ["1700000000100000000"])
    first, second = sequences(folder, 1e9)[0]
    assert second.stamp_ns - first.stamp_ns == 100_000_000


def test_rates_are_those_of_the_sequences(frames):
    names = [f"slow_{30 * k}" for k in range(4)] + [f"fast_{2 * k}" for k in range(30)]
    found = sequences(frames(names, [names[0], names[4]]), 30.0)
    assert frame_rates(found) == pytest.approx((1.0, 15.0))
    assert median_period(found) == pytest.approx(1 / 15)


def test_single_images_have_no_period(frames):
    found = sequences(frames(["a_1", "b_1"], ["a_1", "b_1"]), 30.0)
    assert frame_rates(found) == (0.0, 0.0)
    with pytest.raises(DatasetError, match="no two images belong to one sequence: expected names that differ in their"):
        median_period(found)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_rates_are_refused(frames, rate):
    with pytest.raises(DatasetError, match="expected a number above 0"):
        sequences(frames(["a_1"], ["a_1"]), rate)


@pytest.mark.parametrize(
    ("names", "message"),
    [(["a_1", "a_01"], "two frames with the number 1"), (["b_1", "road"], r"road\.png: no number in its name")],
)
def test_names_without_a_number_and_numbers_twice_are_refused(frames, names, message):
    with pytest.raises(DatasetError, match=message):
        sequences(frames(names, names[:1]), 10.0)


def test_images_without_labels_are_still_refused_where_nobody_asked_for_recordings(frames, tmp_path):
    frames(["a_1", "a_2"], ["a_1"])
    with pytest.raises(DatasetError, match="no labels"):
        pair_up(tmp_path / "images", tmp_path / "labels")
