"""Camera | classes | uncertainty | flagged segments side by side, captioned, as one picture or one film frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from trust_seg_ros.drawing.lettering import text_mask, write
from trust_seg_ros.drawing.pictures import (
    NEUTRAL,
    SIGNAL,
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
_MARGIN, _GAP, _CAPTION, _LINE = 10, 8, 30, 17
_LEGEND_CLASSES = 20
_CAPTIONS = ("camera", "predicted classes", "uncertainty (entropy)", "flagged segments: do not trust")


@dataclass(frozen=True)
class PanelContent:
    """One frame with its prediction and flags; all maps have the image's size.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        classes: (H, W) uint8 class ids, 255 = none.
        entropy: (H, W) uint8 (0..255) or float in [0, 1].
        unreliable: (H, W) bool, or uint8 with 255 = segment and 128 = pixel.
        labels: labels of flagged segments, most important first; boxes in pixels of ``image``.
        notes: lines under the camera tile, e.g. time and latency.
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


class PanelPainter:
    """Paints panels of one layout, so that all frames of a film have one size.

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
        tile_width = (width - 2 * _MARGIN - 3 * _GAP) // 4
        self.tile = (max(32, round(tile_width * image_size[0] / image_size[1])), tile_width)
        rows = -(-min(len(names), _LEGEND_CLASSES) // self._legend_columns()) if names else 1
        self._below = _CAPTION + self.tile[0] + 8
        self._cached: tuple[float | None, np.ndarray] | None = None
        legend = 8 + _LINE * max(3, rows) + _MARGIN
        self.size = (-(-(_CAPTION + self.tile[0] + legend) // 2) * 2, width // 2 * 2)

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
        image = self._fit(content.image, cv2.INTER_AREA)
        classes = self._fit(content.classes, cv2.INTER_NEAREST)
        entropy = self._fit(as_bytes(content.entropy), cv2.INTER_LINEAR)
        flags = self._fit_flags(content.unreliable)
        ood = None if content.ood is None else self._fit_flags(content.ood)
        scale = np.array([self.tile[1] / content.image.shape[1], self.tile[0] / content.image.shape[0]] * 2)
        labels = [replace(label, box=_scaled(label.box, scale)) for label in content.labels]
        tiles = (image, label_picture(classes, self.palette), colour_map(entropy), spotlight(image, flags, labels, ood))
        canvas: np.ndarray = self._background(content.threshold).copy()
        for index, tile in enumerate(tiles):
            left = self._left(index)
            canvas[_CAPTION : _CAPTION + self.tile[0], left : left + self.tile[1]] = tile
        for row, note in enumerate(content.notes[:3]):
            write(canvas, note, self._left(0), self._below + row * _LINE, 15, FAINT)
        if len(self.names) > _LEGEND_CLASSES:
            counts = np.bincount(classes.ravel(), minlength=UNLABELLED + 1)[: len(self.names)]
            self._class_legend(canvas, np.sort(np.argsort(-counts, kind="stable")[:_LEGEND_CLASSES]).tolist())
        return canvas

    def _background(self, threshold: float | None) -> np.ndarray:
        """Everything that stays the same from frame to frame; cached, since lettering takes most of a panel's time."""
        if self._cached is None or self._cached[0] != threshold:
            canvas = np.full((*self.size, 3), BACKGROUND, dtype=np.uint8)
            for index, caption in enumerate(_CAPTIONS):
                write(canvas, caption, self._left(index), 6, 19, SIGNAL if index == 3 else INK)
            if len(self.names) <= _LEGEND_CLASSES:
                self._class_legend(canvas, range(len(self.names)))
            self._heat_legend(canvas)
            self._flag_legend(canvas, threshold)
            self._cached = (threshold, canvas)
        return self._cached[1]

    def _class_legend(self, canvas: np.ndarray, ids: Sequence[int]) -> None:
        columns = self._legend_columns()
        pitch = self.tile[1] // columns
        for position, class_id in enumerate(ids):
            left = self._left(1) + position % columns * pitch
            row = self._below + position // columns * _LINE
            canvas[row + 2 : row + 13, left : left + 11] = self.palette[class_id]
            room = pitch - 16
            name = self.names[class_id]
            while len(name) > 3 and text_mask(name, 13).shape[1] > room:
                name = name[:-1]
            write(canvas, name, left + 15, row + 1, 13, FAINT)

    def _heat_legend(self, canvas: np.ndarray) -> None:
        top = self._below
        left, width = self._left(2), self.tile[1]
        ramp = np.linspace(0.0, 1.0, width, dtype=np.float32)[None].repeat(12, axis=0)
        canvas[top + 2 : top + 14, left : left + width] = colour_map(ramp)
        write(canvas, "0 certain", left, top + _LINE, 15, FAINT)
        end = "uniform 1"
        write(canvas, end, left + width - text_mask(end, 15).shape[1], top + _LINE, 15, FAINT)

    def _flag_legend(self, canvas: np.ndarray, threshold: float | None) -> None:
        top = self._below
        left = self._left(3)
        bound = "" if threshold is None else f" >= {threshold:.2f}"
        none, all_on = np.zeros((13, 30), np.uint8), np.full((13, 30), 255, np.uint8)
        ground = np.full((13, 30, 3), NEUTRAL, np.uint8)
        rows = (
            (spotlight(ground, all_on), f'"not CLASS": segment with P(wrong){bound}'),
            (spotlight(ground, none, ood=all_on), "unknown: out-of-distribution segments"),
            (spotlight(ground, all_on // 255 * 128), "single uncertain pixels"),
        )
        for row, (swatch, words) in enumerate(rows):
            canvas[top + row * _LINE + 1 : top + row * _LINE + 14, left : left + 30] = swatch
            write(canvas, words, left + 36, top + row * _LINE, 15, FAINT)

    def _legend_columns(self) -> int:
        return max(1, self.tile[1] // 96)

    def _left(self, index: int) -> int:
        return _MARGIN + index * (self.tile[1] + _GAP)

    def _fit_flags(self, flags: np.ndarray) -> np.ndarray:
        return self._fit(flags.astype(np.uint8) * 255 if flags.dtype == np.bool_ else flags, cv2.INTER_NEAREST)

    def _fit(self, array: np.ndarray, interpolation: int) -> np.ndarray:
        if array.shape[:2] == self.tile:
            return array
        return cv2.resize(array, (self.tile[1], self.tile[0]), interpolation=interpolation)


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
