"""Pictures for viewing: class masks, heat maps, overlays and flagged segments as RGB images.

Everything here is (H, W, 3) uint8 in RGB order; inputs are NumPy arrays on the host. Built from OpenCV's table look-ups
and saturating arithmetic, so that each picture costs a small part of a camera period (see ``benchmarks/``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from trust_seg_ros.drawing.heat_maps import COLOUR_MAPS, PictureError, as_bytes, colour_map
from trust_seg_ros.drawing.lettering import text_mask
from trust_seg_ros.types import UNLABELLED

__all__ = [
    "COLOUR_MAPS",
    "NEUTRAL",
    "PIXEL_FLAG",
    "SEGMENT_FLAG",
    "SIGNAL",
    "UNKNOWN",
    "FlagLabel",
    "PictureError",
    "as_bytes",
    "colour_map",
    "label_picture",
    "mark",
    "overlay",
    "spotlight",
    "write_labels",
]

SIGNAL = (255, 190, 0)
"""RGB of flagged segments: amber, which street palettes do not use and colour-blind readers see as bright."""

UNKNOWN = (0, 205, 255)
"""RGB of out-of-distribution segments: cyan, which every reader can distinguish from ``SIGNAL``."""

NEUTRAL = (40, 40, 40)
"""RGB of pixels without a class."""

SEGMENT_FLAG = 255
"""Value of a pixel of an unreliable segment in an 8-bit mask, as ``~/unreliable`` publishes it."""

PIXEL_FLAG = 128
"""Value of a pixel where only the pixel threshold fires; in ``~/ood``, of a pixel whose segment was discarded."""


@dataclass(frozen=True)
class FlagLabel:
    """The label of one flagged segment.

    Attributes:
        box: left, top, right, bottom in pixels of the image, right and bottom exclusive.
        text: a few words, ASCII.
        colour: RGB of its background.
    """

    box: tuple[int, int, int, int]
    text: str
    colour: tuple[int, int, int] = SIGNAL


def label_picture(classes: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Class ids as their palette colours.

    Args:
        classes: (H, W) uint8 class ids; ids without a palette entry, and 255, become ``NEUTRAL``.
        palette: (q, 3) uint8 RGB, q <= 256.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        PictureError: an array has another type or shape.
    """
    _check_classes(classes)
    return cv2.applyColorMap(np.ascontiguousarray(classes), _table(palette))


def overlay(
    image: np.ndarray,
    classes: np.ndarray,
    palette: np.ndarray,
    alpha: float = 0.5,
    unreliable: np.ndarray | None = None,
) -> np.ndarray:
    """The camera image tinted by class; unreliable segments hatched and outlined in ``SIGNAL``.

    Args:
        image: (H, W, 3) uint8 RGB.
        classes: (H, W) uint8 class ids.
        palette: (q, 3) uint8 RGB.
        alpha: share of the class colour, 0 (camera only) to 1 (mask only).
        unreliable: (H, W) bool, or uint8 as ``~/unreliable``: 255 = segment (hatched, outlined), 128 = single
            pixels (dotted).

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        PictureError: an array has another type or shape, or ``alpha`` lies outside [0, 1].
    """
    _check_image(image, classes)
    if not 0.0 <= alpha <= 1.0:
        raise PictureError(f"alpha is {alpha}; expected a share of the class colour between 0 and 1")
    picture = cv2.addWeighted(image, 1.0 - alpha, label_picture(classes, palette), alpha, 0.0)
    if unreliable is not None:
        mark(picture, unreliable)
    return picture


def mark(picture: np.ndarray, unreliable: np.ndarray, colour: tuple[int, int, int] = SIGNAL) -> None:
    """Draw flags into ``picture`` in place: segments hatched with a dark-edged outline, single pixels dotted.

    Args:
        picture: (H, W, 3) uint8 RGB, changed.
        unreliable: (H, W) bool or uint8 (255 segment, 128 pixel), see :func:`overlay`.
        colour: RGB of the marks.

    Raises:
        PictureError: shapes or types do not fit.
    """
    flags = _flags(unreliable, picture.shape[:2])
    segments, pixels = _equal(flags, SEGMENT_FLAG), _equal(flags, PIXEL_FLAG)
    if cv2.hasNonZero(pixels):
        _paint(picture, colour, cv2.bitwise_and(pixels, _dots(flags.shape)))
    if cv2.hasNonZero(segments):
        _paint(picture, colour, cv2.bitwise_and(segments, _hatching(flags.shape)))
        _outline(picture, segments, colour)


def spotlight(
    image: np.ndarray,
    unreliable: np.ndarray,
    labels: Sequence[FlagLabel] = (),
    ood: np.ndarray | None = None,
    *,
    dim: bool = True,
) -> np.ndarray:
    """The camera image in dim grey, with the flagged segments alone in colour, outlined and named.

    Args:
        image: (H, W, 3) uint8 RGB.
        unreliable: (H, W) bool or uint8 (255 segment, 128 pixel); segments hatched in ``SIGNAL``.
        labels: labels of segments, most important first; one that would cover an earlier one is left out.
        ood: (H, W) of the same kind: out-of-distribution segments, tinted and outlined in ``UNKNOWN``.
        dim: False keeps the camera image as it is.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        PictureError: shapes or types do not fit.
    """
    _check_image(image, unreliable)
    picture = _dimmed(image) if dim else image.copy()
    _tint(picture, image, _segments(unreliable, image), SIGNAL)
    if ood is not None:
        _tint(picture, image, _segments(ood, image), UNKNOWN)
    mark(picture, unreliable)
    if ood is not None:
        _outline(picture, _segments(ood, image), UNKNOWN)
    write_labels(picture, labels)
    return picture


def _dimmed(image: np.ndarray) -> np.ndarray:
    grey = cv2.convertScaleAbs(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), alpha=0.5, beta=10)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def _segments(flags: np.ndarray, image: np.ndarray) -> np.ndarray:
    return _equal(_flags(flags, image.shape[:2]), SEGMENT_FLAG)


def _equal(flags: np.ndarray, value: int) -> np.ndarray:
    """255 where ``flags`` (H, W) uint8 has this value, else 0."""
    marked: np.ndarray = np.negative((flags == value).view(np.uint8))
    return marked


def _tint(picture: np.ndarray, image: np.ndarray, where: np.ndarray, colour: tuple[int, int, int]) -> None:
    cv2.copyTo(cv2.addWeighted(image, 0.6, _plain(image.shape, colour), 0.4, 0.0), where, picture)


def _outline(picture: np.ndarray, segments: np.ndarray, colour: tuple[int, int, int]) -> None:
    """A line inside the segments' edge, with a dark line outside that keeps it visible on any background."""
    width = max(1, round(segments.shape[0] / 360))
    _paint(picture, (0, 0, 0), cv2.subtract(cv2.dilate(segments, _disc(width)), segments))
    _paint(picture, colour, cv2.subtract(segments, cv2.erode(segments, _disc(width), borderValue=0)))


def write_labels(picture: np.ndarray, labels: Sequence[FlagLabel]) -> None:
    """Write labels beside their boxes, in place, black on their colour; one that would cover an earlier is left out.

    Args:
        picture: (H, W, 3) uint8 RGB, changed.
        labels: labels with boxes in pixels of ``picture``, most important first.
    """
    taken: list[tuple[int, int, int, int]] = []
    height, width = picture.shape[:2]
    size = max(11, round(height / 26))
    for label in labels:
        mask = text_mask(label.text, size)
        rows, columns = mask.shape[0] + 4, mask.shape[1] + 6
        if rows > height or columns > width:
            continue
        left = min(max(label.box[0], 0), width - columns)
        top = label.box[1] - rows if label.box[1] >= rows else min(label.box[3], height - rows)
        spot = (left, max(top, 0), left + columns, max(top, 0) + rows)
        if any(spot[0] < t[2] and t[0] < spot[2] and spot[1] < t[3] and t[1] < spot[3] for t in taken):
            continue
        taken.append(spot)
        picture[spot[1] : spot[3], spot[0] : spot[2]] = label.colour
        inner = picture[spot[1] + 2 : spot[1] + 2 + mask.shape[0], left + 3 : left + 3 + mask.shape[1]]
        inner[:] = (inner * (1.0 - mask[..., None])).astype(np.uint8)


def _paint(picture: np.ndarray, colour: tuple[int, int, int], where: np.ndarray) -> None:
    cv2.copyTo(_plain(picture.shape, colour), where, picture)


@lru_cache(maxsize=16)
def _plain(shape: tuple[int, ...], colour: tuple[int, int, int]) -> np.ndarray:
    return np.full(shape, colour, dtype=np.uint8)


@lru_cache(maxsize=4)
def _hatching(shape: tuple[int, int]) -> np.ndarray:
    period = max(6, round(shape[0] / 45))
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return ((rows + columns) % period < (period + 2) // 4).astype(np.uint8) * 255


@lru_cache(maxsize=4)
def _dots(shape: tuple[int, int]) -> np.ndarray:
    period = max(3, round(shape[0] / 120))
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    size = (period + 1) // 3
    dots = (rows % period < size) & ((columns + rows // period) % period < size)
    drawn: np.ndarray = dots.astype(np.uint8) * 255
    return drawn


@lru_cache(maxsize=8)
def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _table(palette: np.ndarray) -> np.ndarray:
    if palette.ndim != 2 or palette.shape[1] != 3 or palette.dtype != np.uint8 or len(palette) > 256:
        raise PictureError(f"a palette is (q, 3) uint8 RGB with q <= 256, got {palette.dtype} {palette.shape}")
    table = np.full((256, 1, 3), NEUTRAL, dtype=np.uint8)
    table[: min(len(palette), UNLABELLED), 0] = palette[:UNLABELLED]
    return table


def _check_classes(classes: np.ndarray) -> None:
    if classes.ndim != 2 or classes.dtype != np.uint8:
        raise PictureError(f"class ids are (H, W) uint8, got {classes.dtype} {classes.shape}")


def _check_image(image: np.ndarray, other: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise PictureError(f"an image is (H, W, 3) uint8 RGB, got {image.dtype} {image.shape}")
    if other.shape != image.shape[:2]:
        raise PictureError(f"the map is {other.shape} and the image {image.shape[:2]}; both need the same size")


def _flags(unreliable: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if unreliable.shape != tuple(shape) or unreliable.dtype not in (np.bool_, np.uint8):
        raise PictureError(f"flags are bool or uint8, {tuple(shape)}; got {unreliable.dtype} {unreliable.shape}")
    if unreliable.dtype == np.bool_:
        flags: np.ndarray = np.ascontiguousarray(unreliable).view(np.uint8) * np.uint8(SEGMENT_FLAG)
        return flags
    return np.ascontiguousarray(unreliable)
