"""Rows of four pictures with a line of text each, under a row of captions."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from trust_seg_ros.drawing.lettering import write
from trust_seg_ros.drawing.panels import BACKGROUND, FAINT, INK

TILE, GAP = 440, 8
"""Width of a picture and of the gap between two, in pixels."""
_COLUMNS, _HEAD, _LINE = 4, 34, 26


def header(captions: Sequence[str]) -> np.ndarray:
    """(34, W, 3) uint8 RGB, a caption above each column."""
    head = np.full((_HEAD, _width(), 3), BACKGROUND, np.uint8)
    for column, caption in enumerate(captions):
        write(head, caption, column * (TILE + GAP) + 4, 7, 20, INK)
    return head


def row_of(tiles: Sequence[np.ndarray], title: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB: pictures of one size side by side, stretched to ``TILE``, and the title below."""
    height = max(1, round(TILE * tiles[0].shape[0] / tiles[0].shape[1]))
    row = np.full((height + _LINE, _width(), 3), BACKGROUND, np.uint8)
    for column, tile in enumerate(tiles):
        left = column * (TILE + GAP)
        row[:height, left : left + TILE] = cv2.resize(tile, (TILE, height), interpolation=cv2.INTER_AREA)
    write(row, title, 4, height + 4, 17, FAINT)
    return row


def _width() -> int:
    return _COLUMNS * TILE + (_COLUMNS - 1) * GAP
