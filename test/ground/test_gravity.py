"""Up from an inertial measurement unit."""

from __future__ import annotations

import numpy as np
import pytest

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.gravity import GRAVITY, Gravity, GravitySettings
from trust_seg_ros.ground.placing import Pose

S = 1_000_000_000
STILL = np.zeros(3)


def lean(roll: float) -> np.ndarray:
    """What a vehicle feels that leans to its right by ``roll``: up is to its left."""
    return GRAVITY * np.array([0.0, np.sin(roll), np.cos(roll)])


def test_the_mean_of_noisy_measurements_in_the_frame_of_the_base() -> None:
    rng, gravity = np.random.default_rng(0), Gravity()
    turned = Pose.from_angles(0, 0, np.pi / 2, np.zeros(3))  # the unit's x is the base's left
    for step in range(200):
        felt = turned.rotation.T @ lean(0.03) + rng.normal(0, 0.05, 3)
        gravity.add(felt, STILL, turned, step * S // 50)
    up = gravity.up(4 * S)
    assert np.arctan2(up[1], up[2]) == pytest.approx(0.03, abs=0.002)


def test_braking_turning_and_broken_measurements_are_left_out() -> None:
    gravity = Gravity()
    for step in range(50):
        gravity.add(lean(0.0), STILL, Pose(), step * S // 50)
    for step in range(50, 100):
        gravity.add(lean(0.0) + 3.0 * np.eye(3)[0], STILL, Pose(), step * S // 50)
        gravity.add(lean(0.05), np.array([0, 0, 0.3]), Pose(), step * S // 50)
        gravity.add(np.full(3, np.nan), STILL, Pose(), step * S // 50)
        gravity.add(lean(0.05), np.full(3, np.nan), Pose(), step * S // 50)
    assert np.allclose(gravity.up(2 * S), [0, 0, 1])


def test_too_few_and_too_old_measurements_say_so() -> None:
    gravity = Gravity()
    with pytest.raises(GroundError, match="0 measurements of even motion: at least 20"):
        gravity.up(0)
    for step in range(30):
        gravity.add(lean(0.0), STILL, Pose(), step * S // 50)
    assert gravity.up(S)[2] == pytest.approx(1)
    with pytest.raises(GroundError, match=r"the last 29\.4 s ago"):
        gravity.up(30 * S)
    gravity.add(lean(0.1), STILL, Pose(), 60 * S)  # after a gap it starts anew
    with pytest.raises(GroundError, match="1 measurements"):
        gravity.up(60 * S)
    gravity.reset()
    with pytest.raises(GroundError, match="0 measurements"):
        gravity.up(60 * S)


def test_settings_are_numbers_above_zero() -> None:
    with pytest.raises(GroundError, match="smooth_s"):
        GravitySettings(smooth_s=0.0)
