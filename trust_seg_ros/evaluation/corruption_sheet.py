"""Contact sheet of corruptions: one row per kind, one column per severity, the clean image first."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.datasets.corruptions.names import SEVERITIES
from trust_seg_ros.drawing.lettering import text_mask, write

TEXT = 22
"""Height in pixels of a line of text."""
_INK, _PAPER, _GAP, _MARGIN = (235, 235, 235), (24, 24, 24), 4, 10


def corruption_sheet(
    image: np.ndarray, name: str, kinds: Sequence[str], *, seed: int = 0, width: int = 240
) -> np.ndarray:
    """Every kind at every severity of one image.

    Corruptions are applied at the image's own size and the results made smaller.

    Args:
        image: (H, W, 3) uint8 RGB, at least 16x16.
        name: name of the image, part of the random seed.
        kinds: rows of the sheet.
        seed: see ``corrupt``.
        width: width of a tile in pixels.

    Returns:
        (h, w, 3) uint8 RGB: a title row, then a row per kind with its name on the left.
    """
    tile = (max(1, round(width * image.shape[0] / image.shape[1])), width)
    left = max(text_mask(kind.replace("_", " "), TEXT).shape[1] for kind in kinds) + 2 * _MARGIN
    top = TEXT + _MARGIN
    columns = len(SEVERITIES) + 1
    sheet = np.empty((top + len(kinds) * (tile[0] + _GAP), left + columns * (tile[1] + _GAP), 3), np.uint8)
    sheet[:] = _PAPER
    for column in range(columns):
        title = f"severity {SEVERITIES[column - 1]}" if column else "clean"
        _centred(sheet, title, left + column * (tile[1] + _GAP) + tile[1] // 2, _MARGIN // 2)
    for row, kind in enumerate(kinds):
        y = top + row * (tile[0] + _GAP)
        write(sheet, kind.replace("_", " "), _MARGIN, y + (tile[0] - TEXT) // 2, TEXT, _INK)
        for column in range(columns):
            shown = corrupt(image, kind, SEVERITIES[column - 1], seed, name) if column else image
            x = left + column * (tile[1] + _GAP)
            sheet[y : y + tile[0], x : x + tile[1]] = cv2.resize(shown, tile[::-1], interpolation=cv2.INTER_AREA)
    return sheet


def _centred(sheet: np.ndarray, text: str, middle: int, top: int) -> None:
    write(sheet, text, middle - text_mask(text, TEXT).shape[1] // 2, top, TEXT, _INK)
