"""The newest CameraInfo: none yet, stale, of the wrong size, another calibration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trust_seg_ros.ground.camera_info import CameraInfoFields
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.newest_camera import NewestCamera

S = 1_000_000_000
INFO = CameraInfoFields(48, 64, (50.0, 0, 31.5, 0, 50.0, 23.5, 0, 0, 1), p=(0.0,) * 12, frame_id="cam", stamp_ns=10 * S)
SIZE = (48, 64)


@pytest.fixture
def newest() -> NewestCamera:
    return NewestCamera("/front/camera_info", rectified=False, max_age_s=1.0)


def test_none_yet(newest: NewestCamera) -> None:
    with pytest.raises(GroundError, match="no CameraInfo on /front/camera_info yet"):
        newest.camera(SIZE, 10 * S)
    assert newest.info is None
    assert newest.remarks("/front/image_raw") == ()


def test_a_camera_is_made_once_for_a_calibration_and_a_size(newest: NewestCamera) -> None:
    newest.put(INFO)
    first = newest.camera(SIZE, 10 * S)
    newest.put(replace(INFO, stamp_ns=11 * S))
    assert newest.camera(SIZE, 11 * S) is first
    newest.put(replace(INFO, stamp_ns=11 * S, k=(60.0, *INFO.k[1:])))
    assert newest.camera(SIZE, 11 * S).k[0, 0] == 60


@pytest.mark.parametrize(("stamp", "text"), [(12, "2 s older than the image"), (8, "2 s newer than the image")])
def test_stale_ones_are_refused_until_a_new_one_comes(newest: NewestCamera, stamp: int, text: str) -> None:
    newest.put(INFO)
    with pytest.raises(GroundError, match=f"stale.*{text}: at most 1 s"):
        newest.camera(SIZE, stamp * S)
    newest.put(replace(INFO, stamp_ns=stamp * S))
    assert newest.camera(SIZE, stamp * S).size == SIZE


def test_any_age_may_be_allowed() -> None:
    newest = NewestCamera("/camera_info", rectified=False, max_age_s=float("inf"))
    newest.put(INFO)
    assert newest.camera(SIZE, 0).size == SIZE
    with pytest.raises(GroundError, match="max_age_s"):
        NewestCamera("/camera_info", rectified=False, max_age_s=-1.0)


def test_the_wrong_size_and_what_else_is_wrong_is_said_every_time(newest: NewestCamera) -> None:
    newest.put(INFO)
    for _ in range(2):
        with pytest.raises(GroundError, match="wrong size"):
            newest.camera((480, 640), 10 * S)
    assert newest.camera(SIZE, 10 * S).size == SIZE
    newest.put(replace(INFO, k=(0.0,) * 9))
    with pytest.raises(GroundError, match="not calibrated"):
        newest.camera(SIZE, 10 * S)


def test_half_the_size_where_that_is_allowed() -> None:
    newest = NewestCamera("/camera_info", rectified=False, scaled=True)
    newest.put(INFO)
    assert newest.camera((24, 32), 10 * S).k[0, 0] == 25


def test_remarks_are_those_of_the_newest(newest: NewestCamera) -> None:
    newest.put(INFO)
    assert "no distortion" in newest.remarks("/front/image_raw")[0]
