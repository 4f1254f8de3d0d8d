"""Stops before unknown objects on the lane: rules are chosen on some drives and judged on others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.stats import beta, chi2

from trust_seg_ros.evaluation.ground.closed_loop import Drive, Scene, counts, drive, false_rate, stop_share
from trust_seg_ros.evaluation.ground.evidence import DriveEvidence
from trust_seg_ros.evaluation.ground.stop_rule import StopRule, Zone
from trust_seg_ros.evaluation.ground.vehicle import VehicleSettings
from trust_seg_ros.synthetic.ground_settings import FRONT_AXLE_M

FRONT_M = FRONT_AXLE_M + 0.9
"""The front bumper ahead of the rear axle, where the base frame has its origin."""
VEHICLE = VehicleSettings(front_m=FRONT_M)
ENDS_M, HALF_WIDTHS_M = (15.0, 17.0, 19.0, 21.0), (0.8, 0.9, 1.1)
LEAST_P, POINTS, FRAMES = (0.3, 0.5, 0.7, 0.9), (2, 4, 8, 16, 32), (1, 2, 3, 4)
WANTED = 0.95


@dataclass(frozen=True)
class Judged:
    """One variant with one rule on some drives.

    Attributes:
        rule: when it stops.
        drives: what happened.
    """

    rule: StopRule
    drives: tuple[Drive, ...]

    @property
    def stopped(self) -> tuple[int, int]:
        """Objects stopped before, and objects."""
        return stop_share(self.drives)

    @property
    def share(self) -> float:
        """Share of the objects stopped before."""
        stopped, every = self.stopped
        return stopped / every if every else float("nan")

    @property
    def false(self) -> tuple[int, float]:
        """False stops, and minutes."""
        return false_rate(self.drives)

    @property
    def false_per_ten(self) -> float:
        """False stops in ten minutes."""
        stops, minutes = self.false
        return 10 * stops / minutes if minutes else float("nan")

    @property
    def gaps(self) -> np.ndarray:
        """Metres left before the objects that were stopped before."""
        return np.array([one.gap for drive in self.drives for one in drive.encounters if one.stopped])


def rules() -> Iterator[StopRule]:
    """All rules that are compared."""
    for end, half, p, points, frames in product(ENDS_M, HALF_WIDTHS_M, LEAST_P, POINTS, FRAMES):
        yield StopRule(Zone(FRONT_M, end, half), p, points, frames)


def judged(drives: Sequence[DriveEvidence], variant: str, rule: StopRule) -> Judged:
    """One variant with one rule on some drives."""
    return next(iter(_judged(drives, variant, [rule])))


def every_rule(drives: Sequence[DriveEvidence], variant: str) -> list[Judged]:
    """One variant with every rule on some drives."""
    return list(_judged(drives, variant, list(rules())))


def chosen(every: Sequence[Judged]) -> Judged:
    """The rule with the fewest false stops among those that stop before ``WANTED`` of the objects.

    Where no rule does, among those that stop before the most. Of several the one that leaves most room before the
    tenth of the objects with least.
    """
    enough = min(WANTED, max(one.share for one in every))
    return min((one for one in every if one.share >= enough), key=lambda one: (one.false[0], -_room(one)))


def frontier(every: Sequence[Judged]) -> list[Judged]:
    """Rules that no other one beats in both: fewer false stops, and a larger share stopped before."""
    found: list[Judged] = []
    for one in sorted(every, key=lambda one: (one.false[0], -one.share)):
        if not found or one.share > found[-1].share:
            found.append(one)
    return found


def _judged(drives: Sequence[DriveEvidence], variant: str, some: Sequence[StopRule]) -> Iterator[Judged]:
    """In the order of the rules, which share what depends on zone and probability alone."""
    scenes: dict[Zone, list[Scene]] = {}
    numbers: dict[tuple[Zone, float], list[np.ndarray]] = {}
    for rule in some:
        zone, key = rule.zone, (rule.zone, rule.least_p)
        if zone not in scenes:
            scenes[zone] = [Scene.of(one.standing, zone, one.stretch.frames) for one in drives]
        if key not in numbers:
            numbers[key] = [counts(one.points[variant], zone, rule.least_p, one.stretch.frames) for one in drives]
        parts = zip(drives, numbers[key], scenes[zone], strict=True)
        yield Judged(rule, tuple(drive(n, scene, rule, VEHICLE, one.stretch.hz) for one, n, scene in parts))


def interval(part: int, whole: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a share."""
    if whole == 0:
        return math.nan, math.nan
    low = float(beta.ppf((1 - level) / 2, part, whole - part + 1)) if part else 0.0
    high = float(beta.ppf((1 + level) / 2, part + 1, whole - part)) if part < whole else 1.0
    return low, high


def rate_interval(events: int, time: float, level: float = 0.95) -> tuple[float, float]:
    """Exact Poisson interval of a rate."""
    if time <= 0:
        return math.nan, math.nan
    low = float(chi2.ppf((1 - level) / 2, 2 * events)) / 2 if events else 0.0
    return low / time, float(chi2.ppf((1 + level) / 2, 2 * events + 2)) / 2 / time


def _room(one: Judged) -> float:
    gaps = [encounter.gap for drive in one.drives for encounter in drive.encounters]
    return float(np.quantile(np.nan_to_num(gaps, neginf=-50.0), 0.1)) if gaps else 0.0
