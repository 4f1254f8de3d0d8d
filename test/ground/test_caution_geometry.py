"""Boxes at known places: where their feet come to lie in the map, and what is never free."""

import numpy as np
import pytest
from ground_scenes import Box, drawn, hidden, looking, of_classes, view_of
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.caution import CautionFrame, CautionMapper, CautionSettings
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.view import GroundView

GRID = (360, 480)
PINHOLE = CameraModel.pinhole(GRID, 415.0)
LARGE = CameraModel.pinhole((1080, 1440), 1245.0)  # judged on a grid of a third
WIDE = CameraModel.pinhole(GRID, 140.0)
FISHEYE = CameraModel.fisheye(GRID, 229.0)
BENT = CameraModel(GRID, PINHOLE.k, np.array([-0.25, 0.06, 0.001, -0.001, 0.0]), "plumb_bob")
CAMERAS = {
    "pinhole": (PINHOLE, looking()),
    "higher": (PINHOLE, looking(0.2, height=2.5)),
    "judged on a third": (LARGE, looking()),
    "wide": (WIDE, looking(0.1)),
    "fisheye": (FISHEYE, looking(0.3)),
    "plumb bob": (BENT, looking(0.1)),
    "rolled": (PINHOLE, looking(0.08, roll=0.3)),
    "on its side": (PINHOLE, looking(0.08, roll=np.pi / 2)),
    "upside down": (PINHOLE, looking(0.08, roll=np.pi)),
    "turned aside": (PINHOLE, looking(yaw=0.7)),
    "fisheye, straight down": (CameraModel.fisheye(GRID, 120.0), looking(np.pi / 2, height=2.0)),
}


def mapped(view: GroundView, boxes: list[Box], **of: float) -> CautionFrame:
    return CautionMapper(CautionSettings(**of)).update(drawn(view, boxes, GRID), view, None, 1)


def ahead_of(pose: Pose, distance: float, size: float = 1.0) -> Box:
    """A box whose near side is ``distance`` metres from the camera, along its view."""
    ahead = pose.rotation @ [0.0, 0.0, 1.0]
    x, y = pose.translation[:2] + distance * ahead[:2] / max(np.linalg.norm(ahead[:2]), 1e-9)
    return Box(x, x + size, y - size / 2, y + size / 2)


@pytest.mark.parametrize("name", CAMERAS)
def test_a_box_is_marked_at_its_foot_and_nothing_behind_it(name: str) -> None:
    camera, pose = CAMERAS[name]
    view = view_of(camera, pose)
    straight_down = name.endswith("down") and "fisheye" in name
    box = Box(4.0, 5.0, -0.5, 0.5, 0.5) if straight_down else ahead_of(pose, 7.0)
    frame = mapped(view, [box])
    marked = frame.centres(np.isfinite(frame.p) & (frame.p > 0.5))
    pixel_m = (49 + view.height**2) / view.height / 200  # on the ground, at that distance; generous for wide lenses
    near = box.holds(marked[:, 0], marked[:, 1], margin=0.2 + pixel_m)
    assert len(marked) >= 4
    assert near.all()
    inside = box.holds(marked[:, 0], marked[:, 1], margin=-0.35)
    assert not inside.any(), "only the sides that are seen"
    certain = [box.shrunk(8 / 200)]  # less a pixel at that distance
    assert not (hidden(view, certain, frame.centres(np.isfinite(frame.p)), before=0.3 + pixel_m)).any()
    free = frame.free_points()
    assert len(free) > 500
    assert not box.holds(free[:, 0], free[:, 1]).any()


@pytest.mark.parametrize("name", CAMERAS)
def test_without_obstacles_free_cells_are_those_in_the_image(name: str) -> None:
    camera, pose = CAMERAS[name]
    view = view_of(camera, pose)
    frame = mapped(view, [])
    places = frame.centres(np.ones(frame.p.shape, bool))
    seen = camera.inside(camera.project(view.pose.inverse().apply(places))).reshape(frame.p.shape)
    distance = np.linalg.norm(places[:, :2] - view.foot[:2], axis=1).reshape(frame.p.shape)
    seen &= distance <= 40
    assert not (frame.free & ~seen).any()
    assert (frame.free & seen).sum() >= 0.85 * seen.sum(), "all but the cells on its border"
    assert len(frame.feet) == 0
    assert not (frame.occupancy > 10).any()


BOXES = st.builds(
    lambda x, y, w, d, h: Box(x, x + d, y - w / 2, y + w / 2, h),
    st.floats(2.5, 35), st.floats(-8, 8), st.floats(0.3, 4), st.floats(0.2, 5), st.floats(0.3, 3),
)  # fmt: skip


@settings(max_examples=25)
@given(
    st.sampled_from([PINHOLE, WIDE, FISHEYE, BENT]),
    st.lists(BOXES, min_size=1, max_size=5),
    st.floats(0.02, 0.4),
    st.floats(-0.4, 0.4),
    st.floats(1.0, 3.0),
)
def test_no_hidden_cell_is_ever_free(
    camera: CameraModel, boxes: list[Box], pitch: float, roll: float, height: float
) -> None:
    if any(box.height > height - 0.1 and box.x0 < 0.5 for box in boxes):
        return
    view = view_of(camera, looking(pitch, roll, height=height))
    free = mapped(view, boxes).free_points()
    distance = np.linalg.norm(free - view.foot, axis=1)
    # less half a pixel of the image, and half a cell
    pixel = 1 / camera.focal[0]
    slack = 0.6 * (distance**2 + height**2) / height * pixel + 0.15
    certain = [box.shrunk(0.75 * pixel * float(np.hypot(box.x1, max(box.y1, -box.y0)))) for box in boxes]
    for place, before in zip(free[hidden(view, certain, free)], slack[hidden(view, certain, free)], strict=True):
        assert not hidden(view, certain, place[None], before).any(), place


def test_ground_behind_a_low_box_is_free_again_and_behind_an_unseen_foot_unknown() -> None:
    view = view_of(PINHOLE, looking(0.2, height=2.0))
    low = Box(6.0, 6.5, -1.0, 1.0, 0.3)
    frame = mapped(view, [low])
    behind = free_at(frame, 12.0, 0.0)
    assert behind
    # the same picture, but what stands below the box is the vehicle's own bonnet: no foot is seen
    maps = drawn(view, [low], GRID)
    classes = maps.classes.copy()
    classes[300:] = 7
    blind = CautionMapper().update(of_classes(classes), view, None, 1)
    assert blind.blind > 0.99
    assert not blind.free.any()
    assert not np.isfinite(blind.p).any()
    aware = CautionMapper(CautionSettings(bonnet_share=60 / 360)).update(of_classes(classes), view, None, 1)
    assert aware.blind == 0.0
    assert free_at(aware, 12.0, 0.0)


def free_at(frame: CautionFrame, x: float, y: float) -> bool:
    """Whether the cell at a place of the map's frame is free."""
    column, row = ((value - start) / frame.resolution for value, start in zip((x, y), frame.origin, strict=True))
    return bool(frame.free[int(row), int(column)])


def test_one_thing_on_top_of_another_has_an_unseen_foot() -> None:
    view = view_of(PINHOLE, looking(0.2, height=2.0))
    maps = drawn(view, [Box(6.0, 6.5, -1.0, 1.0, 0.6)], GRID)
    classes = maps.classes.copy()
    rows = np.flatnonzero(classes[:, 240] == 2)
    classes[: int(rows.mean()) + 1][classes[: int(rows.mean()) + 1] == 2] = 5
    frame = CautionMapper().update(of_classes(classes), view, None, 1)
    assert not free_at(frame, 12.0, 0.0)
    assert frame.feet.class_ids[np.abs(frame.feet.points[:, 1]) < 0.5].tolist().count(5) == 0


@pytest.mark.parametrize("fill", [0, 255, 2], ids=["sky", "unlabelled", "obstacle"])
def test_an_image_without_ground_says_nothing(fill: int) -> None:
    frame = CautionMapper().update(of_classes(np.full(GRID, fill, np.uint8)), view_of(PINHOLE), None, 1)
    assert frame.blind == 1.0
    assert (frame.occupancy == -1).all()
    assert not frame.free.any()
    assert len(frame.feet) == 0


def test_cameras_that_see_no_ground_are_refused() -> None:
    with pytest.raises(GroundError, match="looks up"):
        view_of(PINHOLE, looking(-0.6))
    with pytest.raises(GroundError, match="above the ground"):
        view_of(PINHOLE, looking(height=-0.2))
    with pytest.raises(GroundError, match="above the ground"):
        view_of(PINHOLE, plane=GroundPlane(offset=1.6))
    beyond = view_of(PINHOLE, looking(-0.39, height=1.5))  # its lowest row meets the ground beyond the map
    with pytest.raises(GroundError, match="range of the map"):
        CautionMapper(CautionSettings(range_m=10)).update(drawn(beyond, [], GRID), beyond, None, 1)


def test_a_horizon_above_the_image_only_ends_the_map_earlier() -> None:
    view = view_of(PINHOLE, looking(0.7))
    assert not view.horizon_in_view
    frame = mapped(view, [])
    assert np.linalg.norm(frame.free_points()[:, :2], axis=1).max() == pytest.approx(view.distances[-1], abs=0.5)


def test_a_slope_of_the_ground_moves_the_feet() -> None:
    slope = 0.05
    plane = GroundPlane(np.array([-slope, 0.0, 1.0]))  # rises ahead
    pose = looking(0.1)
    view = GroundView(PINHOLE, pose, plane)
    place = np.array([[12.0, 0.0, 12.0 * slope]])
    row = PINHOLE.project(pose.inverse().apply(place))[0, 1]
    classes = np.full(GRID, 1, np.uint8)
    classes[: int(row)] = 2
    feet = CautionMapper().update(of_classes(classes), view, None, 1).feet
    middle = feet.points[np.abs(feet.points[:, 1]) < 0.2]
    assert np.allclose(middle[:, 0], 12.0, atol=0.4)
    assert np.allclose(plane.above(middle), 0, atol=1e-9)


def test_the_error_of_a_foot_grows_with_the_square_of_the_range() -> None:
    sigma = {d: np.median(mapped(view_of(PINHOLE), [Box(d, d + 2, -1, 1)]).feet.sigma_m) for d in (8.0, 16.0, 32.0)}
    assert 3.2 < sigma[16.0] / sigma[8.0] < 4.5
    assert 3.2 < sigma[32.0] / sigma[16.0] < 4.5


def test_ground_right_before_a_foot_is_free_only_at_a_high_threshold() -> None:
    view = view_of(PINHOLE)
    frame = mapped(view, [Box(25.0, 27.0, -2.0, 2.0)])
    far = {t: frame.centres(frame.free_at(t)) for t in (0.05, 0.2, 0.6)}
    reach = [points[np.abs(points[:, 1]) < 0.5][:, 0].max() for points in far.values()]
    assert reach[0] < reach[1] < reach[2] <= 25.6


def test_the_map_lies_where_the_camera_looks() -> None:
    left = mapped(view_of(PINHOLE, Pose.from_angles(0, 0.05, np.pi / 2, np.array([0, 0.5, 1.5])) @ OPTICAL), [])
    assert left.p.shape == (200, 200)
    assert left.origin == pytest.approx((-20.0, 0.5), abs=0.11)
    assert (left.free_points()[:, 1] > 3).all()
    narrow = mapped(view_of(PINHOLE), [], range_m=30.0, width_m=10.0)
    assert narrow.p.shape == (50, 150)
