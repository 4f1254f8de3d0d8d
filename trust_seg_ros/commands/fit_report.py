"""What ``trust-seg fit`` prints: numbers of segments, scores of the models, their largest coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from trust_seg_ros.fitting.store import SegmentStore
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.meta.trees import Trees

_STRONGEST = 12
_HALF = 10  # width of a bar on either side
_SCORES = (("accuracy", "accuracy"), ("majority", "majority"), ("auroc", "AUROC"), ("r2", "R²"), ("sigma", "σ"))


def splits_table(store: SegmentStore, parts: Mapping[str, SegmentData]) -> Table:
    """Images and segments of every split.

    Args:
        store: where they come from.
        parts: name of a split -> its segments with an interior.
    """
    heads = ("split", "images", "skipped", "segments", "with interior", "false positives")
    table = _right(Table(title="segments", title_justify="left"), heads)
    for split, data in parts.items():
        entry = store.entry(split)
        images = len(entry.images) - len(entry.skipped)
        row = (images, len(entry.skipped), entry.segments, entry.with_interior)
        table.add_row(split, *(f"{number:,}" for number in row), _share(data.false_positive))
    return table


def classes_table(data: SegmentData) -> Table:
    """Segments with an interior by predicted class: their number, how many are false positives, their mean IoU."""
    heads = ("class", "with interior", "false positives", "mean IoU", "mean IoU_adj")
    table = _right(Table(title="predicted classes", title_justify="left"), heads)
    for c, name in enumerate(data.class_names):
        mine = data.class_ids == c
        means = [f"{values[mine].mean():.3f}" if mine.any() else "" for values in (data.iou, data.iou_adj)]
        table.add_row(name, f"{mine.sum():,}", _share(data.false_positive[mine]), *means)
    return table


def skipped_table(store: SegmentStore, splits: Sequence[str]) -> Table | None:
    """Images that were left out, and why; None if there are none."""
    table = Table("split", "image", "why", title="left out", title_justify="left")
    for split in splits:
        for name, reason in store.entry(split).skipped.items():
            table.add_row(split, Text(name), Text(reason))
    return table if table.row_count else None


def scores_table(rows: Mapping[str, Mapping[str, float]]) -> Table:
    """Scores by the data they were computed on; see ``fitting.fit.scores``."""
    table = _right(Table(title="meta models", title_justify="left"), ("on", *(head for _, head in _SCORES)))
    for name, scores in rows.items():
        table.add_row(name, *(f"{scores[key]:.3f}" for key, _ in _SCORES))
    return table


def coefficients_table(model: MetaModel, strongest: int = _STRONGEST) -> Table:
    """The features with the largest coefficients (of standardised metrics) in either model.

    A bar to the right: the larger the metric, the likelier a false positive, or the larger the IoU; to the left, the
    opposite.
    """
    wrong, iou = model.classifier.coefficients, model.regressor.coefficients
    strength = np.maximum(*(np.abs(c) / max(np.abs(c).max(initial=0), 1e-300) for c in (wrong, iou)))
    order = np.argsort(-strength, kind="stable")[:strongest]
    title = f"strongest {len(order)} of {len(model.features)} coefficients (standardised metrics)"
    table = Table("metric", title=title, title_justify="left")
    for head in ("false positive", "IoU_adj"):
        table.add_column(head, justify="right")
        table.add_column("−" + " " * (2 * _HALF - 1) + "+", no_wrap=True)
    for k in order:
        cells = (cell for c in (wrong, iou) for cell in (f"{c[k]:+.3f}", bar(c[k] / max(np.abs(c).max(), 1e-300))))
        table.add_row(model.features[k], *cells)
    return table


def strongest_table(model: MetaModel, strongest: int = _STRONGEST) -> Table:
    """The features that matter most: by their coefficients, or by how many splits of the trees use them."""
    if model.trees is None:
        return coefficients_table(model, strongest)
    counts = [_splits(trees, len(model.features)) for trees in (model.trees.false_positive, model.trees.iou)]
    order = np.argsort(-(counts[0] + counts[1]), kind="stable")[:strongest]
    title = "splits of the trees by metric"
    table = _right(Table(title=title, title_justify="left"), ("metric", "false positive", "IoU_adj"))
    for k in order:
        table.add_row(model.features[k], *(f"{share[k]:.1%}" for share in counts))
    return table


def _splits(trees: Trees, m: int) -> np.ndarray:
    """(m,) share of the splits that use each metric."""
    found: np.ndarray = np.bincount(trees.feature[trees.left != np.arange(len(trees.left))], minlength=m)
    return found / max(found.sum(), 1)


def bar(share: float) -> str:
    """A number in [-1, 1] as a bar, 21 characters wide, that starts in the middle."""
    length = min(_HALF, round(abs(share) * _HALF))
    left, right = ("█" * length, "") if share < 0 else ("", "█" * length)
    return f"{left:>{_HALF}}│{right:<{_HALF}}"


def _right(table: Table, heads: Sequence[str]) -> Table:
    for k, head in enumerate(heads):
        table.add_column(head, justify="right" if k else "left")
    return table


def _share(values: np.ndarray) -> str:
    return f"{values.mean():.1%}" if values.size else ""
