"""Objects of a drive numbered from 1 as they first appear: small numbers, for files and tables."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.synthetic.settings import DriveFrame, DriveObject


class RunningNumbers:
    """Numbers of the objects of one drive.

    Attributes:
        objects: the objects so far; the one of number i is ``objects[i - 1]``.
    """

    def __init__(self) -> None:
        self.objects: list[DriveObject] = []
        self._numbers: dict[int, int] = {0: 0}

    def map(self, frame: DriveFrame) -> np.ndarray:
        """The objects of the next frame by running numbers, (H, W) int32; 0 = none.

        Args:
            frame: of a drive that was asked for ``objects``.
        """
        assert frame.objects is not None
        own, back = np.unique(frame.objects, return_inverse=True)
        for number in own.tolist():
            if number not in self._numbers:
                self.objects.append(frame.object_table[number])
                self._numbers[number] = len(self.objects)
        table = np.array([self._numbers[number] for number in own.tolist()], np.int32)
        found: np.ndarray = table[back].reshape(frame.objects.shape)
        return found
