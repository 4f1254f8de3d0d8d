"""What the values in label files of out-of-distribution (OoD) objects mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.types import UNLABELLED


@dataclass(frozen=True)
class Coding:
    """Meaning of the values in a label file; other values are refused.

    Attributes:
        layout: name of the layout that uses these values, for messages.
        inside, void: values in distribution, and values that are ignored.
        ood: values out of distribution.
    """

    layout: str
    inside: tuple[int, ...]
    ood: range
    void: tuple[int, ...] = (UNLABELLED,)

    def truth(self, values: np.ndarray, path: Path) -> np.ndarray:
        """(H, W) uint8: 0 in distribution, 1 OoD, 255 void.

        Raises:
            DatasetError: there are other values.
        """
        table = np.full(1 << (8 * values.dtype.itemsize), 2, np.uint8)
        table[list(self.inside)], table[self.ood.start : self.ood.stop], table[list(self.void)] = 0, 1, UNLABELLED
        truth = table[values]
        if (truth == 2).any():
            foreign = np.unique(values[truth == 2])
            raise DatasetError(
                f"{path}: label values {foreign[:10].tolist()}{' and more' if len(foreign) > 10 else ''}; expected "
                f"the values of {self.layout}: {self.words}. Class ids and other codes must be rewritten to these"
            )
        return truth

    @property
    def words(self) -> str:
        """The values in words."""
        ood = str(self.ood.start) if len(self.ood) == 1 else f"{self.ood.start}..{self.ood.stop - 1}"
        inside, void = (", ".join(map(str, values)) for values in (self.inside, self.void))
        return f"{inside} in distribution, {ood} out of it, {void or 'none'} void"


MASKS = Coding("SegmentMeIfYouCan and Fishyscapes", (0,), range(1, 2))
ROAD_ANOMALY = Coding("RoadAnomaly", (0, 1), range(2, 3))
LOST_AND_FOUND = Coding("LostAndFound", (1,), range(2, 44), (0, UNLABELLED))
NUMBERS = Coding("trust-seg synthetic", (0,), range(1, 256), ())
