"""The camera large with what is flagged, beside it classes and uncertainty, as one picture or one film frame (16:9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from trust_seg_ros.drawing.lettering import text_mask, write
from trust_seg_ros.drawing.pictures import (
    NEUTRAL,
    FlagLabel,
    PictureError,
    as_bytes,
    colour_map,
    label_picture,
    spotlight,
)
from trust_seg_ros.types import UNLABELLED

BACKGROUND = (22, 24, 28)
INK = (236, 238, 240)
FAINT = (158, 164, 172)
_REFERENCE = 1280  # width in pixels that the sizes below are of
_MARGIN, _GAP, _CAPTION, _LINE, _HEAT = 10, 8, 28, 18, 36
_LEGEND_ROWS, _LEGEND_CLASSES, _FLAG_COLUMN, _CLASS_COLUMN = 5, 20, 420, 98
_LEGEND_WIDTH = _FLAG_COLUMN + -(-_LEGEND_CLASSES // _LEGEND_ROWS) * _CLASS_COLUMN
_WIDE = 1.6  # least width / height of an image that leaves room for a third small picture
_CAPTIONS = ("predicted classes", "uncertainty (entropy)", "camera alone")


@dataclass(frozen=True)
class PanelContent:
    """One frame with its prediction and flags; all maps have the image's size.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        classes: (H, W) uint8 class ids, 255 = none.
        entropy: (H, W) uint8 (0..255) or float in [0, 1].
        unreliable: (H, W) bool, or uint8 with 255 = segment and 128 = pixel.
        labels: labels of flagged segments, most important first; boxes in pixels of ``image``.
        notes: a few words above the camera, e.g. time and latency.
        threshold: P(wrong) from which a segment is flagged, for the legend; None leaves it out.
        ood: out-of-distribution segments, like ``unreliable``; None when there is no such map.
    """

    image: np.ndarray
    classes: np.ndarray
    entropy: np.ndarray
    unreliable: np.ndarray
    labels: Sequence[FlagLabel] = ()
    notes: Sequence[str] = ()
    threshold: float | None = None
    ood: np.ndarray | None = None


@dataclass(frozen=True)
class _Layout:
    """Where the parts of a panel lie, in pixels; spots are (top, left, height, width).

    The camera is as large as the height allows with the legend below it, and leaves a fifth of the width or more for
    the small pictures.
    """

    size: tuple[int, int]
    scale: float
    large: tuple[int, int, int, int]
    small: tuple[tuple[int, int, int, int], ...]

    @classmethod
    def of(cls, image_size: tuple[int, int], width: int) -> _Layout:
        """The layout of panels about ``width`` wide for images of (height, width)."""
        width = width // 2 * 2
        height = round(width * 9 / 32) * 2
        scale = width / _REFERENCE
        margin, gap, caption, heat = (round(scale * n) for n in (_MARGIN, _GAP, _CAPTION, _HEAT))
        legend = round(scale * (_LEGEND_ROWS * _LINE + 2 * _MARGIN))
        aspect = image_size[1] / image_size[0]
        large = _within(aspect, height - caption - legend, round(0.8 * width) - margin - gap)
        left = margin + max(large[1], round(scale * _LEGEND_WIDTH)) + gap
        count = 3 if aspect >= _WIDE else 2
        room = (height - margin - heat) // count - caption
        small = _within(aspect, room, width - left - margin)
        pitch = caption + small[0]
        tops = [caption + place * pitch + (heat if place > 1 else 0) for place in range(count)]
        return cls((height, width), scale, (caption, margin, *large), tuple((top, left, *small) for top in tops))

    def px(self, length: float) -> int:
        """A length of the reference panel in pixels of this one."""
        return max(1, round(self.scale * length))


class PanelPainter:
    """Paints panels of one layout, 16:9, so that all frames of a film have one size.

    Args:
        image_size: (height, width) of the frames; another size is fitted into the same tiles.
        palette: (q, 3) uint8 RGB.
        names: (q,) class names for the legend.
        width: width of the panel in pixels; it is made even, as is the height.
    """

    def __init__(
        self, image_size: tuple[int, int], palette: np.ndarray, names: Sequence[str], width: int = 1600
    ) -> None:
        if len(names) != len(palette):
            raise PictureError(f"there are {len(names)} class names and {len(palette)} colours; expected one name each")
        if width < 640 or min(image_size) < 1:
            raise PictureError(
                f"a panel {width} px wide of images {image_size}: expected at least 640 px and sizes above 0"
            )
        self.palette, self.names = palette, tuple(names)
        self.layout = _Layout.of(image_size, width)
        self.size = self.layout.size
        self._cached: tuple[float | None, np.ndarray] | None = None

    def paint(self, content: PanelContent) -> np.ndarray:
        """One panel, (height, width, 3) uint8 RGB of ``self.size``.

        Raises:
            PictureError: the parts of ``content`` have different sizes or wrong types.
        """
        wanted = content.image.shape[:2]
        for name in ("classes", "entropy", "unreliable", "ood"):
            part = getattr(content, name)
            size = wanted if part is None else part.shape
            if size != wanted:
                raise PictureError(f"{name} is {size} for an image of {wanted}; expected equal sizes")
        canvas: np.ndarray = self._background(content.threshold).copy()
        _place(canvas, self.layout.large, self._flagged(content))
        shown = self.layout.small[0][2:]
        classes = _fit(content.classes, shown, cv2.INTER_NEAREST)
        entropy = _fit(as_bytes(content.entropy), shown, cv2.INTER_LINEAR)
        tiles = (label_picture(classes, self.palette), colour_map(entropy), _fit(content.image, shown, cv2.INTER_AREA))
        for spot, tile in zip(self.layout.small, tiles, strict=False):
            _place(canvas, spot, tile)
        self._write_notes(canvas, content.notes)
        if len(self.names) > _LEGEND_CLASSES:
            counts = np.bincount(classes.ravel(), minlength=UNLABELLED + 1)[: len(self.names)]
            self._class_legend(canvas, np.sort(np.argsort(-counts, kind="stable")[:_LEGEND_CLASSES]).tolist())
        return canvas

    def _flagged(self, content: PanelContent) -> np.ndarray:
        """The camera image at its large size, with what is flagged drawn into it."""
        size = self.layout.large[2:]
        scale = np.array([size[1] / content.image.shape[1], size[0] / content.image.shape[0]] * 2)
        labels = [replace(label, box=_scaled(label.box, scale)) for label in content.labels]
        flags = _fit_flags(content.unreliable, size)
        ood = None if content.ood is None else _fit_flags(content.ood, size)
        return spotlight(_fit(content.image, size, cv2.INTER_AREA), flags, labels, ood, dim=False)

    def _write_notes(self, canvas: np.ndarray, notes: Sequence[str]) -> None:
        words, letters = ", ".join(notes), self.layout.px(15)
        _, left, _, width = self.layout.large
        start = max(left + self.layout.px(150), left + width - text_mask(words, letters).shape[1])
        write(canvas, words, start, self.layout.px(8), letters, FAINT)

    def _background(self, threshold: float | None) -> np.ndarray:
        """Everything that stays the same from frame to frame; cached, since lettering takes most of a panel's time."""
        if self._cached is None or self._cached[0] != threshold:
            px = self.layout.px
            canvas = np.full((*self.size, 3), BACKGROUND, dtype=np.uint8)
            write(canvas, "camera", self.layout.large[1], px(6), px(19), INK)
            for (top, left, _, _), caption in zip(self.layout.small, _CAPTIONS, strict=False):
                write(canvas, caption, left, top - px(_CAPTION - 7), px(17), INK)
            if len(self.names) <= _LEGEND_CLASSES:
                self._class_legend(canvas, range(len(self.names)))
            self._heat_legend(canvas)
            self._flag_legend(canvas, threshold)
            self._cached = (threshold, canvas)
        return self._cached[1]

    def _class_legend(self, canvas: np.ndarray, ids: Sequence[int]) -> None:
        px = self.layout.px
        top, first, _, _ = self._legend_spot()
        first += px(_FLAG_COLUMN)
        for position, class_id in enumerate(ids):
            left = first + position // _LEGEND_ROWS * px(_CLASS_COLUMN)
            row = top + position % _LEGEND_ROWS * px(_LINE)
            canvas[row + px(2) : row + px(13), left : left + px(11)] = self.palette[class_id]
            name = self.names[class_id]
            while len(name) > 3 and text_mask(name, px(13)).shape[1] > px(_CLASS_COLUMN - 20):
                name = name[:-1]
            write(canvas, name, left + px(15), row + px(1), px(13), FAINT)

    def _heat_legend(self, canvas: np.ndarray) -> None:
        px = self.layout.px
        top, left, height, width = self.layout.small[1]
        top += height + px(3)
        ramp = np.linspace(0.0, 1.0, width, dtype=np.float32)[None]
        canvas[top : top + px(10), left : left + width] = colour_map(ramp)
        write(canvas, "0 certain", left, top + px(12), px(14), FAINT)
        end = "uniform 1"
        write(canvas, end, left + width - text_mask(end, px(14)).shape[1], top + px(12), px(14), FAINT)

    def _flag_legend(self, canvas: np.ndarray, threshold: float | None) -> None:
        px = self.layout.px
        top, left, _, _ = self._legend_spot()
        bound = "" if threshold is None else f" >= {100 * threshold:.0f} %"
        swatch = (px(14), px(30))
        none, all_on = np.zeros(swatch, np.uint8), np.full(swatch, 255, np.uint8)
        ground = np.full((*swatch, 3), NEUTRAL, np.uint8)
        rows = (
            (spotlight(ground, all_on, dim=False), f'"not Car, 68 %": segment with P(wrong){bound}'),
            (spotlight(ground, none, ood=all_on, dim=False), "unknown: out-of-distribution segment"),
            (spotlight(ground, all_on // 255 * 128, dim=False), "single uncertain pixels"),
        )
        for row, (picture, words) in enumerate(rows):
            _place(canvas, (top + row * px(_LINE + 3), left, *swatch), picture)
            write(canvas, words, left + px(36), top + row * px(_LINE + 3), px(14), FAINT)

    def _legend_spot(self) -> tuple[int, int, int, int]:
        """Below the camera, as wide as the panel leaves."""
        top, left, height, width = self.layout.large
        top += height + self.layout.px(_MARGIN)
        return top, left, self.size[0] - top, width


def _within(aspect: float, height: int, width: int) -> tuple[int, int]:
    """(height, width) of the largest picture of this width / height in a box, at least 8 pixels each."""
    fits = min(height, round(width / aspect))
    return max(8, fits), min(max(8, round(fits * aspect)), max(8, width))


def _place(canvas: np.ndarray, spot: tuple[int, int, int, int], tile: np.ndarray) -> None:
    top, left, height, width = spot
    canvas[top : top + height, left : left + width] = tile


def _fit_flags(flags: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return _fit(flags.astype(np.uint8) * 255 if flags.dtype == np.bool_ else flags, size, cv2.INTER_NEAREST)


def _fit(array: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
    if array.shape[:2] == size:
        return array
    if interpolation == cv2.INTER_AREA and array.shape[0] < size[0]:
        interpolation = cv2.INTER_LINEAR
    return cv2.resize(array, size[::-1], interpolation=interpolation)


def panel(content: PanelContent, palette: np.ndarray, names: Sequence[str], width: int = 1600) -> np.ndarray:
    """Paint a single panel; see :class:`PanelPainter` for films.

    Args:
        content: the frame and its maps.
        palette: (q, 3) uint8 RGB.
        names: (q,) class names.
        width: width in pixels.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        PictureError: sizes or types do not fit.
    """
    return PanelPainter(content.image.shape[:2], palette, names, width).paint(content)


def _scaled(box: tuple[int, int, int, int], scale: np.ndarray) -> tuple[int, int, int, int]:
    left, top, right, bottom = (np.asarray(box) * scale).round().astype(int).tolist()
    return left, top, right, bottom
