"""Label maps: which class of a network each value in label files stands for, where the two count differently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.types import UNLABELLED

FROM_ONE = "from-1"
"""The label map for ids that count from 1."""
IGNORE = "ignore"
UNMAPPED = 254
"""Never a class: label sets have at most 254."""


@dataclass(frozen=True)
class LabelMap:
    """Class id of every value in label files.

    Attributes:
        name: the file's name, for messages.
        ids: value -> class id of the network, 255 = no class; ascending values. 255 itself is never in it.
        names: of the network's classes.
        ignore_rest: other values have no class; else they are refused.
    """

    name: str
    ids: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    ignore_rest: bool = False

    def lookup(self, size: int) -> np.ndarray:
        """(size,) uint8: class id of the values 0, 1, …; 255 = no class, ``UNMAPPED`` = refused."""
        table = np.full(size, UNLABELLED if self.ignore_rest else UNMAPPED, np.uint8)
        for value, class_id in self.ids:
            if value < size:
                table[value] = class_id
        if size > UNLABELLED:
            table[UNLABELLED] = UNLABELLED
        return table

    def words(self) -> dict[str, str]:
        """Value -> name of the class, as text, for files that record what was read."""
        named = {str(value): IGNORE if c == UNLABELLED else self.names[c] for value, c in self.ids}
        return named | ({"default": IGNORE} if self.ignore_rest else {})
