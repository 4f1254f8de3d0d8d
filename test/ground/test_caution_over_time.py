"""The caution map from frame to frame: motion, memory, and when it is thrown away."""

from itertools import pairwise

import numpy as np
import pytest
from ground_scenes import Box, drawn, looking, of_classes, view_of

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.caution import CautionFrame, CautionMapper, CautionSettings
from trust_seg_ros.ground.caution_frame import merged
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.hazards import HazardMaps
from trust_seg_ros.ground.placing import Pose

GRID = (180, 240)
CAMERA = CameraModel.pinhole(GRID, 200.0)
VIEW = view_of(CAMERA)
SECOND = 10**9


def at(x: float, y: float = 0.0, yaw: float = 0.0) -> Pose:
    return Pose.from_angles(0, 0, yaw, np.array([x, y, 0.0]))


def seen_from(pose: Pose, box: Box | None) -> HazardMaps:
    """A box that stands still in the fixed frame, seen by a vehicle that only moved along x."""
    x = pose.translation[0]
    return drawn(VIEW, [] if box is None else [Box(box.x0 - x, box.x1 - x, box.y0, box.y1, box.height)], GRID)


def cell(frame: CautionFrame, x: float, y: float) -> tuple[int, int]:
    column, row = ((value - start) / frame.resolution for value, start in zip((x, y), frame.origin, strict=True))
    return int(row), int(column)


def foot_of(frame: CautionFrame) -> tuple[int, int]:
    """The cell of the nearest hazard straight ahead."""
    row = cell(frame, 8.0, 0.1)[0]
    return row, int(np.flatnonzero(frame.p[row] > 0.5)[0])


def test_cells_stay_where_they_are_while_the_vehicle_moves() -> None:
    mapper, box = CautionMapper(), Box(14.0, 15.0, -1.0, 1.0)
    for k in range(12):
        pose = at(0.77 * k)
        frame = mapper.update(seen_from(pose, box), VIEW, pose, SECOND + k * SECOND // 10)
    assert frame.in_fixed
    assert frame.reset == ""
    assert frame.p[cell(frame, 14.1, 0.1)] > 0.7
    # ground that has left the image under the vehicle was seen half a second ago
    assert frame.free[cell(frame, 8.47 + 1.5, 0.3)]
    marked = frame.centres(np.isfinite(frame.p) & (frame.p > 0.5))
    assert box.holds(marked[:, 0], marked[:, 1], margin=0.75).all()
    assert not box.holds(marked[:, 0], marked[:, 1], margin=-0.4).any()


def test_in_the_base_frame_every_frame_stands_alone() -> None:
    mapper = CautionMapper()
    mapper.update(seen_from(at(0), Box(8, 9, -1, 1)), VIEW, None, SECOND)
    frame = mapper.update(seen_from(at(0), None), VIEW, None, SECOND + 1)
    alone = CautionMapper().update(seen_from(at(0), None), VIEW, None, 0)
    assert not frame.in_fixed
    assert np.array_equal(frame.p, alone.p, equal_nan=True)


def test_a_thing_that_appears_is_believed_at_once_and_one_that_goes_only_after_a_while() -> None:
    mapper, there = CautionMapper(), foot_of(CautionMapper().update(seen_from(at(0), Box(8, 9, -1, 1)), VIEW, at(0), 0))
    behind = (there[0], there[1] + 4)
    shown = [False] * 10 + [True] * 3 + [False] * 25
    p, free, free_behind = [], [], []
    for k, thing in enumerate(shown):
        frame = mapper.update(seen_from(at(0), Box(8, 9, -1, 1) if thing else None), VIEW, at(0), k * SECOND // 10)
        p.append(float(frame.p[there]))
        free.append(bool(frame.free[there]))
        free_behind.append(bool(frame.free[behind]))
    assert free[:10] == [True] * 10
    assert p[10] == pytest.approx(0.9, abs=0.01)
    assert free[10:14] == [False] * 4, "not free in the first frame without it either"
    assert free_behind[:14] == [True] * 10 + [False] * 3 + [True], "what it hides is not free while it does"
    assert p[13] < p[12]
    assert free[-1]


def test_what_is_not_seen_any_more_fades_and_is_forgotten() -> None:
    mapper = CautionMapper(CautionSettings(decay_s=1.0))
    first = mapper.update(seen_from(at(0), Box(8, 9, -1, 1)), VIEW, at(0), SECOND)
    foot = first.centres(first.p > 0.5)[0][:2]
    nothing = of_classes(np.full(GRID, 255, np.uint8))
    found = []
    for k in range(1, 40):
        pose = at(
            0 if k == 1 else 6.0
        )  # over the box; what was ground before it lies below the vehicle, out of the image
        frame = mapper.update(nothing, VIEW, pose, SECOND + k * SECOND // 10)
        found.append((frame.p[cell(frame, *foot)], int(frame.free.sum())))
    hazard, free = (np.array(column) for column in zip(*found, strict=True))
    assert (np.diff(hazard[:29]) < 0).all()
    assert 0.5 < hazard[28] < 0.6
    assert np.isnan(hazard[30:]).all()
    assert free[0] == 0, "all of it is in the image, and not seen as ground any more"
    assert free[5] == 0


@pytest.mark.parametrize(
    ("pose", "stamp", "why"),
    [
        (at(0.5), SECOND - 5, "time went back"),
        (at(0.5), 20 * SECOND, "no frame for 19 s"),
        (at(100.0), SECOND + SECOND // 10, "moved 100 m"),
        (at(0.0, yaw=2.0), SECOND + SECOND // 10, "turned"),
        (None, SECOND + 1, "is not known"),
    ],
)
def test_jumps_throw_the_memory_away_and_say_why(pose: Pose | None, stamp: int, why: str) -> None:
    mapper = CautionMapper()
    mapper.update(seen_from(at(0), None), VIEW, at(0), SECOND)
    frame = mapper.update(of_classes(np.full(GRID, 255, np.uint8)), VIEW, pose, stamp)
    assert why in frame.reset
    assert not np.isfinite(frame.p).any()
    again = mapper.update(seen_from(at(0), None), VIEW, pose, stamp + 1)
    assert again.reset == ""


def test_a_mapper_goes_on_from_its_state() -> None:
    mapper, other = CautionMapper(), CautionMapper()
    for k in range(3):
        mapper.update(seen_from(at(k), Box(9, 10, -1, 1)), VIEW, at(k), k * SECOND // 10)
    state = mapper.state()
    one = mapper.update(seen_from(at(3), None), VIEW, at(3), 3 * SECOND // 10)
    other.load_state(state)
    two = other.update(seen_from(at(3), None), VIEW, at(3), 3 * SECOND // 10)
    assert np.array_equal(one.p, two.p, equal_nan=True)
    assert np.array_equal(one.free, two.free)
    mapper.reset()
    assert mapper.state().memory is None


def test_more_cells_are_free_at_a_higher_threshold_and_none_that_was_not_seen() -> None:
    mapper = CautionMapper()
    for k in range(4):
        frame = mapper.update(seen_from(at(k), Box(9, 10, -1, 1)), VIEW, at(k), k * SECOND // 10)
    kept = [frame.free_at(t) for t in (0.0, 0.05, 0.2, 0.5, 0.9, 1.01)]
    assert all((a <= b).all() for a, b in pairwise(kept))
    assert not kept[0].any()
    assert kept[1].any()
    assert np.array_equal(kept[-1], frame.seen)
    assert np.array_equal(frame.free, frame.free_at(frame.free_below))
    assert np.isfinite(frame.p[frame.seen]).all()


def test_the_occupancy_is_the_probability() -> None:
    frame = CautionMapper().update(seen_from(at(0), Box(9, 10, -1, 1)), VIEW, None, 0)
    known = np.isfinite(frame.p)
    assert (frame.occupancy[~known] == -1).all()
    assert np.abs(frame.occupancy[known] - 100 * frame.p[known]).max() <= 0.501


def test_maps_of_two_cameras_become_one_and_a_hazard_in_either_stays() -> None:
    left, right = (view_of(CAMERA, looking(yaw=yaw)) for yaw in (0.4, -0.4))
    box = Box(9, 10, -0.5, 0.5)
    one = CautionMapper().update(drawn(left, [box], GRID), left, at(0), 5)
    two = CautionMapper().update(drawn(right, [], GRID), right, at(0), 6)
    both = merged([one, two])
    spot = one.centres(one.p > 0.5)[0][:2]
    place = cell(both, *spot)
    assert two.free[cell(two, *spot)]
    assert both.p[place] > 0.5
    assert not both.free[place]
    for frame in (one, two):
        for x, y in ((15.0, 9.0), (15.0, -9.0), (12.0, 1.5)):
            if frame.free[cell(frame, x, y)] and (x, abs(y)) != (12.0, 1.5):
                assert both.free[cell(both, x, y)], "seen by one camera only"
    assert both.free.sum() > max(one.free.sum(), two.free.sum())
    assert len(both.feet) == len(one.feet) + len(two.feet)
    assert both.stamp_ns == 6


def test_maps_of_different_frames_are_not_merged() -> None:
    maps = seen_from(at(0), None)
    fixed, base = CautionMapper().update(maps, VIEW, at(0), 1), CautionMapper().update(maps, VIEW, None, 1)
    with pytest.raises(GroundError, match=r"fixed frame.*base frame"):
        merged([fixed, base])
    with pytest.raises(GroundError, match="none"):
        merged([])


@pytest.mark.parametrize(
    ("name", "value"),
    [("range_m", 0.0), ("resolution_m", 2.0), ("decay_s", -1.0), ("free_below", 1.5), ("bonnet_share", 1.0)],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(GroundError, match=name):
        CautionSettings(**{name: value})
    with pytest.raises(GroundError, match=name):
        CautionSettings(**{name: float("nan")})


def test_a_map_of_too_many_cells_is_refused() -> None:
    with pytest.raises(GroundError, match="at most 2000 cells"):
        CautionSettings(range_m=200.0, resolution_m=0.05)
