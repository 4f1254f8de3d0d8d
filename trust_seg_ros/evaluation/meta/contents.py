"""What a report holds: its sections, their tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from trust_seg_ros.evaluation.meta import figures, tables
from trust_seg_ros.evaluation.meta.report import Picture, Report, Section
from trust_seg_ros.evaluation.meta.study import Study
from trust_seg_ros.meta.data import SegmentData

_PICTURES = (
    ("lasso", "LASSO path of the classifier, mean over runs (MetaSeg, Fig. 4)", figures.lasso),
    ("scatter", "Predicted against true IoU_adj of judged segments (MetaSeg, Fig. 3)", figures.scatter),
    ("roc", "ROC of the classifier and of the entropy baseline, mean over runs", figures.roc),
    ("classes", "AUROC per predicted class", figures.classes),
)


def contents(
    studies: Sequence[Study], judged: SegmentData, names: Sequence[str], command: str, facts: Mapping[str, str]
) -> Report:
    """The report of some arrangements.

    Args:
        studies: one per arrangement.
        judged: the segments of the split that is judged, for the correlations.
        names: the metrics used.
        command: the command line as it was typed.
        facts: what else the reader must know: name to value.
    """
    sections = [
        Section("Summary", "", (tables.summary(studies),)),
        Section(
            "Metrics",
            "",
            (tables.correlation(judged, names),),
            (
                Picture(
                    "correlation",
                    "Pearson correlation of the metrics with IoU_adj (MetaSeg, Table I)",
                    partial(figures.correlation, judged, names),
                ),
            ),
        ),
        *(_section(study) for study in studies),
    ]
    return Report(
        "Meta classification and meta regression",
        command,
        tuple(facts.items()),
        tuple(_notes(studies)),
        tuple(sections),
    )


def counts(data: SegmentData) -> str:
    """How many segments, and how many of them are wrong, in words."""
    wrong = int(data.false_positive.sum())
    share = f"{wrong:,} false positives" + (f" ({100 * wrong / len(data):.2f} %)" if len(data) else "")
    return f"{len(data):,} segments with an interior in {len(data.images):,} images, {share}"


def _section(study: Study) -> Section:
    made = (
        tables.classification(study),
        tables.regression(study),
        tables.runs(study),
        tables.by_class(study),
        tables.by_drive(study),
        tables.by_size(study),
        tables.metrics_of_path(study),
        tables.path(study),
    )
    name = study.arrangement.name
    pictures = tuple(Picture(file, f"{name}: {caption}", partial(draw, study)) for file, caption, draw in _PICTURES)
    return Section(
        name, study.arrangement.text[0].upper() + study.arrangement.text[1:] + ".", made, pictures, f"{name}_"
    )


def _notes(studies: Sequence[Study]) -> list[str]:
    """What could not be told, and why."""
    notes = []
    for study in studies:
        wrong = study.data.false_positive
        for what, part in (("fitted", "fitted"), ("judged", "judged")):
            single = [run.name for run in study.arrangement.runs if wrong[getattr(run, part)].all()]
            none = [run.name for run in study.arrangement.runs if not wrong[getattr(run, part)].any()]
            notes += [
                f"{study.arrangement.name}: {kind} among the {what} segments of {', '.join(found)}; "
                f"{'the classifiers' if what == 'fitted' else 'AUROC'} cannot be told there"
                for kind, found in (("no false positive", none), ("nothing but false positives", single))
                if found
            ]
    return notes
