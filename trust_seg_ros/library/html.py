"""A result as a notebook shows it."""

from __future__ import annotations

import base64
from html import escape

from trust_seg_ros.drawing.pictures import PictureError
from trust_seg_ros.drawing.wording import percent
from trust_seg_ros.library.judged import JudgedImage
from trust_seg_ros.library.picture import plot
from trust_seg_ros.library.segments import Segment

_ROWS, _WIDTH = 8, 1600
_STYLE = "border-collapse:collapse;margin-top:.5em;font-size:90%"
_CELL = "padding:2px 10px;text-align:left"


def as_html(result: JudgedImage) -> str:
    """One line, the picture, and the least trusted segments; names of classes and files are escaped."""
    words = f"{result.size[1]}×{result.size[0]}{result.on_grid.counts}"
    head = f"<b>{escape(result.name)}</b> " if result.name else ""
    return f"<div>{head}{escape(words)}<br>{_picture(result)}{_table(result)}</div>"


def _picture(result: JudgedImage) -> str:
    try:
        data = base64.b64encode(plot(result, _WIDTH).encoded(".jpg")).decode()
    except PictureError as error:
        return escape(str(error))
    return f'<img src="data:image/jpeg;base64,{data}" style="max-width:100%" alt="camera, classes, entropy, flags">'


def _table(result: JudgedImage) -> str:
    if result.segments is None or result.segments.trust is None or not len(result.segments):
        return ""
    flagged = result.segments.unreliable().least_trusted(_ROWS)
    if not len(flagged):
        return "<p>No segment is unreliable.</p>"
    heads = "".join(
        f'<th style="{_CELL}">{name}</th>' for name in ("unreliable", "P(wrong)", "expected IoU", "pixels", "box")
    )
    rows = "".join(f"<tr>{_cells(segment, result)}</tr>" for segment in flagged)
    rest = len(result.segments.unreliable()) - len(flagged)
    more = f"<p>and {rest} more: <code>result.segments.unreliable()</code></p>" if rest else ""
    return f'<table style="{_STYLE}"><tr>{heads}</tr>{rows}</table>{more}'


def _cells(segment: Segment, result: JudgedImage) -> str:
    colour = bytes(result.labels.palette[segment.class_id].tolist()).hex()
    name = f'<span style="color:#{colour}">■</span> {escape(segment.class_name)}'
    left, top, right, bottom = segment.box
    cells = (
        name,
        percent(segment.p_wrong or 0.0),
        f"{segment.iou or 0.0:.2f}",
        f"{segment.area:,}",
        f"{left}, {top} – {right}, {bottom}",
    )
    return "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)
