"""The tables of MetaSeg for any data set, and tables that show where meta models fail.

Table I: :func:`correlation`. Tables II and III: :func:`classification`, :func:`regression`. Fig. 4 in numbers:
:func:`metrics_of_path`, :func:`path`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from trust_seg_ros.evaluation.meta.judge import (
    ACC,
    ALL,
    AUROC,
    BOOSTING,
    CLIPPED,
    ENTROPY,
    ENTROPY_CLIPPED,
    FALSE_POSITIVE,
    FITTED,
    IOU,
    IOU_ADJ,
    JUDGED,
    KEPT,
    MAJORITY,
    PENALISED,
    R2,
    SIGMA,
    Cell,
)
from trust_seg_ros.evaluation.meta.measures import correlations
from trust_seg_ros.evaluation.meta.names import class_of
from trust_seg_ros.evaluation.meta.study import Group, Spread, Study, column
from trust_seg_ros.evaluation.report.tabular import IN_FILE, IN_REPORT, ON_SCREEN, Column, Table, Value
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.features import design_matrix

CLASSIFIERS = (PENALISED, ALL, KEPT, BOOSTING, ENTROPY, MAJORITY)
REGRESSORS = (ALL, CLIPPED, BOOSTING, ENTROPY, ENTROPY_CLIPPED)
SIZES = (30, 100, 300, 1000, 10_000)
"""Bounds of the groups by size, in pixels."""


def summary(studies: Sequence[Study]) -> Table:
    """One row per arrangement: gain of the metrics over the entropy baseline."""
    columns = (
        Column("arrangement", "text"),
        Column("runs", "count"),
        Column("ACC, %"),
        Column("AUROC, %"),
        Column("AUROC L1, %"),
        Column("AUROC entropy, %"),
        Column("AUROC gain, points"),
        Column("R², %"),
        Column("R² entropy, %"),
        Column("R² gain, points"),
        Column("σ", "number"),
    )
    rows: list[tuple[Value, ...]] = []
    for s in studies:
        wrong = [s.spread(FALSE_POSITIVE, model, JUDGED, AUROC) for model in (ALL, PENALISED, ENTROPY)]
        iou = [s.spread(IOU_ADJ, model, JUDGED, R2) for model in (ALL, ENTROPY)]
        rows.append(
            (
                s.arrangement.label,
                len(s.outcomes),
                s.spread(FALSE_POSITIVE, ALL, JUDGED, ACC),
                *wrong,
                _gain(s, FALSE_POSITIVE, AUROC),
                *iou,
                _gain(s, IOU_ADJ, R2),
                s.spread(IOU_ADJ, ALL, JUDGED, SIGMA),
            )
        )
    note = (
        "Judged parts, mean ± standard deviation over runs. ACC and AUROC: is IoU_adj = 0? R² and σ: regression of "
        "IoU_adj. Gain: all metrics (unpenalised) less the entropy baseline, run by run."
    )
    return Table("summary", "Summary", columns, tuple(rows), note)


def classification(s: Study) -> Table:
    """ACC and AUROC of every classifier on both parts (MetaSeg, Tables II and III, upper half)."""
    columns = (
        Column("classifier", "text"),
        *(Column(f"{measure} {part}, %") for measure in (ACC, AUROC) for part in (FITTED, JUDGED)),
    )
    note = (
        "Is a segment a false positive, IoU_adj = 0? L1: with the λ of the smallest log-loss in a cross-validation "
        "inside the fitted part; kept by L1: unpenalised again on the metrics that this model kept."
    )
    rows = _rows(s, FALSE_POSITIVE, CLASSIFIERS, (ACC, AUROC))
    return Table("classification", "Meta classification", columns, rows, note)


def regression(s: Study) -> Table:
    """σ and R² of every regression on both parts (MetaSeg, Tables II and III, lower half)."""
    columns = (
        Column("regression of", "text"),
        Column("on", "text"),
        *(Column(f"{SIGMA} {part}", "number") for part in (FITTED, JUDGED)),
        *(Column(f"{R2} {part}, %") for part in (FITTED, JUDGED)),
    )
    rows = tuple((target, *row) for target in (IOU_ADJ, IOU) for row in _rows(s, target, REGRESSORS, (SIGMA, R2)))
    note = (
        "σ: root mean square of the residual. Without clipping as in the published tables; the node clips predictions."
    )
    return Table("regression", "Meta regression", columns, rows, note)


def runs(s: Study) -> Table:
    """The main scores of every single run; for ``by_drive``, of every drive."""
    wanted = (
        (FALSE_POSITIVE, MAJORITY, ACC),
        (FALSE_POSITIVE, ALL, ACC),
        (FALSE_POSITIVE, ALL, AUROC),
        (FALSE_POSITIVE, ENTROPY, AUROC),
        (IOU_ADJ, ALL, R2),
        (IOU_ADJ, ENTROPY, R2),
        (IOU_ADJ, ALL, SIGMA),
    )
    columns = (
        Column("judged", "text"),
        Column("segments fitted", "count"),
        Column("segments judged", "count"),
        Column("majority, %"),
        Column("ACC, %"),
        Column("AUROC, %"),
        Column("AUROC entropy, %"),
        Column("R², %"),
        Column("R² entropy, %"),
        Column("σ", "number"),
    )
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            run.name,
            int(run.fitted.sum()),
            int(run.judged.sum()),
            *(outcome.scores.get(Cell(target, model, JUDGED, what), np.nan) for target, model, what in wanted),
        )
        for run, outcome in zip(s.arrangement.runs, s.outcomes, strict=True)
    )
    place = IN_FILE if s.arrangement.name in ("by_image", "by_segment") else ON_SCREEN
    return Table("runs", "Runs", columns, rows, "All metrics, unpenalised; judged parts.", place)


def by_class(s: Study) -> Table:
    """Judged segments by the class that the network predicted."""
    return _grouped("classes", "Per predicted class", "class", s, s.data.class_ids, s.data.class_names)


def by_drive(s: Study) -> Table:
    """Judged segments by the drive of their image."""
    drives = sorted(set(s.data.drives))
    numbers = np.array([drives.index(drive) for drive in s.data.drives])
    return _grouped("drives", "Per drive", "drive", s, numbers[s.data.image], [drive or "unknown" for drive in drives])


def by_size(s: Study) -> Table:
    """Judged segments by their size in pixels."""
    names = [f"under {SIZES[0]}"]
    names += [f"{low} to {high - 1}" for low, high in pairwise(SIZES)]
    labels = np.searchsorted(SIZES, column(s.data, "S"), side="right")
    return _grouped("sizes", "Per size of the segment", "pixels", s, labels, [*names, f"{SIZES[-1]} and more"])


def metrics_of_path(s: Study) -> Table:
    """The metrics in the order in which they enter the L1-penalised classifier (MetaSeg, Fig. 4)."""
    columns = (
        Column("metric", "text"),
        Column("class", "text"),
        Column("enters at λ", "power"),
        Column("kept in runs, %"),
        Column("coefficient", "number"),
    )
    paths = [outcome.path for outcome in s.outcomes if outcome.path is not None]
    rows: list[tuple[Value, ...]] = []
    for j, name in enumerate(s.names):
        entries = [s.lambdas[np.flatnonzero(p.coefficients[:, j])[:1]] for p in paths]
        entered = np.concatenate(entries) if entries else np.empty(0)
        entry = float(np.exp(np.log(entered).mean())) if entered.size else np.nan
        chosen = np.array([p.coefficients[p.chosen, j] for p in paths])
        rows.append(
            (
                name,
                class_of(name, s.data.class_names),
                entry,
                float((chosen != 0).mean()) if paths else np.nan,
                Spread.of(chosen),
            )
        )
    rows.sort(key=lambda row: -np.nan_to_num(row[2]))
    note = (
        "λ: penalty of the mean log-loss at which a metric's coefficient leaves 0, geometric mean over runs. Kept and "
        "coefficient (of the standardised metric; positive speaks for a false positive): at the λ chosen in each run."
    )
    return Table("lasso_metrics", "Metrics on the LASSO path", columns, tuple(rows), note, IN_REPORT)


def path(s: Study) -> Table:
    """The L1-penalised classifier against λ, in full (MetaSeg, Fig. 4); too long for the report."""
    columns = (
        Column("λ", "power"),
        Column("ACC judged, %"),
        Column("AUROC judged, %"),
        Column("metrics kept", "number"),
        *(Column(name, "number") for name in s.names),
    )
    paths = [outcome.path for outcome in s.outcomes if outcome.path is not None]
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            float(penalty),
            Spread.of([p.accuracy[k] for p in paths]),
            Spread.of([p.auroc[k] for p in paths]),
            Spread.of([int(np.count_nonzero(p.coefficients[k])) for p in paths]),
            *(Spread.of([p.coefficients[k, j] for p in paths]) for j in range(len(s.names))),
        )
        for k, penalty in enumerate(s.lambdas)
    )
    return Table("lasso_path", "LASSO path", columns, rows if paths else (), place=IN_FILE)


def correlation(data: SegmentData, names: Sequence[str]) -> Table:
    """Pearson's ρ of every metric with IoU_adj and IoU over all segments, strongest first (MetaSeg, Table I)."""
    x = design_matrix(data, names)
    adjusted, plain = correlations(x, data.iou_adj), correlations(x, data.iou)
    order = sorted(range(len(names)), key=lambda k: -np.nan_to_num(abs(adjusted[k])))
    columns = (
        Column("metric", "text"),
        Column("class", "text"),
        Column("ρ with IoU_adj", "number"),
        Column("ρ with IoU", "number"),
    )
    rows = tuple((names[k], class_of(names[k], data.class_names), float(adjusted[k]), float(plain[k])) for k in order)
    note = f"Over all {len(data):,} segments with an interior; - where a metric does not vary."
    return Table("correlation", "Pearson correlation of every metric with the IoU", columns, rows, note)


def _gain(s: Study, target: str, measure: str) -> Spread:
    return Spread.of(s.values(Cell(target, ALL, JUDGED, measure)) - s.values(Cell(target, ENTROPY, JUDGED, measure)))


def _rows(s: Study, target: str, models: Sequence[str], measures: Sequence[str]) -> tuple[tuple[Value, ...], ...]:
    there = {cell.model for outcome in s.outcomes for cell in outcome.scores if cell.target == target}
    shown = [model for model in models if model in there or model not in (BOOSTING, KEPT)]
    wanted = [(measure, part) for measure in measures for part in (FITTED, JUDGED)]
    return tuple((m, *(s.spread(target, m, part, measure) for measure, part in wanted)) for m in shown)


def _grouped(name: str, title: str, what: str, s: Study, labels: np.ndarray, names: Sequence[str]) -> Table:
    columns = (
        Column(what, "text"),
        Column("segments", "count"),
        Column("false positives, %"),
        Column("ACC, %"),
        Column("AUROC, %"),
        Column("AUROC entropy, %"),
        Column("R², %"),
        Column("σ", "number"),
        Column("mean IoU_adj", "number"),
    )
    groups = [*s.groups(labels, names), *s.groups(np.zeros(len(s.data), int), ["all"])]
    rows = tuple(_group_row(group) for group in groups)
    note = "Judged parts pooled over runs; all metrics, unpenalised."
    return Table(name, title, columns, rows, note, IN_REPORT)


def _group_row(g: Group) -> tuple[Value, ...]:
    return g.name, g.segments, g.wrong, g.accuracy, g.auroc, g.entropy_auroc, g.r_squared, g.sigma, g.iou_adj
