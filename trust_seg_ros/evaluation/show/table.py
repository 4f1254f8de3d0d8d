"""The segments of one image as rows, least trusted first: for a terminal and for a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
from rich.style import Style
from rich.table import Table
from rich.text import Text

from trust_seg_ros.evaluation.show.show import Findings
from trust_seg_ros.types import Json

CSV_COLUMNS = (
    *("image", "segment", "class_id", "class", "p_wrong", "unreliable", "predicted_iou_adj", "iou", "iou_adj"),
    *("size", "interior_size", "left", "top", "right", "bottom", "entropy"),
)
"""Column names, where possible the same as in the segment table of ``trust-seg fit``; right and bottom exclusive."""


def distrust_order(findings: Findings, min_size: int | None = None) -> np.ndarray:
    """Positions of the segments of at least ``min_size`` pixels, least trusted first; ties by number.

    None means segments with an interior, which meta models are fitted on and judged by.
    """
    segments = findings.segments
    order = np.argsort(-findings.distrust, kind="stable")
    wanted = segments.interior_sizes > 0 if min_size is None else segments.sizes >= min_size
    return order[wanted[order]]


def segments_table(findings: Findings, name: str, *, top: int = 20, min_size: int | None = None) -> Table:
    """The least trusted segments as a table.

    Args:
        findings: see ``show.examine``.
        name: name of the image, for the title.
        top: largest number of rows.
        min_size: smallest segment in pixels; None = segments with an interior.
    """
    order = distrust_order(findings, min_size)
    shown, total = order[:top], len(findings.segments)
    by = "mean entropy" if findings.trust is None else "P(wrong)"
    title = f"{name}: {len(shown)} of {total} segments, the largest {by} first"
    table = Table(title=Text(title), title_justify="left", caption=_caption(findings, total - len(order), min_size))
    table.caption_justify = "left"
    heads = ["P(wrong)", "IoU_adj"] if findings.trust is not None else []
    heads += ["true IoU_adj"] if findings.targets is not None else []
    table.add_column("segment", justify="right")
    table.add_column("class")
    for head in (*heads, "entropy", "size"):
        table.add_column(head, justify="right")
    table.add_column("box")
    flagged = findings.unreliable[shown]
    for place, k in enumerate(shown.tolist()):
        # a line below the last unreliable one
        table.add_row(*_cells(findings, k), end_section=bool(flagged[place] and not flagged[place + 1 :].any()))
    return table


def _cells(findings: Findings, k: int) -> list[Text]:
    segments, labels = findings.segments, findings.labels
    class_id = int(segments.class_ids[k])
    colour = "#" + bytes(labels.palette[class_id].tolist()).hex()
    numbers = [] if findings.trust is None else [findings.trust.p_wrong[k], findings.trust.iou[k]]
    numbers += [] if findings.targets is None else [findings.targets.iou_adj[k]]
    left, top, right, bottom = segments.boxes[k].tolist()
    return [
        Text(str(k + 1)),
        Text("■ ", Style(color=colour)).append(labels.names[class_id], Style(color="default")),
        *(Text(f"{value:.2f}") for value in (*numbers, findings.mean_entropy[k])),
        Text(f"{segments.sizes[k]:,}"),
        Text(f"{left},{top} - {right},{bottom}"),
    ]


def _caption(findings: Findings, small: int, min_size: int | None) -> Text:
    parts = []
    if findings.trust is not None:
        parts.append(
            f"{findings.unreliable.sum()} of all {len(findings.segments)} have {findings.limits}; IoU_adj is predicted."
        )
    if small:
        which = "without an interior" if min_size is None else f"of less than {min_size} pixels"
        parts.append(f"{small} {which} are not listed.")
    parts.append("Boxes: left,top - right,bottom in pixels.")
    return Text(" ".join(parts))


def csv_head() -> str:
    """The first line of a CSV file."""
    return _csv_lines([CSV_COLUMNS])


def csv_rows(name: str, findings: Findings) -> str:
    """All segments of an image as lines of CSV, see ``CSV_COLUMNS``; unknown values are empty."""
    return _csv_lines([_csv_row(name, findings, k) for k in distrust_order(findings, 1).tolist()])


def json_rows(name: str, findings: Findings) -> list[Json]:
    """The rows of :func:`csv_rows` as objects; unknown values are None."""
    rows = (_csv_row(name, findings, k) for k in distrust_order(findings, 1).tolist())
    return [dict(zip(CSV_COLUMNS, map(_value, row), strict=True)) for row in rows]


def _value(cell: object) -> object:
    if cell == "" or not isinstance(cell, str):
        return None if cell == "" else cell
    try:
        return float(cell)
    except ValueError:
        return cell


def _csv_lines(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _csv_row(name: str, findings: Findings, k: int) -> list[object]:
    segments, trust, truth = findings.segments, findings.trust, findings.targets
    class_id = int(segments.class_ids[k])
    judged = ["", "", ""] if trust is None else [_six(trust.p_wrong[k]), int(trust.unreliable[k]), _six(trust.iou[k])]
    true = ["", ""] if truth is None else [_six(truth.iou[k]), _six(truth.iou_adj[k])]
    sizes = [int(segments.sizes[k]), int(segments.interior_sizes[k])]
    row = [name, k + 1, class_id, findings.labels.names[class_id], *judged, *true, *sizes]
    return [*row, *segments.boxes[k].tolist(), _six(findings.mean_entropy[k])]


def _six(value: float) -> str:
    return f"{value:.6g}"
