"""Contents of the benchmark's report: tables, figures and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from trust_seg_ros.evaluation.anomaly import figures
from trust_seg_ros.evaluation.anomaly.benchmark import ScoreResult, Segments, best_result
from trust_seg_ros.evaluation.anomaly.objects import SizeLimits
from trust_seg_ros.evaluation.anomaly.panel import Panel
from trust_seg_ros.evaluation.anomaly.sources import MOST_LOST, LeftOut
from trust_seg_ros.evaluation.anomaly.study import Study
from trust_seg_ros.evaluation.meta import measures
from trust_seg_ros.evaluation.report.report import Contents, Picture, Section, left_out
from trust_seg_ros.evaluation.report.tabular import Column, Table, Value

_NAN = float("nan")
_SCORE = Column("score", "text")


def contents(found: Study, limits: SizeLimits, panel: Panel) -> Contents:
    """Tables, figures and notes.

    Args:
        found: what the benchmark found.
        limits: of components, for the text.
        panel: best and worst images.
    """
    results = found.results
    sections = (
        Section(
            "Pixels",
            "",
            (pixels(results, found.pixels.milliseconds["network"]),),
            (
                Picture("precision_recall", "Precision and recall over all pixels", partial(figures.pr, results)),
                Picture("roc", "True and false positive rate over all pixels", partial(figures.roc, results)),
            ),
        ),
        Section("Objects", "", (objects(results, limits),)),
        Section("Segment errors", "", (errors(results), *classifiers(results), *sources_left_out(found.left_out))),
        Section("Images", "", (), (Picture("images", panel.caption, panel.draw),)),
    )
    network = results[0].cut.data.network
    more = [best_words(results, network), *worse_than_nothing(results)]
    binned = [r for r in results if r.pixels.uncertain]
    if binned:
        worst = max(r.pixels.uncertain for r in binned)
        more.append(
            f"so many pixels are pooled in bins of 24-bit numbers; AuPRC of all pixels one by one differs by "
            f"{worst:.1e} at most"
        )
    for name, images in found.skipped.items():
        if images:
            more.append(left_out(name, images))
    for rows in found.left_out.values():
        more += [f"worse than no meta classifier on {row.worse}" for row in rows if row.worse]
    return Contents("Out-of-distribution benchmark", sections, (*more, *found.notes))


def best_words(results: Sequence[ScoreResult], network: str) -> str:
    """Which score finds unknown objects best, by either measure, in words."""
    by_auprc = best_result(results)
    by_fpr95 = min(results, key=lambda r: r.pixels.fpr95)
    return (
        f"best score of {network} for unknown objects: by AuPRC {by_auprc.score}, {100 * by_auprc.pixels.auprc:.1f} %; "
        f"by FPR95 {by_fpr95.score}, {100 * by_fpr95.pixels.fpr95:.1f} %"
    )


def pixels(results: Sequence[ScoreResult], network: float) -> Table:
    """AuPRC, AUROC, FPR95 and time of every score."""
    columns = (
        _SCORE,
        Column("AuPRC, %"),
        Column("AUROC, %"),
        Column("FPR95, %"),
        Column("best F1, %"),
        Column("at threshold", "number"),
        Column("time, ms", "number"),
    )
    rows = []
    for r in results:
        p = r.pixels
        rows.append((r.score, p.auprc, p.auroc, p.fpr95, p.best_f1, p.best_threshold, r.milliseconds))
    note = (
        "Pooled over the data set, void left out; a pixel is called an anomaly when score >= threshold. Time: median "
        f"per image beside the network's {network:.1f} ms; entropy, margin and variation_ratio are made in one go and "
        "share it."
    )
    return Table("pixels", "Pixels", columns, tuple(rows), note)


def objects(results: Sequence[ScoreResult], limits: SizeLimits) -> Table:
    """sIoU, PPV and F1* before and after discarding."""
    columns = (
        _SCORE,
        Column("segments", "text"),
        Column("threshold", "number"),
        Column("sIoU, %"),
        Column("PPV, %"),
        Column("F1*, %"),
        Column("predicted", "count"),
        Column("objects", "count"),
    )
    rows: list[tuple[Value, ...]] = []
    for r in results:
        for text, part in (("all", r.plain), ("kept by the meta classifier", _after(r))):
            if part is not None:
                o = part.objects
                measured = (o.mean_siou, o.mean_ppv, o.f1_star, len(o.ppv), len(o.siou))
                rows.append((r.score, text, r.threshold, *measured))
    note = (
        f"Components of {{score >= threshold}}; predicted ones below {limits.predicted} pixels are dropped, objects "
        f"below {limits.actual} pixels become void (SegmentMeIfYouCan)."
    )
    return Table("objects", "Objects", columns, tuple(rows), note)


def errors(results: Sequence[ScoreResult]) -> Table:
    """Whole false positives and negatives, before and after discarding."""
    parts = ("FP", "FN", "errors")
    columns = [_SCORE, Column("threshold", "number"), Column("segments", "count"), Column("objects", "count")]
    columns += [Column(f"{part} {when}", "count") for when in ("before", "after") for part in parts]
    columns += [Column("fewer errors, %"), Column("verdict", "text")]
    swept = [r for r in results if r.fewest is not None]
    if swept:
        columns += [Column("fewest without meta", "count"), Column("at threshold", "number")]
    rows = []
    for r in results:
        after = _after(r)
        gain = 1 - after.errors / r.plain.errors if after is not None and r.plain.errors else _NAN
        counts = (len(r.cut.data), r.actual, *_errors(r.plain), *_errors(after))
        row: list[Value] = [r.score, r.threshold, *counts, gain, WORSE_THAN_NOTHING if _is_worse(r) else ""]
        if swept:
            row += [r.fewest[1], r.fewest[0]] if r.fewest else [_NAN, _NAN]
        rows.append(tuple(row))
    note = (
        "FP: predicted components without an anomaly in them; FN: objects that no predicted component touches; after: "
        "of the components that the meta classifier keeps (Chan et al. 2021, section 4). To find nothing at all makes "
        "as many errors as there are objects: more than that is worse than silence."
    )
    if swept:
        note += " Fewest without meta: the best of the thresholds tried, for the pixels' sake alone."
    return Table("segment_errors", "Segment errors", tuple(columns), tuple(rows), note)


WORSE_THAN_NOTHING = "worse than finding nothing"


def worse_than_nothing(results: Sequence[ScoreResult]) -> list[str]:
    """A sentence on every score that makes more errors than one that finds nothing, which only misses the objects."""
    return [
        f"{r.score} at {r.threshold:.4g}: {(_after(r) or r.plain).errors:,} segment errors on {r.actual:,} objects are "
        f"{WORSE_THAN_NOTHING}, which makes {r.actual:,}"
        for r in results
        if _is_worse(r)
    ]


def _is_worse(result: ScoreResult) -> bool:
    return (_after(result) or result.plain).errors > result.actual


def classifiers(results: Sequence[ScoreResult]) -> tuple[Table, ...]:
    """How well false alarms are detected; empty without meta classification."""
    rows = []
    for r in results:
        if r.meta is not None:
            truth = r.cut.data.false_alarm
            share = float(truth.mean()) if len(truth) else _NAN
            rows.append(
                (r.score, len(truth), share, r.meta.accuracy, measures.majority(truth), r.meta.auroc, r.meta.outside)
            )
    titles = ("false alarms, %", "accuracy, %", "majority, %", "AUROC, %", "outside the range, %")
    columns = (_SCORE, Column("segments", "count"), *(Column(title) for title in titles))
    note = (
        "Is a segment a false alarm? Majority: accuracy of always answering the more frequent kind. Outside: metrics "
        "beyond the range fitted on; such segments are not discarded."
    )
    return (Table("meta_classifier", "Meta classifier", columns, tuple(rows), note),) if rows else ()


def sources_left_out(left_out: Mapping[str, Sequence[LeftOut]]) -> tuple[Table, ...]:
    """Every source to fit on, judged by a fit on the others; empty if none was left out."""
    columns = (
        _SCORE,
        Column("source left out", "text"),
        Column("threshold", "number"),
        Column("segments", "count"),
        Column("outside the range, %"),
        Column("AUROC, %"),
        Column("false alarms before", "count"),
        Column("after", "count"),
        Column("objects", "count"),
        Column("missed before", "count"),
        Column("missed after", "count"),
        Column("lost of those found, %"),
        Column("verdict", "text"),
    )
    rows: list[tuple[Value, ...]] = []
    for score, found in left_out.items():
        for r in found:
            before, after = (r.alarms_before, r.alarms_after), (r.missed_before, r.missed_after)
            outside = r.outside / r.segments if r.segments else _NAN
            counts = (*before, r.objects, *after, r.lost)
            rows.append((score, r.source, r.threshold, r.segments, outside, r.auroc, *counts, _verdict(r)))
    note = (
        "Each source is judged by a classifier fitted on all others, which also chose its threshold. Segments outside "
        "the range of metrics fitted on are never discarded. Worse: more errors than without a classifier, or more "
        f"than {100 * MOST_LOST:g} % of the objects found are lost; of fewer than {round(1 / MOST_LOST)} objects, one "
        "is more than that."
    )
    return (Table("sources_left_out", "Sources left out", columns, tuple(rows), note),) if rows else ()


def _verdict(row: LeftOut) -> str:
    return "not judged" if row.failed else "worse than none" if row.worse else "better" if row.better else "as none"


def _after(result: ScoreResult) -> Segments | None:
    return None if result.meta is None else result.meta.segments


def _errors(part: Segments | None) -> tuple[Value, ...]:
    return (_NAN,) * 3 if part is None else (part.false_positives, part.false_negatives, part.errors)
