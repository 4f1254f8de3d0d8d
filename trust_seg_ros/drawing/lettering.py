"""Small readable lettering for pictures: OpenCV's stroke font drawn large, then reduced, which smooths its edges."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_DUPLEX
_OVERSAMPLING = 4


@lru_cache(maxsize=512)
def text_mask(text: str, height: int) -> np.ndarray:
    """Coverage of one line of text.

    Args:
        text: ASCII; other characters show as '?'.
        height: height of the line in pixels, descenders included.

    Returns:
        (height, width) float32 in [0, 1], read-only because it is shared.
    """
    text = text.encode("ascii", "replace").decode()
    large = height * _OVERSAMPLING
    scale = large / 32.0  # at scale 1 the font is 22 px from baseline to capital, 32 px with ascenders and descenders
    stroke = max(1, round(1.5 * scale))
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, stroke)
    width += stroke * 2
    canvas = np.zeros((large, -(-max(width, 1) // _OVERSAMPLING) * _OVERSAMPLING), dtype=np.uint8)
    cv2.putText(canvas, text, (stroke, round(large * 0.76)), _FONT, scale, 255, stroke, cv2.LINE_AA)
    small = cv2.resize(canvas, (canvas.shape[1] // _OVERSAMPLING, height), interpolation=cv2.INTER_AREA)
    mask = small.astype(np.float32) / 255.0
    mask.flags.writeable = False
    return mask


def write(picture: np.ndarray, text: str, left: int, top: int, height: int, colour: tuple[int, int, int]) -> int:
    """Write one line into ``picture`` in place, cut off at its edges.

    Args:
        picture: (H, W, 3) uint8 RGB, changed.
        text: ASCII.
        left: column of the first pixel.
        top: row of the first pixel.
        height: height of the line in pixels.
        colour: RGB of the strokes.

    Returns:
        The column after the text.
    """
    mask = text_mask(text, height)
    end = left + int(mask.shape[1])
    spot = picture[max(top, 0) : top + height, max(left, 0) : end]
    if spot.size:
        cover = mask[max(-top, 0) :, max(-left, 0) :][: spot.shape[0], : spot.shape[1], None]
        spot[:] = (spot * (1.0 - cover) + np.asarray(colour, np.float32) * cover + 0.5).astype(np.uint8)
    return end
