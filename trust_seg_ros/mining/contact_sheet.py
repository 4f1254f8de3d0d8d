"""The chosen moments on one page, best first: what is flagged lit up, with rank, time and reason below."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.drawing.lettering import write
from trust_seg_ros.drawing.panels import BACKGROUND, FAINT, INK
from trust_seg_ros.drawing.pictures import spotlight
from trust_seg_ros.library.picture import Picture
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.mining.moment import Moment
from trust_seg_ros.mining.selection import Pick
from trust_seg_ros.support.resumable import whole_file

SHOWN = 60
"""Most moments on the sheet: more make a picture that nobody looks at."""
_WIDTH, _COLUMNS, _GAP, _LINE = 400, 4, 8, 20
_LETTERS, _LINES = 50, 2  # of the reason
_TALLEST = 1.5  # of a tile, times its width


class ContactSheet:
    """Collects small pictures of moments as they pass by; none of the large ones is kept."""

    def __init__(self, most: int = SHOWN) -> None:
        """Show the moments up to this rank."""
        self._most = most
        self._tiles: dict[int, np.ndarray] = {}

    def watching(self, moments: Iterable[Moment]) -> Iterator[Moment]:
        """The same moments, each looked at in passing."""
        for moment in moments:
            if moment.rank <= self._most:
                self._tiles[moment.rank] = _tile(moment)
            yield moment

    def picture(self) -> Picture:
        """The sheet, (height, width, 3) uint8 RGB; an empty one where no moment has passed."""
        tiles = [tile for _, tile in sorted(self._tiles.items())]
        rows = [tiles[k : k + _COLUMNS] for k in range(0, len(tiles), _COLUMNS)]
        width = _COLUMNS * (_WIDTH + _GAP) + _GAP
        height = _GAP + sum(max(map(len, row)) + _GAP for row in rows)
        sheet = np.full((height, width, 3), BACKGROUND, np.uint8)
        top = _GAP
        for row in rows:
            for column, tile in enumerate(row):
                left = _GAP + column * (_WIDTH + _GAP)
                sheet[top : top + len(tile), left : left + _WIDTH] = tile
            top += max(map(len, row)) + _GAP
        return Picture(sheet)


def _tile(moment: Moment) -> np.ndarray:
    result = moment.result
    view = Rendering(result, MessageOptions(result.labels.names, result.labels.palette))
    lit = spotlight(result.frame.image, view.unreliable, (), None if result.ood is None else view.ood, dim=False)
    height = max(1, min(round(_WIDTH * lit.shape[0] / lit.shape[1]), round(_TALLEST * _WIDTH)))
    shrinks = lit.shape[1] > _WIDTH
    tile = np.full((height + (1 + _LINES) * _LINE + 4, _WIDTH, 3), BACKGROUND, np.uint8)
    tile[:height] = cv2.resize(lit, (_WIDTH, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    write(tile, f"{moment.rank}  {moment.name}", 2, height + 2, _LINE - 3, INK)
    for number, line in enumerate(textwrap.wrap(moment.why, _LETTERS, max_lines=_LINES, placeholder=" ..."), 1):
        write(tile, line, 2, height + 2 + number * _LINE, _LINE - 6, FAINT)
    return tile


def write_csv(path: Path, picks: Iterable[Pick], sources: list[str]) -> None:
    """The chosen as a table, by rank: rank, name, source, seconds (from 1970, or the beginning of a video), score, why.

    Raises:
        OSError: it cannot be written.
    """
    with whole_file(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["rank", "name", "source", "seconds", "score", "why"])
        for pick in picks:
            glance = pick.glance
            seconds = "" if glance.stamp_ns is None else f"{glance.stamp_ns // 10**9}.{glance.stamp_ns % 10**9:09d}"
            source = sources[glance.origin]
            writer.writerow([pick.rank, glance.name, source, seconds, f"{pick.score:.4f}", glance.why])
