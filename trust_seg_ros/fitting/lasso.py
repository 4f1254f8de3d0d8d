"""L1-penalised logistic regression along a path of penalties (MetaSeg, Rottmann et al., Fig. 4).

Minimises, for every λ, the mean log-loss + λ·‖w‖₁ over coefficients w of standardised metrics and an intercept that is
not penalised: the objective of Friedman, Hastie, Tibshirani, Journal of Statistical Software 33 (2010).
scikit-learn's ``C`` is 1/(n·λ).

The loss is replaced by its quadratic approximation at the present point, that is minimised by cyclic coordinate
descent, with linear equations where it creeps, and a step towards the minimum is taken, halved until the objective
falls. Each λ starts from the solution of the one before, with the metrics that the strong rule (Tibshirani et al.,
J. R. Stat. Soc. B 74, 2012) does not rule out; those it was wrong about are added until the conditions of optimality
hold for all. What costs is the Gram matrix of the approximation, so it is made of these metrics only.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.support.jit import jit

LAMBDAS = np.geomspace(0.5, 1e-5, 50)
"""Default path. At λ = 0.5 all coefficients are 0: the gradient is a covariance of a standardised metric with a
0/1 target, never above 0.5. So the path does not depend on the data, and runs can be averaged at equal λ."""
TOLERANCE = 1e-7
"""How far, in units of the gradient, the conditions of optimality may be from being met."""
_ROUNDS = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LassoPath:
    """The classifiers of a path.

    Attributes:
        lambdas: (k,) penalties, falling.
        coefficients: (k, m) of the standardised metrics.
        intercepts: (k,).
    """

    lambdas: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray

    def logits(self, x: np.ndarray) -> np.ndarray:
        """(k, n) log-odds of every model for standardised metrics (n, m)."""
        return self.coefficients @ x.T + self.intercepts[:, None]


def lasso_path(x: np.ndarray, positive: np.ndarray, lambdas: np.ndarray = LAMBDAS) -> LassoPath:
    """Coefficients for every λ, to within :data:`TOLERANCE` of the conditions of optimality.

    Of metrics that are the same but for scale and sign, as S_rel and S_in_rel = S_rel - 1 are, the first has the
    coefficient and the others 0; any division among them would be as good.

    Args:
        x: (n, m) metrics, standardised with statistics of these rows.
        positive: (n,) bool, both kinds present.
        lambdas: (k,) positive penalties, falling (each start is the one before).

    Raises:
        MetaModelError: one kind only, penalties that are not positive and falling, or metrics that are not finite.
    """
    lambdas, y = np.asarray(lambdas, np.float64), np.asarray(positive, np.float64)
    _check(x, y, lambdas)
    m = x.shape[1]
    rows = np.empty((m + 1, len(x)))  # metrics as rows, each in one piece, and the 1 of the intercept
    rows[:m], rows[m] = x.T, 1.0
    solver = _Solver(rows, y)
    found = np.empty((len(lambdas), m + 1))
    before = np.abs(solver.gradient[:m]).max(initial=lambdas[0])  # at no coefficient but the intercept
    for k, penalty in enumerate(lambdas):
        left = solver.minimise(penalty, np.abs(solver.gradient) >= 2 * penalty - before)
        if left > 100 * TOLERANCE:
            _log.warning("LASSO at λ = %.3g: not converged, the conditions of optimality are %.1g off", penalty, left)
        found[k], before = solver.weights, penalty
    return LassoPath(lambdas, found[:, :m].copy(), found[:, m].copy())


def _check(x: np.ndarray, y: np.ndarray, lambdas: np.ndarray) -> None:
    if y.all() or not y.any():
        raise MetaModelError(f"{int(y.sum())} of {len(y)} segments are positive; a classifier needs both kinds")
    if not lambdas.size or not (lambdas > 0).all() or not (np.diff(lambdas) < 0).all():
        raise MetaModelError(f"penalties {lambdas.tolist()}; expected at least one, positive and falling")
    if not np.isfinite(x).all():
        raise MetaModelError("metrics hold values that are not finite; leave these segments or metrics out")


def objective(design: np.ndarray, y: np.ndarray, weights: np.ndarray, penalties: np.ndarray) -> float:
    """Mean log-loss + Σ penalty·|weight|; (n, m), (n,) 0 or 1, (m,), (m,)."""
    logits = design @ weights
    return float((np.logaddexp(0.0, logits) - y * logits).mean() + penalties @ np.abs(weights))


class _Solver:
    """Where the descent is; the intercept is the last weight, its row all 1.

    Attributes:
        weights: (m + 1,).
        gradient: (m + 1,) of the mean log-loss there.
    """

    def __init__(self, rows: np.ndarray, y: np.ndarray) -> None:
        self._rows, self._y = rows, y
        self._repeated = _repeated(rows)
        self._space = np.empty_like(rows)
        self.weights = np.zeros(len(rows))
        self.weights[-1] = np.log(y.mean() / (1 - y.mean()))
        self._move_to(self.weights, np.full(len(y), self.weights[-1]))

    def minimise(self, penalty: float, considered: np.ndarray) -> float:
        """Go to the minimum for a penalty, beginning with the metrics ``considered`` (m + 1,) bool.

        Returns:
            How far the conditions of optimality are from being met.
        """
        penalties = np.full(len(self.weights), penalty)
        penalties[-1] = 0.0
        considered = ~self._repeated & (considered | (self.weights != 0))
        considered[-1] = True
        for _ in range(_ROUNDS):
            violations = np.where(self._repeated, 0.0, _violations(self.gradient, self.weights, penalties))
            if violations.max() <= TOLERANCE:
                break
            if violations[considered].max() <= TOLERANCE:
                considered |= violations > 0
            if not self._step(np.flatnonzero(considered), penalties):  # rounding is all that is left to gain
                break
        return float(violations.max())

    def _step(self, chosen: np.ndarray, penalties: np.ndarray) -> bool:
        """One step in the weights ``chosen``; False when none lowers the objective."""
        curvature = np.maximum(self._p * (1 - self._p), 1e-8) / len(self._y)
        rooted = self._space[: len(chosen)]
        _scale(self._rows, chosen, np.sqrt(curvature), rooted)
        step = np.zeros(len(self.weights))
        step[chosen] = _quadratic_step(
            rooted @ rooted.T, self.gradient[chosen], self.weights[chosen], penalties[chosen]
        )
        value, length = self._loss + penalties @ np.abs(self.weights), 1.0
        start, logits, towards = self.weights, self._logits, step @ self._rows
        while length > 1e-6:
            weights = start + length * step
            if self._move_to(weights, logits + length * towards) + penalties @ np.abs(weights) < value:
                return True
            length *= 0.5
        self._move_to(start, logits)
        return False

    def _move_to(self, weights: np.ndarray, logits: np.ndarray) -> float:
        """Be at weights with these logits; the mean log-loss there."""
        decay = np.exp(-np.abs(logits))
        self.weights, self._logits = weights, logits
        self._loss = float((np.maximum(logits, 0) + np.log1p(decay) - self._y * logits).mean())
        self._p = np.where(logits >= 0, 1.0, decay) / (1 + decay)
        self.gradient = self._rows @ (self._p - self._y) / len(self._y)
        return self._loss


def _repeated(rows: np.ndarray) -> np.ndarray:
    """(m + 1,) bool, metrics that an earlier one repeats, but for scale and sign; never the intercept, the last row."""
    gram = rows[:-1] @ rows[:-1].T
    norms = np.sqrt(np.diag(gram))
    products = np.outer(norms, norms)
    same = (np.abs(gram) >= (1 - 1e-12) * products) & (products > 1e-12 * products.max(initial=0.0))
    return np.append(np.triu(same, 1).any(0), False)


def _violations(gradient: np.ndarray, weights: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """How far each condition of optimality is from being met, (m,), in units of the gradient."""
    at_zero = np.maximum(np.abs(gradient) - penalties, 0.0)
    return np.where(weights != 0, np.abs(gradient + penalties * np.sign(weights)), at_zero)


@jit
def _scale(rows: np.ndarray, chosen: np.ndarray, factors: np.ndarray, out: np.ndarray) -> None:
    """Rows ``chosen``, each times ``factors``."""
    for k in range(len(chosen)):
        row = rows[chosen[k]]
        for i in range(len(factors)):
            out[k, i] = row[i] * factors[i]


def _quadratic_step(gram: np.ndarray, gradient: np.ndarray, weights: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Step d to the minimum of gradient·d + d·gram·d/2 + Σ penalty·|weight + d|.

    Coordinate descent finds the signs soon, but creeps where metrics are collinear: what is left then is a system of
    linear equations.
    """
    place, slope = weights.copy(), gradient.copy()
    for _ in range(100):
        if _descend(gram, slope, place, penalties, 50):
            break
        _solve_within_signs(gram, slope, place, penalties)
        slope = gradient + gram @ (place - weights)
    return place - weights


def _solve_within_signs(gram: np.ndarray, slope: np.ndarray, place: np.ndarray, penalties: np.ndarray) -> None:
    """Move ``place`` to the minimum over the weights that are not 0, dropping those that change their sign on the way.

    Every move lowers the objective, or is not made: the equations may be singular.
    """
    slope = slope.copy()
    free = np.flatnonzero((place != 0) | (penalties == 0))
    while free.size:
        downhill = slope[free] + penalties[free] * np.sign(place[free])
        among = gram[np.ix_(free, free)]
        try:
            step = np.linalg.solve(among, -downhill)
        except np.linalg.LinAlgError:
            return
        crossing = (penalties[free] > 0) & ((place[free] + step) * np.sign(place[free]) <= 0)
        lengths = np.where(crossing, np.abs(place[free]) / np.maximum(np.abs(step), 1e-300), 1.0)
        first = int(np.argmin(lengths))
        length = min(lengths[first], 1.0)
        if not length * downhill @ step + length**2 / 2 * step @ among @ step < 0:
            return
        place[free] += length * step
        slope += gram[:, free] @ (length * step)
        if not crossing[first]:
            return
        place[free[first]] = 0.0
        free = np.delete(free, first)


@jit
def _descend(gram: np.ndarray, slope: np.ndarray, place: np.ndarray, penalties: np.ndarray, sweeps: int) -> bool:
    """Cyclic coordinate descent, in place; whether it arrived.

    Args:
        gram: (m, m).
        slope: (m,) gradient of the quadratic at ``place``.
        place: (m,) weights.
        penalties: (m,).
        sweeps: at most so many.
    """
    m = len(place)
    active_only = False
    for _ in range(sweeps):
        largest = 0.0
        for j in range(m):
            curve = gram[j, j]
            if curve <= 1e-14 or (active_only and place[j] == 0.0):
                continue
            wished = place[j] - slope[j] / curve
            limit = penalties[j] / curve
            new = wished - limit if wished > limit else (wished + limit if wished < -limit else 0.0)
            change = new - place[j]
            if change != 0.0:
                place[j] = new
                for i in range(m):
                    slope[i] += gram[j, i] * change
                largest = max(largest, abs(change) * curve)
        if largest < 1e-10:
            if not active_only:
                return True
            active_only = False
        else:
            active_only = True
    return False
