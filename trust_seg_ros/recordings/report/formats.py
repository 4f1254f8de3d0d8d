"""Formats numbers, times and texts for the page, and escapes everything that comes from a file."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np

NOTHING = "–"
"""Shown for a missing number."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FIRST_DATE_NS = 946_684_800 * 10**9  # 2000-01-01
_IN_SCRIPTS = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def text(value: object) -> str:
    """Escape a text for HTML, also inside a quoted attribute."""
    return html.escape(str(value), quote=True)


def json_text(data: Any) -> str:
    """JSON for a ``<script type="application/json">``: compact, ASCII, without characters special in HTML.

    Raises:
        ValueError: a number is not finite; use None instead (see :func:`rounded`).
    """
    return json.dumps(data, separators=(",", ":"), allow_nan=False).translate(_IN_SCRIPTS)


def rounded(values: Iterable[float], digits: int = 4) -> list[float | int | None]:
    """Numbers rounded to ``digits`` significant digits, whole ones as int; None where a number is not finite."""
    return [_shortest(float(value), digits) for value in np.asarray(values, np.float64)]


def _shortest(value: float, digits: int) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def seconds(values: Iterable[float]) -> list[float | None]:
    """Times in seconds, rounded to milliseconds; None where a time is not finite."""
    return [round(float(value), 3) if math.isfinite(value) else None for value in np.asarray(values, np.float64)]


def number(value: float, digits: int = 3, unit: str = "") -> str:
    """A number rounded to ``digits`` significant digits, with its unit; ``NOTHING`` for NaN, infinity in words."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    shown = f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
    return f"{shown} {unit}" if unit else shown


def whole(value: float) -> str:
    """A count, thousands separated; ``NOTHING`` for NaN."""
    return f"{round(value):,}" if math.isfinite(value) else NOTHING


def percent(share: float) -> str:
    """A share in 0..1 as percent; ``NOTHING`` for NaN."""
    return f"{number(100.0 * share)} %" if math.isfinite(share) else NOTHING


def offset(value: float) -> str:
    """Seconds after the beginning, e.g. ``83.40 s (1:23)``."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:.2f} s" if abs(value) < 60 else f"{value:.2f} s ({clock(value)})"


def clock(value: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``, rounded down."""
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def start_offset(value: float) -> str:
    """Seconds for ``ros2 bag play --start-offset``, rounded down to milliseconds, so that the frame is played."""
    return f"{max(math.floor(value * 1000 + 1e-6), 0) / 1000:.3f}"


def length(value: float) -> str:
    """A duration, e.g. ``12.3 s``, ``4:05 min``, ``1:02:03 h``."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:.1f} s" if value < 60 else f"{clock(value)} {'min' if value < 3600 else 'h'}"


def utc(stamp_ns: int) -> str:
    """Nanoseconds since the epoch as date and time in UTC with milliseconds.

    "" for what is no date: 0 (not stamped), and times before 2000, which count from the beginning of a video or of a
    simulation.
    """
    stamp_ns = int(stamp_ns)
    if stamp_ns < _FIRST_DATE_NS:
        return ""
    try:
        moment = _EPOCH + timedelta(milliseconds=stamp_ns // 1_000_000)
    except OverflowError:
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} UTC"


def stamp(stamp_ns: int) -> str:
    """A time stamp as ROS prints it: seconds and nanoseconds; "not stamped" for 0."""
    whole_seconds, rest = divmod(int(stamp_ns), 10**9)
    return f"{whole_seconds}.{rest:09}" if stamp_ns else "not stamped"


def colour(rgb: Sequence[int]) -> str:
    """``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*(int(c) for c in rgb))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", numbers_from: int = 1) -> str:
    """An HTML table; every cell is escaped, columns from ``numbers_from`` on are right-aligned."""
    if not head:
        lines = [f'<tr><th scope="row">{text(row[0])}</th>' + _cells(row[1:], numbers_from) + "</tr>" for row in rows]
        return f'<table class="facts">{_caption(caption)}<tbody>{"".join(lines)}</tbody></table>'
    top = "".join(f'<th scope="col"{_number_class(i, numbers_from)}>{text(name)}</th>' for i, name in enumerate(head))
    body = "".join(f'<tr><th scope="row">{text(row[0])}</th>{_cells(row[1:], numbers_from)}</tr>' for row in rows)
    return f"<table>{_caption(caption)}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _caption(caption: str) -> str:
    return f"<caption>{text(caption)}</caption>" if caption else ""


def _cells(cells: Sequence[str], numbers_from: int) -> str:
    return "".join(f"<td{_number_class(i, numbers_from)}>{text(cell)}</td>" for i, cell in enumerate(cells, start=1))


def _number_class(column: int, numbers_from: int) -> str:
    return ' class="number"' if column >= numbers_from else ""
