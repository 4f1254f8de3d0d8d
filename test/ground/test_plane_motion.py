"""The slope of the road ahead from motion, on drawn ground: any lens, hidden pitch, standing; and bad inputs."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.plane_ahead import MOTION, MOTION_HELD, PlaneAhead, warm_up
from trust_seg_ros.ground.plane_filter import GIVEN, ROAD, tilted
from trust_seg_ros.ground.plane_motion import MotionSettings, MotionSlope
from trust_seg_ros.ground.slope_belief import SLOPES, SlopeBelief
from trust_seg_ros.synthetic import DriveSettings, GroundSettings, SyntheticDrive

SIZE = (240, 320)
STEP_NS = 100_000_000
GIVEN_PLANE = GroundPlane()
MOUNT = Pose.from_angles(0, 0.05, 0, np.array([1.6, 0, 1.4])) @ OPTICAL
LENSES = {
    "pinhole": CameraModel.pinhole(SIZE, 277),
    "wide": CameraModel(
        SIZE, np.array([[160.0, 0, 159.5], [0, 160, 119.5], [0, 0, 1]]), np.array([-0.1, 0.01, 0, 0]), "plumb_bob"
    ),
    "fisheye": CameraModel.fisheye(SIZE, 153),
}
PER_METRE = 10
TILE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (401, 401)).astype(np.uint8), (0, 0), 1.0)


class Drive:
    """A vehicle on a plane with a pattern, whose base is tilted against it; and what its camera sees."""

    def __init__(self, lens: str, slope: float, speed: float = 9.0) -> None:
        self.camera, self.slope, self.speed = LENSES[lens], slope, speed
        columns, rows = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
        self._rays = self.camera.rays(np.column_stack([columns.ravel(), rows.ravel()])) @ MOUNT.rotation.T
        plane = tilted(GIVEN_PLANE, MOUNT, slope, 1.0)
        # the fixed frame lies on the plane: the base is as high above it, and tilted, as the plane says
        ahead = np.array([1.0, 0.0, 0.0]) - plane.normal[0] * plane.normal
        ahead /= np.linalg.norm(ahead)
        self._turn = np.stack([ahead, np.cross(plane.normal, ahead), plane.normal])
        self._height = -plane.offset

    def frame(self, place: float, pitch: float = 0.0) -> tuple[np.ndarray, np.ndarray, Pose]:
        """Image, ground, and pose without the pitch, a nod about the camera."""
        base = Pose(self._turn, np.array([place, 0.0, self._height]))
        nod = Pose.from_angles(0.0, pitch, 0.0, np.zeros(3)).rotation
        rays = self._rays @ (base.rotation @ nod).T
        eye = base.apply(MOUNT.translation[None])[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.where(rays[:, 2] < -0.01, eye[2] / -rays[:, 2], np.nan)
        x, y = (eye[:2] + rays[:, :2] * distance[:, None]).T
        ground = np.isfinite(x) & (np.abs(y) < 8)
        at = [(np.nan_to_num(c) * PER_METRE % 400).astype(np.float32).reshape(SIZE) for c in (x, y)]
        image = np.where(ground.reshape(SIZE), cv2.remap(TILE, at[0], at[1], cv2.INTER_LINEAR), 128).astype(np.uint8)
        return image, ground.reshape(SIZE), base

    def follow(self, motion: MotionSlope, frames: int = 10, pitches=(0.0,)):
        found = None
        for k in range(frames):
            image, ground, base = self.frame(0.1 * self.speed * k, pitches[k % len(pitches)])
            found = motion.update(image, ground, self.camera, MOUNT, GIVEN_PLANE, base, k * STEP_NS)
        assert found is not None
        return found


@pytest.mark.parametrize("lens", sorted(LENSES))
@pytest.mark.parametrize("slope", [-0.045, 0.0, 0.03])
@pytest.mark.parametrize("pitch_deg", [0.0, 0.35])
def test_slopes_are_found_from_motion(lens: str, slope: float, pitch_deg: float) -> None:
    seen = Drive(lens, slope).follow(MotionSlope(MotionSettings(pitch_deg)))
    assert not seen.reason
    assert seen.sigma < 0.015  # of 0.04 before anything was seen; a fisheye of 320 pixels is coarse
    assert abs(seen.slope - slope) < min(2.5 * seen.sigma + 0.001, 0.006)


def test_a_pitch_that_no_pose_knows_of_is_found_with_the_slope() -> None:
    drive = Drive("pinhole", 0.03)
    nods = np.radians([0.0, 0.3, -0.1, 0.25, -0.3, 0.1, 0.0])
    errors = []
    for pitch_deg in (0.0, 0.35):
        motion, off = MotionSlope(MotionSettings(pitch_deg)), []
        for k in range(20):
            image, ground, base = drive.frame(0.9 * k, nods[k % 7])
            seen = motion.update(image, ground, drive.camera, MOUNT, GIVEN_PLANE, base, k * STEP_NS)
            if k > 5:
                off.append(abs(seen.slope - drive.slope + math.tan(nods[k % 7])))
        errors.append(float(np.median(off)))
    assert errors[1] < 0.6 * errors[0]
    assert errors[1] < 0.006


def test_a_vehicle_that_stands_keeps_the_slope_and_knows_it_less_and_less() -> None:
    drive, motion = Drive("pinhole", 0.03), MotionSlope()
    driven = drive.follow(motion)
    image, ground, base = drive.frame(9 * 0.9)
    for k in range(10, 60):
        seen = motion.update(image, ground, drive.camera, MOUNT, GIVEN_PLANE, base, k * STEP_NS)
    assert "has moved by 0 m since the last image" in seen.reason
    assert abs(seen.slope - driven.slope) < 0.003
    assert driven.sigma < seen.sigma < math.radians(1.0)


def test_nothing_is_claimed_without_ground_or_pattern() -> None:
    drive = Drive("pinhole", 0.03)
    for image, ground, why in ((None, np.zeros(SIZE, bool), "0 patches"), (np.full(SIZE, 90, np.uint8), None, "")):
        motion = MotionSlope()
        for k in range(8):
            seen_image, seen_ground, base = drive.frame(0.9 * k)
            seen = motion.update(
                seen_image if image is None else image, seen_ground if ground is None else ground,
                drive.camera, MOUNT, GIVEN_PLANE, base, k * STEP_NS,
            )  # fmt: skip
        assert why in seen.reason
        assert seen.sigma > 0.03


def test_a_gap_in_time_a_jump_or_another_camera_forgets_the_road() -> None:
    drive, motion = Drive("pinhole", 0.03), MotionSlope()
    assert drive.follow(motion).sigma < 0.01
    image, ground, base = drive.frame(9.0)
    assert motion.update(image, ground, drive.camera, MOUNT, GIVEN_PLANE, base, 40 * STEP_NS).sigma > 0.03
    drive.follow(motion)
    far = Pose(base.rotation, base.translation + np.array([0.0, 30.0, 0.0]))
    assert motion.update(image, ground, drive.camera, MOUNT, GIVEN_PLANE, far, 10 * STEP_NS).sigma > 0.03
    drive.follow(motion)
    other = CameraModel.pinhole(SIZE, 277)
    assert motion.update(image, ground, other, MOUNT, GIVEN_PLANE, base, 10 * STEP_NS).sigma > 0.03


def test_large_images_are_shrunk_and_masks_may_be_smaller() -> None:
    drive = Drive("pinhole", 0.03)
    camera, motion = drive.camera.resized((960, 1280)), MotionSlope()
    for k in range(8):
        image, ground, base = drive.frame(0.9 * k)
        large = cv2.resize(image, (1280, 960), interpolation=cv2.INTER_LINEAR)
        seen = motion.update(large, ground[::2, ::2], camera, MOUNT, GIVEN_PLANE, base, k * STEP_NS)
    assert abs(seen.slope - 0.03) < max(2.5 * seen.sigma, 0.002)


def test_bad_inputs_are_named() -> None:
    drive, motion = Drive("pinhole", 0.0), MotionSlope()
    image, ground, base = drive.frame(0.0)
    with pytest.raises(GroundError, match=r"\(100, 320\).*\(240, 320\)"):
        motion.update(image[:100], ground, drive.camera, MOUNT, GIVEN_PLANE, base, 0)
    with pytest.raises(GroundError, match="below the plane"):
        motion.update(image, ground, drive.camera, MOUNT, GroundPlane(offset=3.0), base, 0)
    up = Pose.from_angles(0, -1.2, 0, np.array([0, 0, 1.4])) @ OPTICAL
    with pytest.raises(GroundError, match="does not see the ground"):
        motion.update(image, ground, drive.camera, up, GIVEN_PLANE, base, 0)
    for wrong in ({"pitch_deg": -1.0}, {"pitch_deg": math.nan}, {"pivot_m": math.inf}):
        with pytest.raises(GroundError, match=next(iter(wrong))):
            MotionSettings(**wrong)


def test_a_belief_spreads_and_narrows() -> None:
    belief = SlopeBelief()
    belief.add(-0.5 * ((SLOPES - 0.02) / 0.004) ** 2)
    mean, sigma = belief.known()
    assert abs(mean - 0.02) < 0.001
    assert 0.003 < sigma < 0.005
    belief.move(1.0, 0.1)
    assert math.isclose(belief.known()[1], math.hypot(0.01, sigma), rel_tol=0.1)
    for _ in range(400):
        belief.move(1.0, 0.1)
    assert belief.known()[1] > 0.035
    for _ in range(5):  # a slope it did not believe in
        belief.add(-0.5 * ((SLOPES + 0.06) / 0.004) ** 2)
    assert abs(belief.known()[0] + 0.06) < 0.002


def test_borders_hold_until_the_vehicle_moves_and_where_no_pose_is_known() -> None:
    drive = Drive("pinhole", 0.03)
    ahead, sources = PlaneAhead(pitch_deg=0.0), []
    for k in range(10):
        image, ground, base = drive.frame(0.9 * k)
        colour = np.repeat(image[..., None], 3, axis=2)
        found = ahead.update(colour, ground, ~ground, drive.camera, MOUNT, GIVEN_PLANE, base, k * STEP_NS)
        sources.append(found.source)
    assert sources[0] == ROAD
    assert sources[-1] == MOTION
    assert abs(found.slope - 0.03) < 0.003
    assert np.allclose(found.plane.normal, tilted(GIVEN_PLANE, MOUNT, found.slope, 1.0).normal)
    found = ahead.update(colour, ground, ~ground, drive.camera, MOUNT, GIVEN_PLANE, base, 10 * STEP_NS)
    assert found.source == MOTION_HELD
    assert "has moved by 0 m" in found.reason
    nothing, (_, _, base) = np.zeros(SIZE, bool), drive.frame(9.0)
    found = ahead.update(colour, nothing, nothing, drive.camera, MOUNT, GIVEN_PLANE, base, 11 * STEP_NS)
    assert found.source == MOTION_HELD
    assert "patches" in found.reason
    found = ahead.update(
        colour, ground, ~ground, drive.camera, MOUNT, GIVEN_PLANE, base, 12 * STEP_NS, np.array([0.4, 0, 0.9])
    )
    assert found.source == GIVEN
    assert "steep" in found.reason
    ahead.reset()
    found = ahead.update(colour, ground, ~ground, drive.camera, MOUNT, GIVEN_PLANE, None, 13 * STEP_NS)
    assert found.source == ROAD


def test_the_slopes_of_a_synthetic_drive_are_found() -> None:
    mount = GroundSettings(slope=0.05, sway=True)
    drive = SyntheticDrive(DriveSettings(ground=mount, size=SIZE, seed=7, fps=10.0, weather="clear"))
    motion, errors, fixed = MotionSlope(MotionSettings(0.0)), [], []
    for k in range(12):
        true = drive.frame(k).ground
        assert true is not None
        image, labels = drive.frame(k).image, drive.frame(k).labels
        seen = motion.update(
            image, labels == labels[-1, SIZE[1] // 2], true.camera, true.pose, GIVEN_PLANE, true.base_in_fixed,
            k * STEP_NS,
        )  # fmt: skip
        slope = -true.plane.normal[0] / true.plane.normal[2]
        errors.append(abs(seen.slope - slope))
        fixed.append(abs(slope))
    assert np.median(errors[5:]) < 0.006
    assert np.median(errors[5:]) < 0.5 * np.median(fixed[5:])


def test_the_warm_up_runs() -> None:
    warm_up()
