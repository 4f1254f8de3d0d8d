"""Sequences by text, and the drives of folders in order."""

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.folders import paired_folder
from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.time.sequences import (
    START_NS,
    UNKNOWN,
    drive_sequences,
    folder_sequences,
    object_sequences,
)
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive, SyntheticDriveError

TEXT = "synthetic:seeds=3-4:hz=20:seconds=0.5:kinds=cow,box:rate=6:size=160x96:weather=clear"


def test_one_drive_for_each_seed():
    first, second = drive_sequences(TEXT)
    assert (first.name, second.name) == ("drive3_20hz", "drive4_20hz")
    assert first.frames == 10
    assert first.text == TEXT.replace("3-4", "3-3")
    assert drive_sequences(first.text) == [first]
    assert drive_sequences("synthetic:seeds=7-7")[0].frames == 200


def test_shots_of_a_drive_are_its_frames_with_lasting_numbers():
    sequence, objects = drive_sequences(TEXT)[0], []
    shots = list(sequence.shots(objects))
    drive = SyntheticDrive(DriveSettings((96, 160), 3, 20.0, "clear", ("cow", "box"), unknown_rate=6.0, objects=True))
    assert [shot.frame.stamp_ns - START_NS for shot in shots[:3]] == [0, 50_000_000, 100_000_000]
    for index in (0, 9):
        frame, shot = drive.frame(index), shots[index]
        assert np.array_equal(shot.frame.image, frame.image)
        assert np.array_equal(shot.truth == UNKNOWN, frame.unknown > 0)
        assert np.array_equal(shot.truth[frame.unknown == 0], frame.labels[frame.unknown == 0])
        for number in set(np.unique(shot.objects)) - {0}:
            own = set(np.unique(frame.objects[shot.objects == number]))
            assert own == {objects[number - 1].number}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("synthetic:seeds=3", "expected synthetic:seeds=FIRST-LAST"),
        ("synthetic:seeds=4-3", "expected synthetic:seeds=FIRST-LAST"),
        ("synthetic:", "expected synthetic:seeds=FIRST-LAST"),
        ("synthetic:seeds=3-4:speed=3", "'speed=3' is not understood"),
        ("synthetic:seeds=3-4:hz=10:hz=20", "'hz=20' is not understood"),
        ("synthetic:seeds=3-4:hz=fast", "could not convert string to float: 'fast'"),
        ("synthetic:seeds=3-4:seconds=0.01", "0.01 s at 10 Hz hold no frame"),
    ],
)
def test_texts_that_are_no_drives_are_refused(text, told):
    with pytest.raises(EvaluationError, match=told):
        drive_sequences(text)


def test_values_out_of_range_are_refused_by_the_drive():
    with pytest.raises(SyntheticDriveError, match="unknown kind 'unicorn'"):
        drive_sequences("synthetic:seeds=3-4:kinds=unicorn")


def folder_of(root, names, suffix=".png"):
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
        for name in names:
            picture = np.zeros((8, 10, 3), np.uint8) if kind == "images" else np.ones((8, 10), np.uint8)
            cv2.imwrite(str(root / kind / f"{name}{suffix}"), picture)
    return root


def test_drives_of_a_folder_are_in_order_of_their_numbers(tmp_path):
    names = ["b_000060", "a_000090", "a_000030", "a_000100000", "b_000090"]
    folder = paired_folder(folder_of(tmp_path, names), 2)
    found = folder_sequences(folder, "mine", 30.0)
    assert [[sample.name for sample in one.samples] for one in found] == [
        ["a_000030", "a_000090"], ["a_000100000"], ["b_000060", "b_000090"],
    ]  # fmt: skip
    shots = list(found[0].shots([]))
    assert [shot.frame.stamp_ns - START_NS for shot in shots] == [0, 2_000_000_000]
    assert (shots[0].truth == 1).all()
    assert shots[0].objects is None


def test_names_without_a_number_are_refused(tmp_path):
    folder = paired_folder(folder_of(tmp_path, ["street_first", "street_second"]), 2)
    with pytest.raises(EvaluationError, match="its name holds no number of the frame"):
        folder_sequences(folder, "mine", 30.0)


def test_masks_of_one_known_object(tmp_path):
    root = folder_of(tmp_path, ["0", "1"])
    (found,) = object_sequences(root, 24.0)
    objects = []
    shots = list(found.shots(objects))
    assert [one.unknown for one in objects] == [False]
    assert (shots[1].objects == 1).all()
    assert shots[1].truth is None
    (root / "labels" / "1.png").unlink()
    with pytest.raises(EvaluationError, match="expected a label image for each image, 1 = the object"):
        object_sequences(root, 24.0)
    with pytest.raises(EvaluationError, match="no images in images/"):
        object_sequences(tmp_path / "nowhere", 24.0)
