"""Poses that jump."""

from __future__ import annotations

import numpy as np
import pytest

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.jumps import FIXED, JumpWatch, MotionLimits, jumped
from trust_seg_ros.ground.placing import Pose

S = 1_000_000_000


def at(x: float, yaw: float = 0.0) -> Pose:
    return Pose.from_angles(0, 0, yaw, np.array([x, 0, 0]))


def test_a_vehicle_moves_and_a_jump_is_no_motion() -> None:
    assert jumped(at(0), at(3), 0.1) is None  # 108 km/h
    assert jumped(at(0), at(0, 0.15), 0.1) is None
    assert jumped(at(0), at(30), 0.1) == "moved 30 m in 0.1 s: at most 7.3 m expected"
    assert jumped(at(0), at(0, 1.5), 0.1) == "turned 85.9° in 0.1 s: at most 14.3° expected"
    assert jumped(at(0), at(30), -0.1) is not None


def test_a_mounted_camera_does_not_move_at_all() -> None:
    assert jumped(at(1), at(1.01), 3600, FIXED) is None
    assert jumped(at(1), at(1.1), 3600, FIXED) is not None
    assert jumped(at(1), at(1, 0.05), 3600, FIXED) is not None


def test_each_pose_is_compared_with_the_one_before() -> None:
    watch = JumpWatch("base_link in odom", MotionLimits(speed=10))
    assert watch.check(at(0), 0) is None
    assert watch.check(at(1), S // 10) is None
    assert watch.check(at(50), S // 5) == "base_link in odom jumped: it moved 49 m in 0.1 s: at most 1.3 m expected"
    assert watch.check(at(51), 3 * S // 10) is None
    watch.reset()
    assert watch.check(at(900), 4 * S // 10) is None


def test_limits_are_numbers() -> None:
    with pytest.raises(GroundError, match="speed nan"):
        MotionLimits(speed=float("nan"))
