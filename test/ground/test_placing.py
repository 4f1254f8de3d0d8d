"""Poses and the plane of the ground."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose

ANGLES = st.floats(-3.0, 3.0)


@given(ANGLES, st.floats(-1.5, 1.5), ANGLES)
def test_a_pose_and_its_inverse_undo_each_other(roll: float, pitch: float, yaw: float) -> None:
    pose = Pose.from_angles(roll, pitch, yaw, np.array([1.0, -2.0, 0.5]))
    points = np.random.default_rng(0).normal(size=(5, 3))
    assert np.allclose(pose.inverse().apply(pose.apply(points)), points)
    assert np.allclose((pose.inverse() @ pose).apply(points), points)


def test_angles_and_quaternions_agree() -> None:
    half = 0.3
    by_angles = Pose.from_angles(0, 0, 2 * half, np.zeros(3))
    by_quaternion = Pose.from_quaternion(np.array([0, 0, np.sin(half), np.cos(half)]), np.zeros(3))
    assert np.allclose(by_angles.rotation, by_quaternion.rotation)


def test_pitch_is_positive_when_looking_down_and_the_optical_frame_looks_ahead() -> None:
    assert np.allclose(OPTICAL.apply(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])), [[1, 0, 0], [0, -1, 0]])
    down = Pose.from_angles(0, 0.1, 0, np.zeros(3)).apply(np.array([[1.0, 0.0, 0.0]]))
    assert down[0, 2] == pytest.approx(-np.sin(0.1))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Pose(np.eye(2)), "rotation"),
        (lambda: Pose(np.eye(3) * 2), "rotation matrix"),
        (lambda: Pose(-np.eye(3)), "rotation matrix"),
        (lambda: Pose(np.eye(3), np.array([0, np.nan, 0])), "translation"),
        (lambda: Pose.from_quaternion(np.zeros(4), np.zeros(3)), "length 0"),
        (lambda: Pose.from_angles(np.nan, 0, 0, np.zeros(3)), "roll"),
        (lambda: GroundPlane(np.array([0.0, 0.0, -1.0])), "points up"),
        (lambda: GroundPlane(offset=float("inf")), "offset"),
    ],
)
def test_what_is_no_pose_or_plane_is_refused(make, text: str) -> None:
    with pytest.raises(GroundError, match=text):
        make()


def test_heights_lie_on_the_plane() -> None:
    plane = GroundPlane(np.array([0.05, -0.02, 1.0]), -0.3)
    x, y = np.array([1.0, 20.0]), np.array([-3.0, 4.0])
    assert np.allclose(plane.above(np.stack([x, y, plane.heights(x, y)], 1)), 0.0)
