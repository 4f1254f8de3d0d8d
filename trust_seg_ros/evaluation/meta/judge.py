"""One run: every model fitted on one part of the segments and judged by the other (MetaSeg, section III and IV).

The scaler, the models and the penalty see the fitted part only. Two conventions of the authors' code
(github.com/mrottmann/MetaSeg) are not taken over: it standardises with statistics of all segments, and it picks the
penalty that does best on the judged part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trust_seg_ros.evaluation.meta.measures import accuracy, auroc, majority, r_squared, sigma
from trust_seg_ros.evaluation.meta.splits import Run, halves
from trust_seg_ros.fitting.fit import fit_linear, fit_logistic, statistics
from trust_seg_ros.fitting.lasso import LassoPath, lasso_path

FALSE_POSITIVE = "false positive"
IOU_ADJ, IOU = "IoU_adj", "IoU"
FITTED, JUDGED = "fitted", "judged"

ALL, PENALISED, KEPT = "all metrics", "all metrics, L1", "metrics kept by L1"
CLIPPED, ENTROPY, ENTROPY_CLIPPED, BOOSTING, MAJORITY = (
    "all metrics, clipped to [0, 1]",
    "entropy baseline",
    "entropy baseline, clipped to [0, 1]",
    "gradient boosting",
    "majority share",
)
ACC, AUROC, SIGMA, R2 = "ACC", "AUROC", "σ", "R²"


class Cell(NamedTuple):
    """Identifies a score: target, model, part (fitted or judged) and measure."""

    target: str
    model: str
    part: str
    measure: str


@dataclass(frozen=True)
class Problem:
    """Segments as arrays.

    Attributes:
        x: (n, m) metrics, not standardised.
        entropy: (n,) mean entropy, the baseline's only metric.
        iou, iou_adj: (n,) in [0, 1].
        units: (n,) units that the inner division never splits.
        lambdas: (k,) penalties of the LASSO path, of the mean log-loss.
        boosting: also fit gradient boosting.
    """

    x: np.ndarray
    entropy: np.ndarray
    iou: np.ndarray
    iou_adj: np.ndarray
    units: np.ndarray
    lambdas: np.ndarray
    boosting: bool = False

    @property
    def wrong(self) -> np.ndarray:
        """(n,) bool, false positives: IoU_adj = 0."""
        return self.iou_adj == 0


@dataclass(frozen=True)
class Path:
    """The L1-penalised classifier of one run against λ (MetaSeg, Fig. 4).

    Attributes:
        coefficients: (k, m), of standardised metrics.
        accuracy, auroc: (k,) on the judged part.
        chosen: position of the λ with the smallest log-loss in the inner division of the fitted part.
    """

    coefficients: np.ndarray
    accuracy: np.ndarray
    auroc: np.ndarray
    chosen: int


@dataclass(frozen=True)
class Outcome:
    """Results of one run.

    Attributes:
        name: name of the run.
        scores: all scores that are defined.
        path: None if the fitted part has one kind of segment only.
        rows: (j,) positions of the judged segments.
        logit, entropy_logit: (j,) log-odds of being a false positive, of all metrics unpenalised and of the baseline;
            NaN if the fitted part has one kind only.
        iou_adj: (j,) predicted by all metrics, not clipped.
    """

    name: str
    scores: dict[Cell, float]
    path: Path | None
    rows: np.ndarray
    logit: np.ndarray
    entropy_logit: np.ndarray
    iou_adj: np.ndarray


def judge(problem: Problem, run: Run) -> Outcome:
    """Fit every model on the fitted part of a run and score it on both parts."""
    x = standardised(problem.x, run.fitted)
    e = standardised(problem.entropy[:, None], run.fitted)
    logits, path = _classifiers(problem, run.fitted, x, e)
    scores = {}
    for part, rows in ((FITTED, run.fitted), (JUDGED, run.judged)):
        wrong = problem.wrong[rows]
        scores[Cell(FALSE_POSITIVE, MAJORITY, part, ACC)] = majority(wrong)
        for model, logit in logits.items():
            scores[Cell(FALSE_POSITIVE, model, part, ACC)] = float(accuracy(logit[rows], wrong))
            scores[Cell(FALSE_POSITIVE, model, part, AUROC)] = float(auroc(logit[rows], wrong))
    predicted = {IOU_ADJ: _regressors(problem, run.fitted, x, e, problem.iou_adj)}
    predicted[IOU] = _regressors(problem, run.fitted, x, e, problem.iou)
    for target, true in ((IOU_ADJ, problem.iou_adj), (IOU, problem.iou)):
        for model, values in predicted[target].items():
            for part, rows in ((FITTED, run.fitted), (JUDGED, run.judged)):
                scores[Cell(target, model, part, SIGMA)] = sigma(values[rows], true[rows])
                scores[Cell(target, model, part, R2)] = r_squared(values[rows], true[rows])
    unknown = np.full(len(x), np.nan)
    return Outcome(
        run.name,
        scores,
        path and _judged_path(path[0], path[1], x[run.judged], problem.wrong[run.judged]),
        np.flatnonzero(run.judged),
        logits.get(ALL, unknown)[run.judged],
        logits.get(ENTROPY, unknown)[run.judged],
        predicted[IOU_ADJ][ALL][run.judged],
    )


def standardised(x: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Metrics scaled to mean 0 and variance 1 on the fitted rows; a metric that is constant there becomes 0 on them.

    Args:
        x: (n, m).
        fitted: (n,) bool.
    """
    means, scales = statistics(x[fitted])
    return (x - means) / scales


def choose_penalty(x: np.ndarray, wrong: np.ndarray, units: np.ndarray, lambdas: np.ndarray) -> int:
    """Position of the λ with the smallest log-loss, mean of a cross-validation over two halves.

    Args:
        x: (n, m) metrics of the fitted part, in any scale.
        wrong: (n,) bool.
        units: (n,) units that are never split.
        lambdas: (k,).
    """
    half = halves(units)
    losses = np.zeros(len(lambdas))
    for fitted in (half, ~half):
        if not _both_kinds(wrong[fitted]) or fitted.all():
            continue
        scaled = standardised(x, fitted)
        path = lasso_path(scaled[fitted], wrong[fitted], lambdas)
        losses += log_loss(path.logits(scaled[~fitted]), wrong[~fitted])
    return int(np.argmin(losses))


def log_loss(logits: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Mean of -log P(kind of the segment); (..., n) log-odds and (n,) bool to (...)."""
    return np.logaddexp(0.0, np.where(positive, -logits, logits)).mean(-1)


def _both_kinds(wrong: np.ndarray) -> bool:
    return bool(wrong.any() and not wrong.all())


def _classifiers(
    problem: Problem, fitted: np.ndarray, x: np.ndarray, e: np.ndarray
) -> tuple[dict[str, np.ndarray], tuple[LassoPath, int] | None]:
    """Log-odds of every model for all segments; empty if the fitted part has one kind only."""
    wrong = problem.wrong[fitted]
    if not _both_kinds(wrong):
        return {}, None
    path = lasso_path(x[fitted], wrong, problem.lambdas)
    chosen = choose_penalty(problem.x[fitted], wrong, problem.units[fitted], problem.lambdas)
    coefficients = path.coefficients[chosen]
    logits = {
        PENALISED: x @ coefficients + path.intercepts[chosen],
        ALL: fit_logistic(x[fitted], wrong)(x),
        ENTROPY: fit_logistic(e[fitted], wrong)(e),
    }
    kept = x[:, coefficients != 0]
    if kept.shape[1]:
        logits[KEPT] = fit_logistic(kept[fitted], wrong)(kept)
    if problem.boosting:
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(early_stopping=False, random_state=0).fit(problem.x[fitted], wrong)
        logits[BOOSTING] = model.decision_function(problem.x)
    return logits, (path, chosen)


def _regressors(
    problem: Problem, fitted: np.ndarray, x: np.ndarray, e: np.ndarray, true: np.ndarray
) -> dict[str, np.ndarray]:
    """Predictions of every model for all segments. The authors' tables do not clip; the node does."""
    model: Callable[[np.ndarray], np.ndarray] = fit_linear(x[fitted], true[fitted])
    values = {ALL: model(x), ENTROPY: fit_linear(e[fitted], true[fitted])(e)}
    for model_of, clipped in ((ALL, CLIPPED), (ENTROPY, ENTROPY_CLIPPED)):
        values[clipped] = np.clip(values[model_of], 0.0, 1.0)
    if problem.boosting:
        from sklearn.ensemble import HistGradientBoostingRegressor

        boosted = HistGradientBoostingRegressor(early_stopping=False, random_state=0)
        values[BOOSTING] = boosted.fit(problem.x[fitted], true[fitted]).predict(problem.x)
    return values


def _judged_path(path: LassoPath, chosen: int, x: np.ndarray, wrong: np.ndarray) -> Path:
    logits = path.logits(x)
    return Path(path.coefficients, np.asarray(accuracy(logits, wrong)), np.asarray(auroc(logits, wrong)), chosen)
