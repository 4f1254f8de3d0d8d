"""All runs of an arrangement and their joint results: means over runs; judged segments by class, size, drive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.meta.judge import Cell, Outcome, Problem, judge
from trust_seg_ros.evaluation.meta.measures import accuracy, auroc, r_squared, sigma
from trust_seg_ros.evaluation.meta.splits import Arrangement
from trust_seg_ros.fitting.lasso import LAMBDAS
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.features import design_matrix
from trust_seg_ros.support.parallel import cores

ENTROPY_METRIC = "E"


class Spread(NamedTuple):
    """Mean and standard deviation over runs (of the runs themselves, ddof 0, as the authors' code)."""

    mean: float
    std: float

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Spread:
        """Mean and deviation over the runs where the value is defined; the deviation of a single run is NaN."""
        known = np.asarray(values, np.float64)
        known = known[np.isfinite(known)]
        return cls(
            float(known.mean()) if known.size else np.nan,
            float(known.std()) if known.size > 1 else np.nan,
        )


class Group(NamedTuple):
    """Judged segments that have something in common, pooled over runs.

    Attributes:
        name: what they have in common.
        segments: number of different segments.
        wrong: share of false positives.
        accuracy, auroc, entropy_auroc: of the classifier of all metrics (unpenalised), and of the entropy baseline.
        sigma, r_squared: of the regression of IoU_adj on all metrics.
        iou_adj: their mean IoU_adj.
    """

    name: str
    segments: int
    wrong: float
    accuracy: float
    auroc: float
    entropy_auroc: float
    sigma: float
    r_squared: float
    iou_adj: float


@dataclass(frozen=True)
class Study:
    """An arrangement and the outcomes of its runs.

    Attributes:
        arrangement: the segments and how they were divided.
        names: the metrics used, m of them.
        outcomes: one per run.
        lambdas: (k,) penalties of their LASSO paths.
    """

    arrangement: Arrangement
    names: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    lambdas: np.ndarray

    @property
    def data(self) -> SegmentData:
        """The segments that the runs divide."""
        return self.arrangement.data

    def values(self, cell: Cell) -> np.ndarray:
        """(runs,) one score in every run; NaN where undefined."""
        return np.array([outcome.scores.get(cell, np.nan) for outcome in self.outcomes])

    def spread(self, target: str, model: str, part: str, measure: str) -> Spread:
        """Mean and deviation of one score over the runs."""
        return Spread.of(self.values(Cell(target, model, part, measure)))

    @cached_property
    def pooled(self) -> dict[str, np.ndarray]:
        """Judged segments of all runs, joined: ``rows``, ``logit``, ``entropy_logit``, ``iou_adj`` (predicted)."""
        what = ("rows", "logit", "entropy_logit", "iou_adj")
        return {name: np.concatenate([getattr(outcome, name) for outcome in self.outcomes]) for name in what}

    def groups(self, labels: np.ndarray, names: Sequence[str]) -> list[Group]:
        """Scores of groups of segments, judged parts pooled over runs.

        Args:
            labels: (n,) group of every segment, a position in ``names``.
            names: names of the groups; groups without a judged segment are left out.
        """
        of_row = labels[self.pooled["rows"]]
        members = ((name, of_row == k) for k, name in enumerate(names))
        return [self._group(name, chosen) for name, chosen in members if chosen.any()]

    def _group(self, name: str, chosen: np.ndarray) -> Group:
        rows, logit, entropy, predicted = (
            self.pooled[what][chosen] for what in ("rows", "logit", "entropy_logit", "iou_adj")
        )
        wrong, true = self.data.false_positive[rows], self.data.iou_adj[rows]
        known = bool(np.isfinite(logit).all())
        return Group(
            name,
            len(np.unique(rows)),
            float(wrong.mean()),
            float(accuracy(logit, wrong)) if known else np.nan,
            float(auroc(logit, wrong)) if known else np.nan,
            float(auroc(entropy, wrong)) if known else np.nan,
            sigma(predicted, true),
            r_squared(predicted, true),
            float(true.mean()),
        )


def study(
    arrangements: Sequence[Arrangement],
    names: Sequence[str],
    *,
    lambdas: np.ndarray = LAMBDAS,
    boosting: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Study]:
    """Fit and judge in every run of every arrangement; the numbers do not depend on the number of workers.

    Args:
        arrangements: what is divided, and how.
        names: the metrics to use, see ``meta.features``; the data must contain ``E``, for the baseline.
        lambdas: (k,) penalties of the LASSO path, falling.
        boosting: also fit gradient boosting.
        workers: number of runs at the same time; None = one per core.
        progress: called with the number of runs done and of all, at the beginning and after each.

    Raises:
        EvaluationError: no segment, metrics that are not finite, no entropy among them, or fewer than one worker.
        MetaModelError: a metric that the data lack.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise EvaluationError(f"{workers} workers; expected at least 1")
    problems = [_problem(arrangement, names, lambdas, boosting) for arrangement in arrangements]
    total = sum(len(arrangement.runs) for arrangement in arrangements)
    progress(0, total)
    # one thread of BLAS and OpenMP per run: sums keep their order, and the runs share the cores instead
    with threadpool_limits(1), ThreadPoolExecutor(workers, initializer=threadpool_limits, initargs=(1,)) as pool:
        futures = [
            [pool.submit(judge, problem, run) for run in arrangement.runs]
            for arrangement, problem in zip(arrangements, problems, strict=True)
        ]
        outcomes: list[list[Outcome]] = []
        done = 0
        try:
            for jobs in futures:
                outcomes.append([])
                for job in jobs:
                    outcomes[-1].append(job.result())
                    done += 1
                    progress(done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [
        Study(arrangement, tuple(names), tuple(found), lambdas)
        for arrangement, found in zip(arrangements, outcomes, strict=True)
    ]


def column(data: SegmentData, name: str) -> np.ndarray:
    """One metric of all segments, (n,).

    Raises:
        EvaluationError: the data lack it.
    """
    if name not in data.names:
        raise EvaluationError(f"no metric {name!r} of the segments; there are: {', '.join(data.names)}")
    return data.metrics[:, data.names.index(name)]


def _problem(arrangement: Arrangement, names: Sequence[str], lambdas: np.ndarray, boosting: bool) -> Problem:
    data = arrangement.data
    if not len(data):
        raise EvaluationError("no segment with an interior to judge; expected some")
    x = design_matrix(data, names)
    bad = ~np.isfinite(x).all(axis=0)
    if bad.any():
        raise EvaluationError(f"metrics with values that are not finite: {', '.join(np.array(names)[bad])}")
    return Problem(
        x,
        column(data, ENTROPY_METRIC),
        data.iou,
        data.iou_adj,
        arrangement.units,
        lambdas,
        boosting,
    )
