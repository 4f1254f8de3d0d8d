"""Results of the benchmark for one score: pixels, objects and segment errors, with and without meta classification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.anomaly.curves import (
    Counts,
    auroc,
    average_precision,
    average_precision_bounds,
    best_f1,
    fpr_at_tpr,
)
from trust_seg_ros.evaluation.anomaly.cuts import Cut
from trust_seg_ros.evaluation.anomaly.objects import ObjectMatches, SizeLimits, pooled
from trust_seg_ros.evaluation.meta import measures
from trust_seg_ros.meta.ood import DISCARD_ABOVE, OodVerdict


@dataclass(frozen=True)
class PixelMeasures:
    """How well a score orders pixels.

    Attributes:
        auprc, auroc, fpr95: shares in [0, 1].
        uncertain: largest possible error of AuPRC due to binning; 0 if exact.
        best_threshold, best_f1: threshold with the best F1 over pixels, and that F1.
        counts: the curves.
    """

    auprc: float
    auroc: float
    fpr95: float
    uncertain: float
    best_threshold: float
    best_f1: float
    counts: Counts


@dataclass(frozen=True)
class Segments:
    """Components at one threshold, over a data set.

    Attributes:
        objects: sIoU and PPV, small components left out.
        false_positives, false_negatives: segment errors.
    """

    objects: ObjectMatches
    false_positives: int
    false_negatives: int

    @property
    def errors(self) -> int:
        """False positives and false negatives together."""
        return self.false_positives + self.false_negatives


@dataclass(frozen=True)
class MetaJudgement:
    """Effect of meta classification.

    Attributes:
        segments: results after discarding.
        discarded: (n,) bool, rows of ``Cut.data``.
        accuracy, auroc: of detecting false alarms; NaN where undefined.
        outside: share of the segments outside the range fitted on, which are not discarded.
    """

    segments: Segments
    discarded: np.ndarray
    accuracy: float
    auroc: float
    outside: float = 0.0


@dataclass(frozen=True)
class ScoreResult:
    """All results of one score.

    Attributes:
        score: its name.
        milliseconds: median time per image.
        pixels: curves and the measures read off them.
        threshold: threshold used for segments: score >= threshold.
        cut: the segments at that threshold.
        plain: results of all segments.
        meta: results after discarding; None without meta classification.
        actual: ground-truth components that count for segment errors.
        fewest: (threshold, errors) of the threshold with the fewest segment errors without meta classification; None
            if no other thresholds were tried.
    """

    score: str
    milliseconds: float
    pixels: PixelMeasures
    threshold: float
    cut: Cut
    plain: Segments
    meta: MetaJudgement | None
    actual: int
    fewest: tuple[float, int] | None = None

    @property
    def best(self) -> Segments:
        """Results after meta classification, if there is one, else of all segments."""
        return self.plain if self.meta is None else self.meta.segments


def best_result(results: Sequence[ScoreResult]) -> ScoreResult:
    """The result of the score with the highest AuPRC; of equal ones the first."""
    return max(results, key=lambda result: result.pixels.auprc)


def pixel_measures(counts: Counts, exact: bool) -> PixelMeasures:
    """Read the measures off the curves."""
    value = average_precision(counts)
    uncertain = 0.0 if exact else max(abs(bound - value) for bound in average_precision_bounds(counts))
    return PixelMeasures(value, auroc(counts), fpr_at_tpr(counts), uncertain, *best_f1(counts), counts)


def judge(
    score: str,
    milliseconds: float,
    pixels: PixelMeasures,
    found: Cut,
    verdict: OodVerdict | None,
    limits: SizeLimits,
    segment_limits: SizeLimits,
    discard_above: float = DISCARD_ABOVE,
) -> ScoreResult:
    """All results of one score.

    Args:
        score: its name.
        milliseconds: median time per image.
        pixels: from :func:`pixel_measures`.
        found: the segments at the chosen threshold.
        verdict: on the rows of ``found.data``; None = no meta classification.
        limits: of components for sIoU, PPV and F1*.
        segment_limits: of components for segment errors.
        discard_above: P(false alarm) above which segments are discarded.
    """
    plain, meta = _segments(found, None, limits, segment_limits), None
    if verdict is not None:
        discarded, truth = verdict.discarded(discard_above), found.data.false_alarm
        meta = MetaJudgement(
            _segments(found, discarded, limits, segment_limits),
            discarded,
            float((discarded == truth).mean()) if len(truth) else float("nan"),
            float(measures.auroc(verdict.p_false_alarm, truth)),
            float(verdict.outside.mean()) if len(truth) else 0.0,
        )
    actual = sum(int((met.there >= segment_limits.actual).sum()) for met in found.overlaps)
    fewest = None
    if len(found.sweep):
        rows = [(found.data.threshold, plain.errors), *((row[0], int(row[1] + row[2])) for row in found.sweep)]
        fewest = min(rows, key=lambda row: row[1])
    return ScoreResult(score, milliseconds, pixels, found.data.threshold, found, plain, meta, actual, fewest)


def sweep_grid(counts: Counts, number: int) -> np.ndarray:
    """Thresholds (k,), k <= number, at evenly spaced true positive rates strictly between 0 and 1, falling."""
    wanted = np.arange(1, number + 1) / (number + 1) * counts.positives
    return counts.thresholds[np.unique(np.searchsorted(counts.true_positives, wanted))]


def image_f1(result: ScoreResult) -> np.ndarray:
    """F1 over the pixels of each image (in the order of ``cut.overlaps``), only for ranking images; never averaged.

    NaN if an image has no anomaly and nothing was found.
    """
    discarded = None if result.meta is None else result.meta.discarded
    values = []
    for met, kept in zip(result.cut.overlaps, result.cut.kept(discarded), strict=True):
        hit = met.shared[kept[met.pairs[:, 0]]].sum()
        total = met.found[kept].sum() + met.there.sum()
        values.append(2 * hit / total if total else np.nan)
    return np.array(values)


def _segments(found: Cut, discarded: np.ndarray | None, limits: SizeLimits, segment_limits: SizeLimits) -> Segments:
    masks: Sequence[np.ndarray | None] = [None] * len(found.overlaps) if discarded is None else found.kept(discarded)
    matches = [met.match(limits, kept) for met, kept in zip(found.overlaps, masks, strict=True)]
    counted = found.kept(discarded)  # large enough on the grid
    limit = SizeLimits(1, segment_limits.actual)
    errors = [met.errors(kept, limit) for met, kept in zip(found.overlaps, counted, strict=True)]
    false_positives, false_negatives = np.array(errors, np.int64).reshape(-1, 2).sum(0)
    return Segments(pooled(matches), int(false_positives), int(false_negatives))
