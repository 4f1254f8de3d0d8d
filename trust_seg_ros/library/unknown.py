"""Unknown objects of an image as small objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.types import UNLABELLED, OodSegments

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the image; right and bottom exclusive."""


@dataclass(frozen=True, repr=False)
class UnknownObject:
    """An out-of-distribution segment that was kept. Two are equal if they are the same one of the same result.

    Attributes:
        of: all out-of-distribution segments of the image, discarded ones, too.
        position: its place among them, from 0.
        labels: names of the classes.
    """

    of: OodSegments
    position: int
    labels: LabelSet

    @property
    def number(self) -> int:
        """Its number in ``ood.ids``, from 1."""
        return self.position + 1

    @property
    def class_name(self) -> str:
        """The class that the network would give it; "" where it was too small to be measured."""
        ids = self.of.class_ids
        return "" if ids is None or ids[self.position] == UNLABELLED else self.labels.names[ids[self.position]]

    @property
    def box(self) -> Box:
        """Left, top, right, bottom in pixels of the image; right and bottom exclusive."""
        return as_box(self.of.boxes[self.position])

    @property
    def area(self) -> int:
        """Number of pixels of the image."""
        return int(np.count_nonzero(self.mask))

    @property
    def p_ood(self) -> float | None:
        """P(OoD) in [0, 1]: that some pixel of it is truly out of distribution; None where no meta model judged it."""
        return (
            float(self.of.p_ood[self.position]) if self.of.judged[self.position] and self.of.p_ood is not None else None
        )

    @property
    def score(self) -> float:
        """Mean OoD score over it, in the unit of the score; may be +inf if it holds faulty pixels."""
        return float(self.of.score[self.position])

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, its pixels in the image."""
        found: np.ndarray = self.of.ids == self.number
        return found

    def __repr__(self) -> str:
        likest = f", predicted as {self.class_name}" if self.class_name else ""
        judged = f", score {self.score:.2f}" if self.p_ood is None else f", P(OoD) {self.p_ood:.2f}"
        return f"UnknownObject({self.number}: {self.area:,} px, box {self.box}{judged}{likest})"


def as_box(sides: np.ndarray) -> Box:
    """(4,) numbers as a tuple of int."""
    left, top, right, bottom = (int(side) for side in sides)
    return left, top, right, bottom
