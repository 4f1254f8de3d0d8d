"""L1-penalised logistic regression along a path of penalties (MetaSeg, Rottmann et al., Fig. 4).

Minimises, for every λ, the mean log-loss + λ·‖w‖₁ over coefficients w of standardised metrics and an intercept that is
not penalised: the objective of Friedman, Hastie, Tibshirani, Journal of Statistical Software 33 (2010).
scikit-learn's ``C`` is 1/(n·λ).

The loss is replaced by its quadratic approximation at the present point, that is minimised by cyclic coordinate
descent, and a backtracking step towards the minimum is taken; each λ starts from the one before. The Gram matrix of
the approximation is the only thing that costs, one product of the metrics with themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.jit import jit
from trust_seg_ros.meta.errors import MetaModelError

LAMBDAS = np.geomspace(0.5, 1e-5, 50)
"""Default path. At λ = 0.5 all coefficients are 0: the gradient is a covariance of a standardised metric with a
0/1 target, never above 0.5. So the path does not depend on the data, and runs can be averaged at equal λ."""
_TOLERANCE = 1e-7
_ROUNDS = 100


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
    """Coefficients for every λ, to within 1e-7 of the conditions of optimality.

    Args:
        x: (n, m) metrics, standardised with statistics of these rows.
        positive: (n,) bool, both kinds present.
        lambdas: (k,) positive penalties, falling (each start is the one before).

    Raises:
        MetaModelError: one kind only, penalties that are not positive and falling, or metrics that are not finite.
    """
    lambdas, y = np.asarray(lambdas, np.float64), np.asarray(positive, np.float64)
    if y.all() or not y.any():
        raise MetaModelError(f"{int(y.sum())} of {len(y)} segments are positive; a classifier needs both kinds")
    if (lambdas <= 0).any() or (np.diff(lambdas) >= 0).any():
        raise MetaModelError("penalties must be positive and falling")
    if not np.isfinite(x).all():
        raise MetaModelError("metrics hold values that are not finite; leave these segments or metrics out")
    m = x.shape[1]
    design = np.empty((len(x), m + 1))
    design[:, :m], design[:, m] = x, 1.0
    weights = np.zeros(m + 1)
    weights[m] = np.log(y.mean() / (1 - y.mean()))
    found = np.empty((len(lambdas), m + 1))
    for i, penalty in enumerate(lambdas):
        weights = _minimise(design, y, weights, np.append(np.full(m, penalty), 0.0))
        found[i] = weights
    return LassoPath(lambdas, found[:, :m].copy(), found[:, m].copy())


def objective(design: np.ndarray, y: np.ndarray, weights: np.ndarray, penalties: np.ndarray) -> float:
    """Mean log-loss + Σ penalty·|weight|; (n, m), (n,) 0 or 1, (m,), (m,)."""
    return _loss(design @ weights, y) + float(penalties @ np.abs(weights))


def _loss(logits: np.ndarray, y: np.ndarray) -> float:
    return float((np.logaddexp(0.0, logits) - y * logits).mean())


def _minimise(design: np.ndarray, y: np.ndarray, weights: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    logits = design @ weights
    value = _loss(logits, y) + penalties @ np.abs(weights)
    for _ in range(_ROUNDS):
        p = 0.5 * (1.0 + np.tanh(0.5 * logits))
        gradient = design.T @ (p - y) / len(y)
        if _violation(gradient, weights, penalties) <= _TOLERANCE:
            break
        rooted = design * np.sqrt(np.maximum(p * (1 - p), 1e-8) / len(y))[:, None]
        step = _descend(rooted.T @ rooted, gradient, weights, penalties)
        towards, length = design @ step, 1.0
        while length > 1e-6:
            tried = weights + length * step
            new = _loss(logits + length * towards, y) + penalties @ np.abs(tried)
            if new < value:
                break
            length *= 0.5
        else:  # rounding is all that is left to gain
            break
        weights, logits, value = tried, logits + length * towards, new
    return weights


def _violation(gradient: np.ndarray, weights: np.ndarray, penalties: np.ndarray) -> float:
    """How far the conditions of optimality are from being met, in units of the gradient."""
    at_zero = np.maximum(np.abs(gradient) - penalties, 0.0)
    return float(np.where(weights != 0, np.abs(gradient + penalties * np.sign(weights)), at_zero).max())


@jit
def _descend(gram: np.ndarray, gradient: np.ndarray, weights: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Step to the minimum of gradient·d + d·gram·d/2 + Σ penalty·|weight + d|, by cyclic coordinate descent."""
    m = len(weights)
    slope, place = gradient.copy(), weights.copy()
    active_only = False
    for _ in range(20_000):
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
                    slope[i] += gram[i, j] * change
                largest = max(largest, abs(change) * curve)
        if largest < 1e-10:
            if not active_only:
                break
            active_only = False
        else:
            active_only = True
    return place - weights
