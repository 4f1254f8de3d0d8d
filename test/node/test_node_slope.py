"""The slope of the road ahead as the node follows it: by motion where the vehicle's place is known."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")

from trust_seg_ros.ground.hazards import HazardMaps
from trust_seg_ros.ground.placing import GroundPlane
from trust_seg_ros.ground.roles import ClassRoles
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.node.caution_geometry import Placed
from trust_seg_ros.node.caution_slope import SlopeAhead
from trust_seg_ros.synthetic import CLASS_NAMES, DriveSettings, GroundSettings, SyntheticDrive

pytestmark = pytest.mark.ros
SIZE = (240, 320)


def follow(known: bool) -> tuple[list[Placed], list[float]]:
    mount = GroundSettings(fov_deg=60.0, slope=0.05)
    drive, slope = (
        SyntheticDrive(DriveSettings(ground=mount, size=SIZE, seed=7, fps=10.0, weather="clear")),
        SlopeAhead(),
    )
    placed, true_slopes = [], []
    for k in range(12):
        frame = drive.frame(k)
        true, role = frame.ground, ClassRoles.of(CLASS_NAMES).table[frame.labels]
        maps = HazardMaps(role, np.full(SIZE, 0.02, np.float32), frame.labels, np.zeros(SIZE, np.uint8))
        view = GroundView(true.camera, true.pose, GroundPlane())
        given = Placed(view, true.base_in_fixed if known else None)
        placed.append(slope.see(frame.image, maps, given, k * 100_000_000))
        true_slopes.append(-true.plane.normal[0] / true.plane.normal[2])
    return placed, true_slopes


def test_motion_tilts_the_plane_and_is_named() -> None:
    placed, true = follow(known=True)
    assert "by motion" in placed[-1].plane
    normal = placed[-1].view.plane.normal
    assert abs(-normal[0] / normal[2] - true[-1]) < 0.01


def test_without_a_place_of_the_vehicle_borders_count() -> None:
    placed, _ = follow(known=False)
    assert not any("motion" in one.plane for one in placed)
    assert any("by the borders of the road" in one.plane for one in placed)
