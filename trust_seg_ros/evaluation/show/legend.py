"""Titles above a picture's panels, and legends below them: colour swatches with text, colour bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.drawing.lettering import text_mask, write
from trust_seg_ros.drawing.panels import BACKGROUND, FAINT, INK

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Entry:
    """A colour swatch and its meaning.

    Attributes:
        text: its meaning, ASCII.
        swatch: (h, w, 3) uint8 RGB; None for text alone.
    """

    text: str
    swatch: np.ndarray | None = None


def strip(height: int, width: int) -> np.ndarray:
    """An empty strip, (height, width, 3) uint8 RGB."""
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def title(text: str, width: int, height: int, colour: Colour = INK) -> np.ndarray:
    """One line above a panel, in smaller letters if it is too long."""
    line = height
    while line > 8 and text_mask(text, line).shape[1] > width:
        line -= 1
    picture = strip(height + height // 3, width)
    write(picture, text, 0, height - line, line, colour)
    return picture


def swatch_size(height: int) -> tuple[int, int]:
    """(rows, columns) of a swatch beside text of a given height."""
    return max(4, round(0.72 * height)), max(8, round(1.4 * height))


def flow(entries: Sequence[Entry], width: int, height: int, max_rows: int) -> np.ndarray:
    """Swatches with text, left to right in as many lines as needed; entries that do not fit are counted at the end."""
    lines: list[list[tuple[int, Entry]]] = [[]]
    left = 0
    for index, entry in enumerate(entries):
        wide = _width(entry, height)
        rest = Entry(f"+ {len(entries) - index} more")
        last = len(lines) == max_rows
        more = _width(rest, height) if last and index < len(entries) - 1 else 0
        if left and left + wide + more > width:
            if last:
                lines[-1].append((left, rest))
                break
            lines.append([])
            left = 0
        lines[-1].append((left, entry))
        left += wide + height
    pitch = round(1.35 * height)
    picture = strip(pitch * len(lines) + height // 3, width)
    for row, line in enumerate(lines):
        for start, entry in line:
            _draw(picture, entry, start, row * pitch + height // 3, height)
    return picture


def _width(entry: Entry, height: int) -> int:
    beside = 0 if entry.swatch is None else entry.swatch.shape[1] + height // 3
    return beside + text_mask(entry.text, height).shape[1]


def _draw(picture: np.ndarray, entry: Entry, left: int, top: int, height: int) -> None:
    if entry.swatch is not None:
        rows, columns = entry.swatch.shape[:2]
        row = top + (height - rows) // 2
        spot = picture[row : row + rows, left : left + columns]
        spot[:] = entry.swatch[: spot.shape[0], : spot.shape[1]]
        left += columns + height // 3
    write(picture, entry.text, left, top, height, FAINT)


def bar(colours: np.ndarray, ticks: Sequence[tuple[float, str]], width: int, height: int) -> np.ndarray:
    """A colour bar with text below it.

    Args:
        colours: (k, 3) uint8 RGB from 0 to 1.
        ticks: position in [0, 1] and text, which is left out if there is no room.
        width: width of the bar, in pixels.
        height: height of the text, in pixels.
    """
    thick, tick = round(0.8 * height), max(2, height // 5)
    below = thick + tick + height // 5
    top = height // 3
    picture = strip(top + below + round(1.1 * height), width)
    picture[top : top + thick] = colours[np.linspace(0, len(colours) - 1, width).round().astype(int)]
    free = height // 2
    taken: list[tuple[int, int]] = []
    for position, text in sorted(ticks, key=lambda tick: -abs(tick[0] - 0.5)):  # the ends first
        x = min(round(position * (width - 1)), width - 1)
        wide = text_mask(text, height).shape[1]
        left = min(max(x - wide // 2, 0), max(width - wide, 0))
        picture[top + thick : top + thick + tick, max(x - 1, 0) : x + 1] = FAINT
        if all(left + wide + free <= start or end + free <= left for start, end in taken):
            taken.append((left, left + wide))
            write(picture, text, left, top + below, height, FAINT)
    return picture
