"""Objects of the drive keep their numbers, and asking for them changes no picture."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.synthetic.identities import GROUPS, object_number, thing_number

SIZE = (120, 200)

DRAWN = (
    (DriveSettings(size=(96, 160)), 0, "a8332cbefd6072e5"),
    (DriveSettings(size=(96, 160), seed=5), 123, "020bebda3126e179"),
    (DriveSettings(size=(360, 480), seed=7, unknown_rate=6.0), 40, "beee4b9d34d2922b"),
    (DriveSettings(size=SIZE, seed=11, weather="rain", unknown_rate=3.0), 900, "2003f67c32a05db9"),
    (DriveSettings(size=SIZE, seed=12, weather="night", traffic=2.0), 77, "f3483faaa0f77bd7"),
    (DriveSettings(size=(100, 300), seed=13, cameras=1.0, unknown_rate=5.0), 31, "cdbbb1253444fafa"),
    (DriveSettings(size=SIZE, seed=14, unknowns=(), noise=0.0), 2500, "9cb4d30d7ae75c5d"),
)
"""Frames as they were drawn before objects had numbers: the begin of the SHA-256 of image, labels and unknown."""


@pytest.mark.parametrize(("asked", "index", "digest"), DRAWN)
@pytest.mark.parametrize("objects", [False, True])
def test_pictures_and_classes_are_what_they_were_before_objects_had_numbers(asked, index, digest, objects):
    frame = SyntheticDrive(replace(asked, objects=objects)).frame(index)
    found = hashlib.sha256(frame.image.tobytes() + frame.labels.tobytes() + frame.unknown.tobytes()).hexdigest()
    assert found.startswith(digest)
    assert (frame.objects is not None) == objects


def test_without_being_asked_for_there_are_no_objects():
    frame = SyntheticDrive(DriveSettings(size=SIZE)).frame(0)
    assert frame.objects is None
    assert frame.object_table == {}


@given(seed=st.integers(0, 1 << 40), index=st.integers(0, 100_000))
@settings(max_examples=25, deadline=None)
def test_an_object_has_the_class_that_its_pixels_have(seed, index):
    frame = SyntheticDrive(DriveSettings(size=SIZE, seed=seed, unknown_rate=6, objects=True)).frame(index)
    numbers = np.unique(frame.objects)
    assert set(numbers[numbers > 0]) == set(frame.object_table)
    for number, one in frame.object_table.items():
        assert one.number == number
        assert set(np.unique(frame.labels[frame.objects == number])) == {one.class_id}
    stuff = set(np.unique(frame.labels[frame.objects == 0]))
    assert not stuff & {2, 6, 8, 9, 10, 255}  # poles, signs, vehicles, people, cyclists and the unknown are objects


@given(seed=st.integers(0, 1 << 40), index=st.integers(0, 100_000))
@settings(max_examples=15, deadline=None)
def test_unknown_objects_are_the_same_in_both_maps(seed, index):
    frame = SyntheticDrive(DriveSettings(size=SIZE, seed=seed, unknown_rate=8, objects=True)).frame(index)
    pairs = np.unique(np.stack([frame.unknown.ravel(), frame.objects.ravel()])[:, frame.unknown.ravel() > 0], axis=1)
    assert len(set(pairs[0])) == len(set(pairs[1])) == pairs.shape[1]
    kinds = [frame.object_table[number].kind for number in pairs[1]]
    assert kinds == [frame.unknown_kinds[i - 1] for i in pairs[0]]
    assert all(frame.object_table[number].unknown for number in pairs[1])


def test_numbers_last_over_the_drive():
    drive = SyntheticDrive(DriveSettings(size=SIZE, seed=3, fps=10.0, unknown_rate=4, objects=True))
    kinds, places, seen = {}, {}, {}
    for frame in map(drive.frame, range(100)):
        for number, one in frame.object_table.items():
            assert kinds.setdefault(number, one) == one
            rows, columns = np.nonzero(frame.objects == number)
            here = np.array([rows.mean(), columns.mean()])
            if len(rows) > 40 and seen.get(number) == frame.index - 1:
                assert np.abs(here - places[number]).max() < 60
            places[number], seen[number] = here, frame.index
    unknown = [number for number, one in kinds.items() if one.unknown]
    assert len(unknown) > 3
    assert len(kinds) > 40


def test_numbers_do_not_depend_on_the_frame_rate_nor_on_earlier_calls():
    slow, fast = (SyntheticDrive(DriveSettings(size=SIZE, seed=8, fps=f, objects=True)) for f in (10.0, 30.0))
    slow.frame(4000)
    one, other = slow.frame(20), fast.frame(60)
    np.testing.assert_array_equal(one.objects, other.objects)
    assert one.object_table == other.object_table


def test_no_two_objects_share_a_number():
    numbers = [object_number(group, n) for group in GROUPS for n in range(-300, 300)]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) == 1
    things = [thing_number(group, k, i) for group in ("thing", "plate") for k in range(5) for i in range(400)]
    assert len(set(things)) == len(things)
    assert thing_number("thing", 10**9, 4000) < 2**63
