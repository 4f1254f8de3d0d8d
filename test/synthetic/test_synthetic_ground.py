"""Exact depth, poses and footprints of the drive: they agree with each other and with what the pictures show."""

import numpy as np
import pytest

from trust_seg_ros.synthetic import DriveSettings, GroundSettings, SyntheticDrive, SyntheticDriveError
from trust_seg_ros.synthetic.settings import (
    BICYCLIST,
    BUILDING,
    CAR,
    FENCE,
    NO_CLASS,
    PAVEMENT,
    POLE,
    ROAD,
    SKY,
    TREE,
    UNKNOWN_KINDS,
)
from trust_seg_ros.synthetic.unknowns import ANIMALS

SIZE = (180, 240)
STILL = tuple(kind for kind in UNKNOWN_KINDS if kind not in ANIMALS)
CAMERAS = {
    "pinhole60": {"fov_deg": 60.0},
    "pinhole90": {"fov_deg": 90.0, "roll_deg": 2.0},
    "fisheye120": {"lens": "fisheye", "fov_deg": 120.0, "pitch_deg": 5.0},
    "hilly": {"fov_deg": 75.0, "slope": 0.05, "sway": True},
    "hilly_fisheye": {"lens": "fisheye", "fov_deg": 110.0, "slope": 0.05, "sway": True, "roll_deg": -3.0},
}


def drive(camera, **more):
    asked = {"size": SIZE, "seed": 3, "fps": 10.0, "unknown_rate": 5.0, "unknowns": STILL, "objects": True} | more
    return SyntheticDrive(DriveSettings(ground=GroundSettings(**CAMERAS[camera]), **asked))


def places(frame, mask):
    """(n, 3) points in the base that the pixels of ``mask`` show."""
    ground = frame.ground
    rows, columns = np.nonzero(mask)
    rays = ground.camera.rays(np.stack([columns, rows], 1))
    points = rays * (ground.depth[rows, columns] / rays[:, 2])[:, None]
    return ground.pose.apply(points)


def on_road(ground, xy):
    """(n, 2) pixels of places (n, 2) of the base on the ground."""
    points = np.column_stack([xy, ground.plane.heights(xy[:, 0], xy[:, 1])])
    return ground.camera.project(ground.pose.inverse().apply(points))


@pytest.mark.parametrize("camera", CAMERAS)
def test_ground_pixels_lie_on_the_plane_of_the_ground(camera):
    for index in (0, 40, 300):
        frame = drive(camera).frame(index)
        points = places(frame, np.isin(frame.labels, (ROAD, PAVEMENT)))
        assert len(points) > 0.15 * np.prod(SIZE)
        near = points[np.abs(points).max(1) < 100]
        assert np.abs(frame.ground.plane.above(near)).max() < 1e-4


@pytest.mark.parametrize("camera", CAMERAS)
def test_objects_are_where_their_footprints_say(camera):
    seen = 0
    for index in (0, 25, 60, 300):
        frame = drive(camera).frame(index)
        for one in frame.ground.footprints:
            if one.number == 0 or one.kind in ("tree", "lamp", "sign", "light"):  # wider than what they stand on
                continue
            points = places(frame, frame.objects == one.number)
            if len(points) != one.pixels or not one.pixels:
                assert not one.pixels
                continue
            in_pixels = np.abs(points[:, 0]).max() / frame.ground.camera.k[0, 0]
            margin = in_pixels + (0.15 if one.class_id == CAR else 0.03)  # mirrors stick out
            low, high = one.polygon.min(0) - margin, one.polygon.max(0) + margin
            assert (points[:, :2] > low).all(), one
            assert (points[:, :2] < high).all(), one
            heights = frame.ground.plane.above(points)
            assert heights.min() > -0.03 - in_pixels, one
            assert heights.max() < one.height + 0.03 + in_pixels, one
            seen += 1
    assert seen > 15


@pytest.mark.parametrize("camera", CAMERAS)
def test_walls_and_fences_stand_on_their_footprints(camera):
    seen = 0
    for index in (0, 60, 300, 700):
        frame = drive(camera).frame(index)
        ground = frame.ground
        for kind, class_id in (("house", BUILDING), ("fence", FENCE)):
            points = places(frame, (frame.labels == class_id) & np.isfinite(ground.depth))
            margin = 0.1 + np.abs(points).max(1) / ground.camera.k[0, 0]
            points = ground.base_in_fixed.apply(points)
            inside = np.zeros(len(points), bool)
            for one in ground.footprints:
                if one.kind == kind:
                    corners = np.column_stack([one.polygon, ground.plane.heights(*one.polygon.T)])
                    corners = ground.base_in_fixed.apply(corners)[:, :2]
                    beyond = np.maximum(corners.min(0) - points[:, :2], points[:, :2] - corners.max(0)).max(1)
                    inside |= (beyond < margin) & (points[:, 2] < one.height + margin) & (points[:, 2] > -margin)
            assert (~inside).sum() <= 1e-3 * len(inside), kind  # roofs in the distance are lines
            seen += len(points)
    assert seen > 5000


@pytest.mark.parametrize("camera", CAMERAS)
def test_feet_are_drawn_where_footprints_touch_the_ground(camera):
    found = []
    for index in (0, 25, 60, 300):
        frame = drive(camera).frame(index)
        for one in frame.ground.footprints:
            rows, columns = np.nonzero(frame.objects == one.number)
            if (
                one.number == 0
                or one.class_id in (CAR, BICYCLIST)
                or not 3.0 < one.polygon[:, 0].min() < 25.0
                or len(rows) < 12
            ):
                continue
            middle = columns[rows == rows.max()].mean()
            if not 8 < middle < SIZE[1] - 8 or rows.max() > SIZE[0] - 3:
                continue
            below = frame.labels[rows.max() + 1, int(middle)]
            if below not in (ROAD, PAVEMENT):
                continue  # something before it hides its foot
            line = on_road(frame.ground, np.linspace(one.polygon[0], one.polygon[1], 21))
            found.append(rows.max() + 0.5 - line[np.abs(line[:, 0] - middle).argmin(), 1])
    assert len(found) > 12
    assert np.abs(found).max() < 1.3
    assert abs(np.mean(found)) < 0.35


@pytest.mark.parametrize("camera", CAMERAS)
def test_what_stands_has_one_place_in_the_fixed_frame(camera):
    asked, known, seen = drive(camera, traffic=0.5), {}, 0
    for frame in (asked.frame(index) for index in range(200, 216, 3)):
        fixed = frame.ground.base_in_fixed
        for one in frame.ground.footprints:
            shown = frame.objects == one.number
            if one.class_id not in (TREE, POLE, NO_CLASS) or one.number == 0 or shown.sum() < 6:
                continue
            points = fixed.apply(places(frame, shown))
            corners = fixed.apply(np.column_stack([one.polygon, frame.ground.plane.heights(*one.polygon.T)]))
            here = np.array([*np.median(points[:, :1], 0), *corners.mean(0)])
            assert np.abs(known.setdefault(one.number, here) - here).max() < 0.02, one
            seen += 1
    assert seen > 30


def test_the_road_is_where_pose_and_slope_say():
    hilly = drive("hilly")
    slopes = []
    for index in range(0, 400, 20):
        ground = hilly.frame(index).ground
        np.testing.assert_allclose(
            ground.base_in_fixed.apply(np.array([[12.0, -2.0, ground.plane.heights(12.0, -2.0)]]))[:, 2], 0, atol=1e-9
        )
        rise = (ground.plane.heights(30.0, 0.0) - ground.plane.heights(20.0, 0.0)) / 10
        assert rise == pytest.approx(ground.slope, abs=0.008)  # the body sways
        slopes.append(ground.slope)
    assert max(slopes) > 0.025
    assert min(slopes) < -0.025
    assert max(map(abs, slopes)) <= 0.05
    flat = drive("pinhole60").frame(3).ground
    assert flat.slope == 0
    np.testing.assert_allclose(flat.plane.normal, (0, 0, 1), atol=1e-12)


def test_depth_is_infinite_in_the_sky_only_and_positive():
    frame = drive("pinhole90").frame(10)
    assert np.isinf(frame.ground.depth[frame.labels == SKY]).all()
    assert np.isfinite(frame.ground.depth[np.isin(frame.labels, (ROAD, CAR, PAVEMENT, POLE, NO_CLASS))]).all()
    assert frame.ground.depth.min() > 0.5
    assert frame.ground.depth.dtype == np.float32


def test_a_vehicle_steered_as_the_drive_sees_the_same_frames():
    asked = drive("hilly")
    frame = asked.frame(37)
    again = asked.frame_at(3.7, asked.position(3.7), 37)
    np.testing.assert_array_equal(frame.image, again.image)
    np.testing.assert_array_equal(frame.objects, again.objects)


def test_who_brakes_sees_the_others_drive_on():
    asked = drive("pinhole90", traffic=2.0)
    start = asked.position(0.0)
    driven, stopped = ({}, {}), ({}, {})
    for k, time_s in enumerate((2.0, 2.5)):
        for found, s in ((driven, start + 9.0 * time_s), (stopped, start + 10.0)):
            ground = asked.frame_at(time_s, s).ground
            for one in ground.footprints:
                if one.number:
                    corners = np.column_stack([one.polygon, ground.plane.heights(*one.polygon.T)])
                    found[k][one.number] = ground.base_in_fixed.apply(corners)
    moved = 0
    for k in (0, 1):
        common = set(driven[k]) & set(stopped[k])
        assert len(common) > 20
        for number in common:
            np.testing.assert_allclose(driven[k][number], stopped[k][number], atol=1e-6)
    for number in set(stopped[0]) & set(stopped[1]):
        moved += np.abs(stopped[1][number] - stopped[0][number]).max() > 0.5
    assert moved > 2


def path_is_free(frame, half_width=1.0):
    """Whether nothing stands on the first 40 metres of the path of the vehicle."""
    return [
        one
        for one in frame.ground.footprints
        if one.polygon[:, 1].min() < half_width and one.polygon[:, 1].max() > -half_width
        and 0 < one.polygon[:, 0].min() < 40
    ]  # fmt: skip


def test_a_clear_lane_is_clear_but_for_what_is_put_there():
    settings = GroundSettings(clear_lane=True, on_lane=(60.0, 181.5))
    asked = DriveSettings(size=(64, 80), seed=5, traffic=1.5, unknown_rate=6.0, ground=settings)
    cleared = SyntheticDrive(asked)
    met = set()
    for time_s in np.arange(0, 36, 1.7):
        s = 5.0 + 9.0 * time_s
        for one in path_is_free(cleared.frame_at(float(time_s), float(s))):
            assert one.unknown
            met.add(round(s + one.polygon[:, 0].min(), 1))
    assert len(met) >= 2
    assert all(min(abs(at - 60.0), abs(at - 181.5)) < 0.2 for at in met)
    crowded = SyntheticDrive(
        DriveSettings(size=(64, 80), seed=5, traffic=1.5, unknown_rate=6.0, ground=GroundSettings())
    )
    assert any(path_is_free(crowded.frame_at(float(t), 5.0 + 9.0 * float(t))) for t in range(0, 30, 3))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"lens": "tele"}, "tele.*fisheye"),
        ({"fov_deg": 150.0}, "150"),
        ({"height_m": float("nan")}, "nan"),
        ({"slope": 0.5}, r"slope is 0\.5"),
        ({"pitch_deg": "down"}, "down"),
        ({"on_lane": [3.0]}, "expected a tuple"),
        ({"on_lane": (float("inf"),)}, "inf"),
    ],
)
def test_wrong_settings_of_the_ground_are_named(wrong, named):
    with pytest.raises(SyntheticDriveError, match=named):
        GroundSettings(**wrong)


def test_settings_that_do_not_go_together_are_named():
    with pytest.raises(SyntheticDriveError, match=r"cameras is 0\.5"):
        DriveSettings(cameras=0.5, ground=GroundSettings())
    with pytest.raises(SyntheticDriveError, match="unknown_rate=0"):
        DriveSettings(unknowns=(), ground=GroundSettings(on_lane=(50.0,)))
    with pytest.raises(SyntheticDriveError, match="expected GroundSettings"):
        DriveSettings(ground="yes")
    with pytest.raises(SyntheticDriveError, match="take a narrower one"):
        SyntheticDrive(DriveSettings(size=(300, 200), ground=GroundSettings(lens="fisheye", fov_deg=130.0)))
    with pytest.raises(SyntheticDriveError, match="ground=GroundSettings"):
        SyntheticDrive(DriveSettings(size=SIZE)).frame_at(0.0, 10.0)
    with pytest.raises(SyntheticDriveError, match="time_s is -1"):
        drive("pinhole60").frame_at(-1.0, 10.0)
    with pytest.raises(SyntheticDriveError, match="s is nan"):
        drive("pinhole60").frame_at(1.0, float("nan"))
