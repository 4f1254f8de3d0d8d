"""The slope of the road ahead against the given plane, from the borders of the road.

On a road ``z = -h + t x`` (frame and p, q of ``road_borders``) a point at depression q is at the distance
``x = h / (q + t)``. A border ``y = h a + b x + C x² / 2`` is therefore seen at

    p = a (q + t) + b + c / (q + t),    c = C h / 2,

with the heading b of the road and its curvature C the same for both borders: on a straight road they are two lines that
meet at its horizon ``q = -t`` (the vanishing point of Caprile and Torre 1990). Where parked cars hide a border, their
row is one of its own, much less straight. The numbers are fitted to the border points by Gauss-Newton steps with
Tukey's weights, from what was known before: an iterated extended Kalman filter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.road_borders import LEFT, LEFT_HIDDEN, RIGHT, RIGHT_HIDDEN, STEEPEST, BorderPoints
from trust_seg_ros.ground.road_kernels import normal_equations

HEADING, BEND, SLOPE = range(4, 7)
"""Places of these numbers in a state; the four borders come before them."""
SIZE = 7

_LEAST_POINTS = 6  # of each border, where nothing was known before
_LEAST_SHARE = 0.5
_CUT = 3.0
_STEPS, _WIDE_STEPS = 6, 2
_CLOSE = 2e-5  # of the slope, from one step to the next
_NEAREST_HORIZON = 0.025  # q + t below which nothing is used: beyond 56 m for a camera at 1.4 m
_BORDER_PX = 1.0  # how well a border is found, pixels
_WAVY = np.array([0.08, 0.08, 0.5, 0.5])  # how straight each border is, in heights of the camera
_COUNTS = np.array([1.0, 1.0, 0.1, 0.1])
_ALIKE = np.array([4.0, 4.0, 60.0, 60.0])  # neighbouring points deviate alike: so many count as one
_PAIRS = 60
_SHIFTED_PX = 1.5  # by how much a network draws all far borders too high or too low
_LEAST_SIGMA = 0.0015  # no road is flatter and no border straighter than that
_PER_ASTRAY = 0.06  # for the share of open borders that do not fit: where width or direction of the road change


@dataclass(frozen=True, eq=False)
class RoadState:
    """What is known of the road ahead.

    Attributes:
        mean: (7,) places of the four borders to the left in heights of the camera, heading b, bend c, slope t.
        covariance: (7, 7).
        share: part of the border points that agree with it; 1 where it was not fitted.
        points: how many there were.
    """

    mean: np.ndarray
    covariance: np.ndarray
    share: float = 1.0
    points: int = 0

    @property
    def slope(self) -> float:
        """Rise of the road per metre ahead, against the given plane."""
        return float(self.mean[SLOPE])

    @property
    def sigma(self) -> float:
        """Standard deviation of the slope."""
        return float(np.sqrt(self.covariance[SLOPE, SLOPE]))


def unknown_road() -> RoadState:
    """Before the first image: some road of some width, more or less ahead, more or less level."""
    spread = np.array([3.0, 3.0, 3.0, 3.0, 0.15, 0.006, 0.04])
    return RoadState(np.array([2.5, -2.5, 2.0, -2.0, 0.0, 0.0, 0.0]), np.diag(spread**2))


def fit_road(points: BorderPoints, before: RoadState, pixel: float, fresh: bool) -> RoadState | str:
    """What the border points add to what was known.

    Args:
        points: of one image.
        before: what was known.
        pixel: size of a pixel in p and q.
        fresh: start from two lines through the points, not from what was known: for a first image.

    Returns:
        The road, or why these points show none.
    """
    start = before.mean
    if fresh:
        lines = _two_lines(points, pixel)
        if isinstance(lines, str):
            return lines
        start = lines
    return _fit(points, start, before, pixel)


def _fit(points: BorderPoints, start: np.ndarray, before: RoadState, pixel: float) -> RoadState | str:
    known = np.linalg.inv(before.covariance)
    mean, used = start, np.empty(len(points.q), bool)
    for step in range(_STEPS):
        information, gradient = known.copy(), known @ (before.mean - mean)
        cut = _CUT * (2.0 if step < _WIDE_STEPS else 1.0)  # the first steps may come from afar
        normal_equations(
            points.q, points.p, points.border, mean, _BORDER_PX * pixel, _WAVY, _ALIKE, _NEAREST_HORIZON, cut,
            information, gradient, used,
        )  # fmt: skip
        change = np.linalg.solve(information, gradient)
        mean = mean + change
        if step >= _WIDE_STEPS and abs(change[SLOPE]) < _CLOSE:
            break
    counts = _COUNTS[points.border]
    share = float(counts[used].sum() / counts.sum())
    if share < _LEAST_SHARE:
        return f"{share:.0%} of the road's borders fit one slope, at least {_LEAST_SHARE:.0%} expected: a junction?"
    if abs(mean[SLOPE]) > STEEPEST or mean[LEFT] - mean[RIGHT] < 0.5:
        return "the borders of the road do not meet at a horizon"
    covariance = np.linalg.inv(information)
    firm = (points.border < LEFT_HIDDEN) & (points.q + mean[SLOPE] > _NEAREST_HORIZON)
    astray = float((firm & ~used).sum() / max(firm.sum(), 1))
    covariance[SLOPE, SLOPE] += _LEAST_SIGMA**2 + (_SHIFTED_PX * pixel) ** 2 + (_PER_ASTRAY * astray) ** 2
    return RoadState(mean, covariance, share, len(used))


def _two_lines(points: BorderPoints, pixel: float) -> np.ndarray | str:
    """A start from nothing: the two borders as straight lines, and where they meet."""
    fitted = []
    number = np.bincount(points.border, minlength=4)
    for name, open_border, hidden in (("left", LEFT, LEFT_HIDDEN), ("right", RIGHT, RIGHT_HIDDEN)):
        which = open_border if number[open_border] >= max(_LEAST_POINTS, number[hidden] // 3) else hidden
        if number[which] < _LEAST_POINTS:
            few = int(number[which])
            return f"the {name} border of the road is seen at {few} distances, at least {_LEAST_POINTS} expected"
        side = points.border == which
        line = _best_line(points.q[side], points.p[side], 2 * _BORDER_PX * pixel)
        if line is None:
            return "the borders of the road are not straight"
        fitted.append(line)
    (at_left, left), (at_right, right) = fitted
    if left - right < 0.5:
        return "the borders of the road do not meet at a horizon"
    slope = (at_left - at_right) / (left - right)
    if abs(slope) > STEEPEST:
        return f"the borders of the road meet at a slope of {slope:.0%}: at most {STEEPEST:.0%} expected"
    return np.array([left, right, left, right, at_left - left * slope, 0.0, slope])


def _best_line(q: np.ndarray, p: np.ndarray, close: float) -> tuple[float, float] | None:
    """Of many pairs of points the line ``p = a + b q`` that most points are close to."""
    n = len(q)
    first = np.arange(_PAIRS) * 7919 % n
    second = (first + max(n // 4, 1) + np.arange(_PAIRS) * 104729 % max(n // 2, 1)) % n
    with np.errstate(divide="ignore", invalid="ignore"):
        b = (p[second] - p[first]) / (q[second] - q[first])
    a = p[first] - b * q[first]
    fine = np.isfinite(a)
    if not fine.any():
        return None
    a, b = a[fine], b[fine]
    far = np.abs(p - a[:, None] - b[:, None] * q) / close
    best = int(np.minimum(far, 2.0).sum(axis=1).argmin())
    return float(a[best]), float(b[best])
