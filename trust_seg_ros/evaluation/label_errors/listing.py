"""The list: the likeliest regions of all images, one entry for each place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from trust_seg_ros.evaluation.label_errors.regions import Regions

GAP = 0.04
"""Distance, as a share of the image's height, up to which regions of the same label or prediction are one place."""
PER_IMAGE = 10
"""Most entries of one image by default: labels with more wrong places are wrong as a whole, and hide other images."""
_SHARED = 0.5
_MOST = 0.5  # of a label segment, or of a predicted segment, that a region covers to be called after it
CLASS, MISSING, BORDER = "other class", "missing object", "border"


@dataclass(frozen=True, eq=False)
class LabelError:
    """A place where the labels are probably wrong.

    Attributes:
        image: position of the image in the data set.
        p: P(label error) in [0, 1], see ``ranking``.
        kind: "other class" (most of a label segment), "missing object" (most of a predicted segment), "border"
            (neither).
        labelled: class of the labels there.
        predicted: class that the network predicts there.
        pixels: (size,) int32 positions in the flattened image, ascending.
        box: left, top, right, bottom in pixels, right and bottom exclusive.
        p_labelled: geometric mean over the pixels of the labelled class' probability.
        p_predicted: the same of the predicted class.
    """

    image: int
    p: float
    kind: str
    labelled: int
    predicted: int
    pixels: np.ndarray
    box: tuple[int, int, int, int]
    p_labelled: float
    p_predicted: float

    def __repr__(self) -> str:
        return f"LabelError(image {self.image}, {self.kind}, P {self.p:.2f}, {len(self.pixels)} pixels)"

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """(H, W) bool, its pixels in an image of that size."""
        found = np.zeros(size[0] * size[1], bool)
        found[self.pixels] = True
        return found.reshape(size)


def listed(
    regions: Sequence[Regions],
    p: Sequence[np.ndarray],
    sizes: Sequence[tuple[int, int]],
    top: int,
    per_image: int = PER_IMAGE,
) -> list[LabelError]:
    """The ``top`` likeliest places of all images, likeliest first; of equals the larger, then the earlier one.

    A region is left out if half of it lies in one that is listed, or if it has the same label or the same prediction
    as one that is listed less than ``GAP`` away: one look shows both.

    Args:
        regions: of every image.
        p: of every image, (n,) P(label error).
        sizes: (H, W) of every image.
        top: most entries.
        per_image: most entries of one image.
    """
    image = np.concatenate([np.full(len(part), k) for k, part in enumerate(regions)] or [np.zeros(0, int)]).astype(int)
    place = np.concatenate([np.arange(len(part)) for part in regions] or [np.zeros(0, int)]).astype(int)
    area = np.concatenate([part.measure("size") for part in regions] or [np.zeros(0)])
    order = np.lexsort((place, image, -area, -np.concatenate([*p, np.zeros(0)])))
    found: list[LabelError] = []
    taken: dict[int, list[_Place]] = defaultdict(list)
    for k, index in zip(image[order].tolist(), place[order].tolist(), strict=True):
        if len(found) >= top:
            break
        if len(taken[k]) >= per_image:
            continue
        new = _entry(regions[k], index, k, float(p[k][index]))
        if any(other.holds(new) for other in taken[k]):
            continue
        found.append(new)
        taken[k].append(_Place(new, sizes[k]))
    return found


class _Place:
    """A listed region and its surroundings."""

    def __init__(self, entry: LabelError, size: tuple[int, int]) -> None:
        self.entry, self.width = entry, size[1]
        gap = max(round(GAP * size[0]), 1)
        left, top, right, bottom = entry.box
        self.left, self.top = max(left - gap, 0), max(top - gap, 0)
        shape = (min(bottom + gap, size[0]) - self.top, min(right + gap, size[1]) - self.left)
        self.inside = np.zeros(shape, np.uint8)
        self.inside[self._within(entry.pixels)] = 1
        self.near = cv2.dilate(self.inside, np.ones((2 * gap + 1, 2 * gap + 1), np.uint8))

    def holds(self, other: LabelError) -> bool:
        where = self._within(other.pixels)
        if self.inside[where].sum() > _SHARED * len(other.pixels):
            return True
        same = other.labelled == self.entry.labelled or other.predicted == self.entry.predicted
        return same and bool(self.near[where].any())

    def _within(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = pixels // self.width - self.top, pixels % self.width - self.left
        here = (rows >= 0) & (columns >= 0) & (rows < self.inside.shape[0]) & (columns < self.inside.shape[1])
        return rows[here], columns[here]


def _entry(regions: Regions, index: int, image: int, p: float) -> LabelError:
    of = {name: float(regions.measure(name)[index]) for name in ("label_share", "predicted_share")}
    kind = CLASS if of["label_share"] >= _MOST else MISSING if of["predicted_share"] >= _MOST else BORDER
    left, top, right, bottom = regions.boxes[index].tolist()
    return LabelError(
        image,
        p,
        kind,
        int(regions.labelled[index]),
        int(regions.predicted[index]),
        regions.of(index),
        (left, top, right, bottom),
        float(np.exp(regions.measure("log_label")[index])),
        float(np.exp(regions.measure("log_predicted")[index])),
    )
