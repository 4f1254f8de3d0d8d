"""The closed loop on made-up evidence: what is stopped before, what is a false stop, and which rule is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from trust_seg_ros.evaluation.ground.closed_loop import AGAIN_S, Scene, Standing, braking_way, counts, drive
from trust_seg_ros.evaluation.ground.evidence import DriveEvidence
from trust_seg_ros.evaluation.ground.recording import Stretch
from trust_seg_ros.evaluation.ground.stop_rule import StopRule, Zone
from trust_seg_ros.evaluation.ground.stop_study import (
    VEHICLE,
    chosen,
    every_rule,
    frontier,
    interval,
    judged,
    rate_interval,
)
from trust_seg_ros.evaluation.ground.vehicle import VehicleSettings
from trust_seg_ros.synthetic import DriveSettings
from trust_seg_ros.synthetic.ground_settings import GroundSettings

HZ, SPEED, FRAMES = 10.0, VEHICLE.speed, 80
ZONE = Zone(VEHICLE.front_m, 18.0, 0.9)
RULE = StopRule(ZONE, least_p=0.5, points=3, frames=2, release=5)


def standing(first_m: float, side: float = 0.0, number: int = 7) -> Standing:
    """One thing, half a metre deep and wide, that comes nearer with the speed of the vehicle."""
    near = first_m - SPEED * np.arange(FRAMES) / HZ
    boxes = np.column_stack([near, near + 0.5, np.full(FRAMES, side - 0.25), np.full(FRAMES, side + 0.25)])
    return Standing(np.arange(FRAMES), boxes, np.full(FRAMES, number), np.full(FRAMES, "sofa"))


def seen(there: Standing, from_m: float, p: float = 0.9) -> np.ndarray:
    """Five points at its foot in every frame in which it is nearer than ``from_m``."""
    rows = [
        [frame, box[0], (box[2] + box[3]) / 2, p]
        for frame, box in zip(there.frames, there.boxes, strict=True)
        if 0 < box[0] < from_m
        for _ in range(5)
    ]
    return np.array(rows, np.float32).reshape(-1, 4)


def driven(points: np.ndarray, there: Standing, rule: StopRule = RULE):
    found = counts(points, rule.zone, rule.least_p, FRAMES)
    return drive(found, Scene.of(there, rule.zone, FRAMES), rule, VEHICLE, HZ)


def test_it_stops_before_what_is_seen_in_time() -> None:
    there = standing(50.0)
    found = driven(seen(there, 18.0), there)
    (one,) = found.encounters
    assert one.kind == "sofa"
    assert one.stopped
    assert 17.0 > one.seen_at + VEHICLE.front_m > 15.5  # the second frame in the zone
    assert one.gap == pytest.approx(one.seen_at - VEHICLE.stopping_m)
    assert found.false_stops == 0


@pytest.mark.parametrize(("from_m", "p"), [(9.0, 0.9), (18.0, 0.4), (0.0, 0.9)])
def test_too_late_too_unsure_or_unseen_is_not_stopped_before(from_m: float, p: float) -> None:
    there = standing(50.0)
    found = driven(seen(there, from_m, p), there)
    assert not found.encounters[0].stopped
    assert len(found.encounters) == 1


def test_a_stop_for_nothing_is_false_and_counts_once_while_the_vehicle_recovers() -> None:
    there = standing(500.0)
    ghost = np.array([[frame, 10.0, 0.0, 0.9] for frame in (10, 11, 12, 30, 31, 32) for _ in range(3)], np.float32)
    found = driven(ghost, there)
    assert (found.false_stops, found.encounters) == (1, ())
    assert found.seconds == FRAMES / HZ
    late = np.array([[frame, 10.0, 0.0, 0.9] for frame in (10, 11, 70, 71) for _ in range(3)], np.float32)
    assert (70 - 11) / HZ > AGAIN_S
    assert driven(late, there).false_stops == 2


def test_what_stands_beside_the_lane_is_no_encounter_and_a_stop_for_it_is_right() -> None:
    beside = standing(50.0, side=1.3)
    points = seen(beside, 18.0)
    points[:, 2] = 0.8  # its foot is placed half a metre too far into the lane
    found = driven(points, beside)
    assert (found.encounters, found.false_stops) == ((), 0)
    far = standing(50.0, side=3.0)
    assert driven(points, far).false_stops == 1


def test_the_braking_way_is_that_of_the_vehicle() -> None:
    assert braking_way(VehicleSettings(), HZ) == pytest.approx(VehicleSettings().stopping_m)


def evidence(there: Standing, points: np.ndarray) -> DriveEvidence:
    settings = DriveSettings(ground=GroundSettings())
    return DriveEvidence(Stretch(settings, 0.0, SPEED, HZ, FRAMES), {"a": points}, there)


def test_the_chosen_rule_stops_before_all_with_the_fewest_false_stops() -> None:
    there = standing(50.0)
    ghost = np.array([[5, 12.0, 0.0, 0.9]] * 6, np.float32)  # a single frame of it
    drives = [evidence(there, np.concatenate([ghost, seen(there, 22.0)]))]
    every = every_rule(drives, "a")
    best = chosen(every)
    assert (best.share, best.false[0]) == (1.0, 0)
    assert best.rule.frames > 1 or best.rule.points > 6
    assert any(one.false[0] for one in every)
    edge = frontier(every)
    assert [one.false[0] for one in edge] == sorted({one.false[0] for one in edge})
    again = judged(drives, "a", best.rule)
    assert again.drives == best.drives


def test_intervals_are_those_of_the_tables() -> None:
    assert interval(60, 60) == pytest.approx((0.9404, 1.0), abs=1e-4)
    assert interval(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert rate_interval(0, 10.0) == pytest.approx((0.0, 0.3689), abs=1e-4)
    assert rate_interval(3, 1.0) == pytest.approx((0.6187, 8.7673), abs=1e-4)
