"""The picture of MetaSeg for one image: ground truth, prediction, IoU per segment in red to green, entropy.

After Rottmann et al., MetaSeg, IJCNN 2020, figure 1. Lightness rises from red to green, so that readers who cannot
distinguish the two still see the order; numbers in the segments and outlines show the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from trust_seg_ros.drawing.panels import BACKGROUND, FAINT
from trust_seg_ros.drawing.pictures import (
    NEUTRAL,
    FlagLabel,
    PictureError,
    as_bytes,
    colour_map,
    label_picture,
    write_labels,
)
from trust_seg_ros.drawing.wording import not_class
from trust_seg_ros.evaluation.show.legend import Entry, bar, flow, strip, swatch_size, title
from trust_seg_ros.evaluation.show.segments import hatch, outline, paint_segments, red_green, write_numbers
from trust_seg_ros.evaluation.show.show import Findings
from trust_seg_ros.evaluation.show.unknown import kept_order, unknown_label
from trust_seg_ros.types import UNLABELLED

MIN_WIDTH, MAX_WIDTH = 600, 8000
"""Smallest and largest width of a picture, in pixels."""
_TILE = {2: (660, 1200), 3: (540, 960)}
"""Panels in a row -> largest (rows, columns) of one panel if no width is given."""
_MOST_LABELS = 6
_NARROWEST = 520  # width in pixels that legends need
_QUARTERS = tuple((k / 4, f"{k / 4:g}") for k in range(5))


@dataclass(frozen=True)
class _Panel:
    """One of the pictures side by side; ``legend`` holds strips as wide as the column."""

    heading: str
    tile: np.ndarray
    legend: tuple[np.ndarray, ...]


def picture(findings: Findings, name: str = "", *, width: int | None = None, true_iou: bool = False) -> np.ndarray:
    """Four panels: ground truth (without it the image), prediction, predicted IoU_adj of each segment, entropy.

    Without meta models the third shows the mean entropy of each segment. Segments with P(wrong) at or above the
    threshold are outlined, and the largest of them labelled in the prediction, e.g. "not Car, 68 %", as are unknown
    objects, "unknown, 91 %"; pixels that ground truth ignores are striped.

    Args:
        findings: results to show, see :func:`trust_seg_ros.evaluation.show.show.examine`.
        name: name of the image, for the heading.
        width: width of the picture in pixels; None = wide enough for every detail that a screen shows.
        true_iou: six panels: also the image, and the true IoU_adj of each segment.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        PictureError: a width out of range, or true IoU without ground truth.
    """
    if true_iou and findings.targets is None:
        raise PictureError("the true IoU of segments needs ground truth; expected findings with it")
    if width is not None and not MIN_WIDTH <= width <= MAX_WIDTH:
        raise PictureError(f"a picture {width} pixels wide; expected {MIN_WIDTH} to {MAX_WIDTH}")
    painter = _Painter(findings, 3 if true_iou else 2, width)
    first = [painter.image()] if true_iou or findings.truth is None else []
    first += [painter.truth()] if findings.truth is not None else []
    second = [painter.true_iou()] if true_iou else []
    rows = [[*first, painter.prediction()], [*second, painter.predicted(), painter.entropy()]]
    return painter.sheet(name, rows)


class _Painter:
    def __init__(self, findings: Findings, columns: int, width: int | None) -> None:
        self.findings = findings
        self.width = width
        self.size, self.column = _sizes(findings.image.shape[:2], columns, width)
        self.letters, self.margin = _letters(self.column)
        self.ids = self._scaled(findings.segments.ids)
        self.ignored = None if findings.truth is None else self._scaled(findings.truth) == UNLABELLED

    def image(self) -> _Panel:
        image = self.findings.image
        shrinks = image.shape[0] > self.size[0]
        tile = cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        return _Panel("camera image", tile, ())

    def truth(self) -> _Panel:
        truth = self.findings.truth
        assert truth is not None
        assert self.ignored is not None
        tile = self._classes(truth)
        hatch(tile, self.ignored)
        return _Panel("ground truth", tile, (self._class_legend(truth, self._ignored_entry("ignored")),))

    def prediction(self) -> _Panel:
        classes = self.findings.classes
        none = [Entry("no class", self._swatch(NEUTRAL))] if (classes == UNLABELLED).any() else []
        tile = self._classes(classes)
        outline(tile, self.ids, self.findings.unreliable)
        if self.findings.ood is not None:
            outline(tile, self._scaled(self.findings.ood.ids), self.findings.ood.kept)
        write_labels(tile, [*self._unknown_labels(), *self._labels()])
        return _Panel("predicted classes", tile, (self._class_legend(classes, none),))

    def predicted(self) -> _Panel:
        """Predicted IoU_adj; without meta models the mean entropy."""
        found = self.findings
        if found.trust is None:
            legend = (
                bar(_heat(), _QUARTERS, self.column, self.letters),
                self._flow([Entry("no meta model: how to fit one is in docs/fit.md"), *self._ignored_entry()]),
            )
            return _Panel(
                "mean entropy per segment", self._segments(found.mean_entropy, _heat(found.mean_entropy)), legend
            )
        tile = self._segments(found.trust.iou, red_green(found.trust.iou))
        words = f"{found.limits}: {found.unreliable.sum()} of {len(found.segments)}"
        entries = [Entry(words, self._outlined_swatch())]
        if found.beyond:
            entries.append(Entry(f"far from fitting: {', '.join(found.beyond[:4])}"))
        return self._iou_panel("predicted IoU_adj per segment", tile, entries)

    def true_iou(self) -> _Panel:
        assert self.findings.targets is not None
        values = self.findings.targets.iou_adj
        words = f"IoU 0: {(values == 0).sum()} of {len(values)} segments"
        entries = [Entry(words, self._swatch(tuple(red_green(np.zeros(())).tolist())))]
        if self.findings.trust is not None:
            found = (self.findings.unreliable & (values == 0)).sum()
            entries.append(Entry(f"{self.findings.limits}: {found} of these", self._outlined_swatch()))
        return self._iou_panel("true IoU_adj per segment", self._segments(values, red_green(values)), entries)

    def entropy(self) -> _Panel:
        values = as_bytes(self.findings.entropy)
        shrinks = values.shape[0] > self.size[0]
        values = cv2.resize(values, self.size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        ticks = ((0.0, "0 certain"), *_QUARTERS[1:4], (1.0, "1 uniform"))
        return _Panel("entropy", colour_map(values), (bar(_heat(), ticks, self.column, self.letters),))

    def sheet(self, name: str, rows: Sequence[Sequence[_Panel]]) -> np.ndarray:
        """All panels, headed."""
        gap = self.margin
        width = len(rows[0]) * (self.column + gap) - gap
        shape = "x".join(map(str, self.findings.image.shape[1::-1]))
        words = ", ".join(filter(None, (name, shape, f"network {self.findings.network}")))
        parts = [title(words, width, self.letters, FAINT)]
        for row in rows:
            panels = [self._panel(panel) for panel in row]
            height = max(len(panel) for panel in panels)
            panels = [np.vstack([panel, strip(height - len(panel), self.column)]) for panel in panels]
            gaps = [strip(height, gap)] * (len(panels) - 1) + [strip(height, 0)]
            parts += [
                strip(gap // 2, width),
                np.hstack([part for pair in zip(panels, gaps, strict=True) for part in pair]),
            ]
        right = gap if self.width is None else self.width - width - gap
        return cv2.copyMakeBorder(np.vstack(parts), gap, gap, gap, right, cv2.BORDER_CONSTANT, value=BACKGROUND)

    def _panel(self, panel: _Panel) -> np.ndarray:
        beside = strip(self.size[0], self.column - self.size[1])
        heading = title(panel.heading, self.column, round(1.25 * self.letters))
        return np.vstack([heading, np.hstack([panel.tile, beside]), *panel.legend])

    def _iou_panel(self, heading: str, tile: np.ndarray, entries: list[Entry]) -> _Panel:
        ramp = bar(red_green(np.linspace(0, 1, 256)), _QUARTERS, self.column, self.letters)
        return _Panel(heading, tile, (ramp, self._flow([*entries, *self._ignored_entry()])))

    def _segments(self, values: np.ndarray, colours: np.ndarray) -> np.ndarray:
        tile = paint_segments(self.ids, colours)
        if self.ignored is not None:
            hatch(tile, self.ignored)
        outline(tile, self.ids, self.findings.unreliable)
        heights = [round(share * self.letters) for share in (1.4, 1.1, 0.85)]
        write_numbers(
            tile,
            self.ids,
            self._boxes(self.findings.segments.boxes),
            [f"{value:.2f}" for value in values.tolist()],
            heights,
        )
        return tile

    def _labels(self) -> list[FlagLabel]:
        """Labels of the largest unreliable segments."""
        found, boxes = self.findings, self._boxes(self.findings.segments.boxes)
        if found.trust is None:
            return []
        order = np.argsort(-found.segments.sizes, kind="stable")
        return [
            FlagLabel(
                (int(boxes[k, 0]), int(boxes[k, 1]), int(boxes[k, 2]), int(boxes[k, 3])),
                not_class(found.labels.names[found.segments.class_ids[k]], float(found.trust.p_wrong[k])),
            )
            for k in order[found.unreliable[order]][:_MOST_LABELS].tolist()
        ]

    def _unknown_labels(self) -> list[FlagLabel]:
        """Labels of the likeliest unknown objects."""
        found = self.findings.ood
        if found is None:
            return []
        boxes = self._boxes(found.boxes)
        return [
            FlagLabel(
                (int(boxes[k, 0]), int(boxes[k, 1]), int(boxes[k, 2]), int(boxes[k, 3])),
                unknown_label(self.findings, k),
            )
            for k in kept_order(self.findings)[:_MOST_LABELS]
        ]

    def _boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) of segments, in pixels of a panel."""
        rows, columns = np.array(self.size) / self.findings.image.shape[:2]
        scaled = boxes * np.array([columns, rows] * 2)
        return np.hstack([np.floor(scaled[:, :2]), np.ceil(scaled[:, 2:])]).astype(int)

    def _classes(self, classes: np.ndarray) -> np.ndarray:
        return label_picture(self._scaled(classes), self.findings.labels.palette)

    def _class_legend(self, classes: np.ndarray, more: Sequence[Entry]) -> np.ndarray:
        """Classes that occur, the largest first."""
        labels = self.findings.labels
        counts = np.bincount(classes.ravel(), minlength=256)[: len(labels)]
        order = [c for c in np.argsort(-counts, kind="stable").tolist() if counts[c]]
        entries = [Entry(labels.names[c], self._swatch(tuple(labels.palette[c].tolist()))) for c in order]
        return self._flow([*more, *entries])

    def _flow(self, entries: Sequence[Entry]) -> np.ndarray:
        return flow(entries, self.column, self.letters, max_rows=3)

    def _swatch(self, colour: tuple[int, ...]) -> np.ndarray:
        return np.full((*swatch_size(self.letters), 3), colour, np.uint8)

    def _outlined_swatch(self) -> np.ndarray:
        swatch = self._swatch(tuple(red_green(np.array(0.3)).tolist()))
        swatch[[0, -1]], swatch[:, [0, -1]] = 0, 0
        swatch[[1, 2, -3, -2], 1:-1], swatch[1:-1, [1, 2, -3, -2]] = 255, 255
        return swatch

    def _ignored_entry(self, words: str = "ignored in ground truth") -> list[Entry]:
        if self.ignored is None or not self.ignored.any():
            return []
        swatch = self._swatch(NEUTRAL)
        hatch(swatch, np.ones(swatch.shape[:2], bool))
        return [Entry(words, swatch)]

    def _scaled(self, array: np.ndarray) -> np.ndarray:
        if array.shape == self.size:
            return array
        return cv2.resize(array, self.size[::-1], interpolation=cv2.INTER_NEAREST)


def _heat(values: np.ndarray | None = None) -> np.ndarray:
    """Colours of entropies, (n,) -> (n, 3); by default of the whole range 0 to 1."""
    values = np.linspace(0, 1, 256) if values is None else values
    return colour_map(values[None].astype(np.float32))[0] if len(values) else np.zeros((0, 3), np.uint8)


def _letters(column: int) -> tuple[int, int]:
    """Height of the text and width of the margins for a column."""
    letters = min(max(round(column / 40), 11), 26)
    return letters, round(0.7 * letters)


def _sizes(image: tuple[int, int], columns: int, width: int | None) -> tuple[tuple[int, int], int]:
    """(rows, columns) of a panel, and the width of its column, in pixels."""
    high, wide = image
    if width is None:
        scale = min(_TILE[columns][0] / high, _TILE[columns][1] / wide)
        column = max(round(scale * wide), _NARROWEST)
    else:
        _, margin = _letters(width // columns)  # for a narrower column they are the same or smaller
        column = (width - margin * (columns + 1)) // columns
        scale = min(column / wide, 1.5 * _TILE[columns][0] / high)
    return (max(round(scale * high), 8), max(round(scale * wide), 8)), column
