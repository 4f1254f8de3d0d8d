"""Tests whether conformal risk control keeps its promise, on random splits of images into calibration and test.

With the images held fixed and the split drawn at random, a test image and the calibration images are exchangeable,
whatever the images: the expectation over splits of the mean test loss is at most alpha, exactly. So the mean over many
splits may exceed alpha by no more than its standard error allows; if it does, the method has a bug.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.thresholds.curves import CurveError, check_images, controlled


@dataclass(frozen=True, eq=False)
class SimulatedRisk:
    """Results of one alpha in every split.

    Attributes:
        alpha: the requested risk.
        thresholds: (s,) float64, of each split; -inf: everything is flagged; NaN: refused, because no threshold was
            good enough.
        risk: (s,) float64, mean loss of the test images; NaN where refused.
        cost: (s,) float64, mean cost of flagging (the share of the image that is flagged); NaN where not given, or
            refused.
    """

    alpha: float
    thresholds: np.ndarray
    risk: np.ndarray
    cost: np.ndarray

    @property
    def refused(self) -> float:
        """Share of the splits without a threshold."""
        return float(np.isnan(self.risk).mean())

    @property
    def mean(self) -> float:
        """Mean test risk over the splits that have a threshold; NaN where none has."""
        return float(np.nanmean(self.risk)) if self.refused < 1.0 else math.nan

    @property
    def promised(self) -> float:
        """Mean over all splits, counting a refused split as 0: at most alpha for any data.

        The mean over the other splits alone (``mean``) is the same unless some were refused. Then it may exceed alpha:
        only the splits with lucky calibration images get a threshold.
        """
        return float(np.nan_to_num(self.risk).mean())

    @property
    def standard_error(self) -> float:
        """Standard error of ``promised``, from the scatter of the splits; NaN with one split."""
        risk = np.nan_to_num(self.risk)
        return float(risk.std(ddof=1) / math.sqrt(len(risk))) if len(risk) > 1 else math.nan

    @property
    def excess(self) -> float:
        """Number of standard errors by which ``promised`` exceeds alpha; negative below."""
        distance = self.promised - self.alpha
        return distance / self.standard_error if self.standard_error > 0 else math.copysign(math.inf, distance)

    @property
    def kept(self) -> bool:
        """Whether ``promised`` is at most alpha, within two standard errors."""
        return self.excess <= 2.0


def conformal_simulation(
    losses: np.ndarray,
    thresholds: np.ndarray,
    alphas: Sequence[float],
    splits: int = 1000,
    n_calibration: int | None = None,
    seed: int = 0,
    *,
    cost: np.ndarray | None = None,
    corrected: bool = True,
) -> tuple[SimulatedRisk, ...]:
    """Calibrate on a random part of the images and measure the loss on the others, many times.

    Args:
        losses: (n, k) float64 in [0, 1], of each image at each threshold, rising with it.
        thresholds: (k,) ascending. As in ``RiskCurve``, a first one of -inf holds the loss with everything flagged,
            which else is 0.
        alphas: requested risks, in (0, 1).
        splits: how many, >= 1.
        n_calibration: images of the calibration part, 1 .. n - 1; None: half of them.
        seed: of the splits; all alphas see the same.
        cost: (n, k) of each image at each threshold, falling with it, e.g. the share that is flagged; where -inf is not
            among the thresholds, everything flagged costs 1.
        corrected: False to leave out the correction of conformal risk control, to show what it is good for.

    Returns:
        One for each alpha.

    Raises:
        CurveError: shapes or numbers do not fit.
        TooFewImagesError: too few calibration images for an alpha.
    """
    losses, thresholds, cost = _with_everything_flagged(losses, thresholds, cost)
    n = len(losses)
    part = n // 2 if n_calibration is None else n_calibration
    if not 1 <= part < n or splits < 1:
        raise CurveError(f"{part} of {n} images to calibrate, {splits} splits: expected 1 to {n - 1}, at least 1 split")
    rng = np.random.default_rng(seed)
    places = rng.permuted(np.broadcast_to(np.arange(n), (splits, n)), axis=1)
    chosen = (places < part).astype(np.float64)  # every row has ``part`` ones
    risk = chosen @ losses / part
    found = []
    for alpha in alphas:
        check_images(alpha, part)
        good = controlled(risk, alpha, part) if corrected else risk <= alpha
        last = losses.shape[1] - 1 - good[:, ::-1].argmax(axis=1)
        refused = ~good.any(axis=1)
        test = 1.0 - chosen
        values = [np.einsum("sn,ns->s", test, table[:, last]) / (n - part) for table in (losses, cost)]
        found.append(SimulatedRisk(alpha, *(np.where(refused, np.nan, v) for v in (thresholds[last], *values))))
    return tuple(found)


def _with_everything_flagged(
    losses: np.ndarray, thresholds: np.ndarray, cost: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tables with -inf as their first threshold."""
    losses, thresholds = np.asarray(losses, np.float64), np.asarray(thresholds, np.float64)
    if losses.ndim != 2 or thresholds.shape != losses.shape[1:] or not losses.size:
        raise CurveError(f"losses {losses.shape} at thresholds {thresholds.shape}: expected (n, k) and (k,)")
    if not ((losses >= 0) & (losses <= 1)).all() or (np.diff(losses) < 0).any() or not (np.diff(thresholds) > 0).all():
        raise CurveError("losses: expected numbers from 0 to 1 that rise with ascending thresholds")
    cost = np.full(losses.shape, np.nan) if cost is None else np.asarray(cost, np.float64)
    if cost.shape != losses.shape:
        raise CurveError(f"cost {cost.shape}: expected {losses.shape}, as losses")
    if thresholds[0] > -math.inf:
        first = np.zeros((len(losses), 1))
        losses, cost = np.hstack([first, losses]), np.hstack([first + 1.0, cost])
        thresholds = np.append(-math.inf, thresholds)
    return losses, thresholds, cost
