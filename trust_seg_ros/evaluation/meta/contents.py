"""Contents of the report: its sections, their tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from trust_seg_ros.evaluation.meta import figures, tables
from trust_seg_ros.evaluation.meta.study import Study
from trust_seg_ros.evaluation.report.report import Contents, Picture, Section
from trust_seg_ros.meta.data import SegmentData

_PICTURES = (
    ("lasso", "LASSO path of the classifier, mean over runs (MetaSeg, Fig. 4)", figures.lasso),
    ("scatter", "Predicted against true IoU_adj of judged segments (MetaSeg, Fig. 3)", figures.scatter),
    ("roc", "ROC of the classifier and of the entropy baseline, mean over runs", figures.roc),
    ("classes", "AUROC per predicted class", figures.classes),
)


def contents(studies: Sequence[Study], judged: SegmentData, names: Sequence[str]) -> Contents:
    """Tables, figures and notes for some arrangements.

    Args:
        studies: one per arrangement.
        judged: the segments of the judged split, for the correlations.
        names: the metrics used.
    """
    sections = (
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
        *(_section(study) for study in studies if not study.arrangement.brief),
    )
    return Contents("Meta classification and meta regression", sections, tuple(_notes(studies)))


def counts(data: SegmentData) -> str:
    """Number of segments and of false positives, in words."""
    n, wrong, images = len(data), int(data.false_positive.sum()), len(np.unique(data.image))
    share = f" ({100 * wrong / n:.2f} %)" if n else ""
    return (
        f"{n:,} segment{'s' * (n != 1)} with an interior in {images:,} image{'s' * (images != 1)}, "
        f"{wrong:,} false positive{'s' * (wrong != 1)}{share}"
    )


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
    name, label, text = study.arrangement.name, study.arrangement.label, study.arrangement.text
    pictures = tuple(Picture(file, f"{label}: {caption}", partial(draw, study)) for file, caption, draw in _PICTURES)
    return Section(label, f"{text[0].upper()}{text[1:]}.", made, pictures, f"{name}_")


def _notes(studies: Sequence[Study]) -> list[str]:
    """Notes on results that are undefined, and why."""
    notes = []
    for study in studies:
        runs, wrong = study.arrangement.runs, study.data.false_positive
        for part, lost in (("fitted", "the classifiers are"), ("judged", "AUROC is")):
            kinds = {run.name: set(wrong[getattr(run, part)].tolist()) for run in runs}
            for kind, what in ((False, "no false positive"), (True, "nothing but false positives")):
                found = [name for name, there in kinds.items() if there == {kind}]
                if found:
                    where = f"{study.arrangement.label}: {what} among the {part} segments of {', '.join(found)}"
                    notes.append(f"{where}; {lost} undefined there")
    return notes
