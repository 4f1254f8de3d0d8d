"""True feet from labels: a made-up scene with a wall that stands and a beam that hangs, and the synthetic drive."""

from __future__ import annotations

import numpy as np
import pytest

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.fitting.hazard_frames import drawn_drives, drawn_frames
from trust_seg_ros.fitting.hazard_truth import (
    PixelRays,
    cells_of,
    feet_by_depth,
    feet_by_plane,
    ground_points,
)
from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.caution import CautionMapper, CautionSettings
from trust_seg_ros.ground.hazards import HazardMaps
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.roles import GROUND, IGNORED, OBSTACLE, ClassRoles
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.synthetic.settings import CLASS_NAMES

HEIGHT_M, WALL_M, BEAM_M = 1.5, 12.0, 6.0
SIZE = (120, 160)
CAMERA = CameraModel.pinhole(SIZE, 100.0)
POSE = Pose.from_angles(0.0, 0.1, 0.0, np.array([1.0, 0.0, HEIGHT_M])) @ OPTICAL
VIEW = GroundView(CAMERA, POSE, GroundPlane())


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray, PixelRays]:
    """(role, depth, rays): ground; on the left a wall at 12 m; on the right a beam at 6 m, 0.4 m above the ground."""
    rays = PixelRays(CAMERA)
    directions = rays.ahead.reshape(-1, 3).astype(np.float64) @ POSE.rotation.T
    with np.errstate(divide="ignore"):
        ground = np.where(directions[:, 2] < -1e-6, -HEIGHT_M / directions[:, 2], np.inf)
    role, depth = np.where(np.isfinite(ground), GROUND, IGNORED).astype(np.uint8), ground.copy()
    left = np.tile(np.arange(SIZE[1]) < SIZE[1] // 2, SIZE[0])
    for at, side, low, high in ((WALL_M, left, 0.0, 3.0), (BEAM_M, ~left, 0.4, 1.2)):
        far = at / directions[:, 0]
        z = HEIGHT_M + far * directions[:, 2]
        hit = side & (z >= low) & (z <= high) & (far < ground)
        role[hit], depth[hit] = OBSTACLE, far[hit]
    return role.reshape(SIZE), depth.reshape(SIZE), rays


def test_feet_by_depth_stand_on_the_ground_and_what_hangs_has_none(scene) -> None:
    role, depth, rays = scene
    feet = feet_by_depth(role, depth, rays, POSE)
    assert len(feet) == SIZE[1] // 2  # one for each column of the wall, none of the beam
    assert feet.points[:, 0] == pytest.approx(1.0 + WALL_M)
    assert (feet.points[:, 2] < 0.3).all()
    assert (feet.pixels[:, 1] < SIZE[1] // 2).all()


def test_feet_by_the_plane_are_where_rays_meet_it(scene) -> None:
    role, _, _ = scene
    feet = feet_by_plane(role, VIEW)
    wall = feet.points[feet.pixels[:, 1] < SIZE[1] // 2]
    assert wall[:, 0] == pytest.approx(1.0 + WALL_M, rel=0.05)
    assert np.allclose(feet.points[:, 2], 0.0)
    assert len(feet) == SIZE[1]  # without depth nobody can know that the beam hangs
    assert len(feet.within(VIEW, 5.0)) == 0


def test_ground_points_lie_on_the_ground(scene) -> None:
    role, depth, rays = scene
    found = ground_points(role, depth, rays, POSE)
    assert len(found) == np.count_nonzero(role == GROUND)
    assert np.abs(found.points[:, 2]).max() < 1e-3


def test_cells_are_those_of_the_map_in_its_frame(scene) -> None:
    role, depth, rays = scene
    base_in_fixed = Pose.from_angles(0.0, 0.0, 0.5, np.array([100.0, -7.0, 0.0]))
    maps = HazardMaps(role, np.zeros(SIZE, np.float32), role, (role == OBSTACLE).astype(np.uint8))
    points = feet_by_depth(role, depth, rays, POSE).points
    for place in (None, base_in_fixed):
        frame = CautionMapper(CautionSettings(range_m=20.0, width_m=20.0)).update(maps, VIEW, place, 1)
        cells = cells_of(points, frame, place)
        assert cells.any()
        centres = frame.centres(cells)
        in_base = centres if place is None else place.inverse().apply(centres)
        apart = np.linalg.norm(in_base[:, None, :2] - points[None, :, :2], axis=2).min(1)
        assert apart.max() <= frame.resolution


def test_drawn_drives_are_frames_with_feet_and_another_network_is_refused() -> None:
    drives = drawn_drives("synthetic:seeds=5-6:fov=80:size=160x120:hz=5:seconds=0.4")
    assert drives.frames == 4
    roles = ClassRoles.of(CLASS_NAMES)
    found = list(drawn_frames(drives, CLASS_NAMES, roles))
    assert [(one.unit, one.begins) for one in found] == [
        ("seed 5", True), ("seed 5", False), ("seed 6", True), ("seed 6", False),
    ]  # fmt: skip
    assert all(len(one.feet) > 10 for one in found)
    assert found[1].frame.stamp_ns - found[0].frame.stamp_ns == 200_000_000
    near = found[0].feet.within(found[0].view, 30.0).points
    assert np.abs(found[0].view.plane.above(near)).max() < 1.0
    with pytest.raises(DatasetError, match="the network has road, sky"):
        next(iter(drawn_frames(drives, ("road", "sky"), roles)))
