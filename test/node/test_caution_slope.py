import numpy as np
import pytest

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.hazards import HazardMaps
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.plane_filter import tilted
from trust_seg_ros.ground.roles import FLAT, GROUND, IGNORED
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.node.caution_geometry import Placed
from trust_seg_ros.node.caution_slope import SlopeAhead

CAMERA = CameraModel.pinhole((360, 480), 416)
POSE = Pose.from_angles(0, 0.05, 0, np.array([1.6, 0, 1.4])) @ OPTICAL
S = 1_000_000_000
IMAGE = np.zeros((*CAMERA.size, 3), np.uint8)  # nothing that moves: the borders of the road decide


def drawn(slope, kind=0):
    """A road of 7 m with pavements beside it, as the camera sees it on a slope."""
    plane = tilted(GroundPlane(), POSE, slope, 1.0)
    v, u = np.indices(CAMERA.size)
    rays = CAMERA.rays(np.column_stack([u.ravel(), v.ravel()])) @ POSE.rotation.T
    height = plane.above(POSE.translation[None])[0]
    down = -(rays @ plane.normal)
    with np.errstate(divide="ignore", invalid="ignore"):
        places = POSE.translation + rays * (height / down)[:, None]
    seen, y = (down > 0) & (places[:, 0] < 80), np.abs(places[:, 1])
    role = np.where(seen & (y < 3.5), GROUND, np.where(seen & (y < 7.5), FLAT, IGNORED)).astype(np.uint8)
    role, zeros = role.reshape(CAMERA.size), np.zeros(CAMERA.size)
    kinds = np.where(role == GROUND, kind, 0).astype(np.uint8)
    return HazardMaps(role, zeros.astype(np.float32), zeros.astype(np.uint8), kinds)


def placed(up=None):
    return Placed(GroundView(CAMERA, POSE, GroundPlane()), None, up)


@pytest.mark.parametrize("slope", [-0.04, 0.03])
def test_the_plane_is_tilted_by_the_slope_that_the_road_shows(slope):
    found = SlopeAhead().see(IMAGE, drawn(slope), placed(), S)
    true = tilted(GroundPlane(), POSE, slope, 1.0)
    at = np.array([20.0]), np.array([0.0])
    assert abs(found.view.plane.heights(*at) - true.heights(*at))[0] < 0.15
    assert float(found.plane.split(" ")[0]) == pytest.approx(100 * slope, abs=0.6)
    assert found.plane.endswith("% ahead by the borders of the road")


def test_without_a_road_the_given_plane_is_taken_and_the_reason_is_told():
    before = placed()
    found = SlopeAhead().see(IMAGE, drawn(0.03, kind=2), before, S)  # all of it unreliable
    assert found.view is before.view
    assert found.plane.startswith("as given: ")


def test_what_was_seen_is_held_for_a_moment_and_gone_after_a_reset():
    slope = SlopeAhead()
    slope.see(IMAGE, drawn(0.03), placed(), S)
    held = slope.see(IMAGE, drawn(0.03, kind=2), placed(), S + S // 10)
    assert "from frames before" in held.plane
    slope.reset()
    assert slope.see(IMAGE, drawn(0.03, kind=2), placed(), S + S // 5).plane.startswith("as given")


def test_gravity_refuses_a_road_that_is_none():
    up = np.array([np.sin(0.3), 0.0, np.cos(0.3)])
    found = SlopeAhead().see(IMAGE, drawn(0.03), placed(up), S)
    assert "by gravity" in found.plane
