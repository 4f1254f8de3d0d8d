"""Without a place of the vehicle every frame stands alone: what an earlier frame saw moved with the vehicle."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.caution import CautionMapper
from trust_seg_ros.ground.hazards import AN_OBSTACLE, HazardMaps
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.roles import GROUND, IGNORED, OBSTACLE
from trust_seg_ros.ground.view import GroundView

SIZE = (90, 120)
VIEW = GroundView(CameraModel.pinhole(SIZE, 100.0), Pose(OPTICAL.rotation, np.array([0, 0, 1.4])), GroundPlane())


def road(box: bool) -> HazardMaps:
    role = np.full(SIZE, GROUND, np.uint8)
    role[: SIZE[0] // 2] = IGNORED
    kind, p = np.zeros(SIZE, np.uint8), np.full(SIZE, 0.02, np.float32)
    if box:
        role[40:60, 50:70], kind[40:60, 50:70], p[40:60, 50:70] = OBSTACLE, AN_OBSTACLE, 0.9
    return HazardMaps(role, p, np.zeros(SIZE, np.uint8), kind)


def test_without_a_place_nothing_is_remembered() -> None:
    mapper = CautionMapper()
    first = mapper.update(road(box=True), VIEW, None, 10**9)
    second = mapper.update(road(box=False), VIEW, None, 2 * 10**9)
    alone = CautionMapper().update(road(box=False), VIEW, None, 2 * 10**9)
    assert (first.p > 0.5).any()
    assert np.array_equal(second.p, alone.p, equal_nan=True)


def test_with_a_place_it_is() -> None:
    mapper = CautionMapper()
    mapper.update(road(box=True), VIEW, Pose(), 10**9)
    second = mapper.update(road(box=False), VIEW, Pose(), 2 * 10**9)
    alone = CautionMapper().update(road(box=False), VIEW, Pose(), 2 * 10**9)
    assert not np.array_equal(second.p, alone.p, equal_nan=True)
