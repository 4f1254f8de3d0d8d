"""The frames of the last seconds with their flags, so that labels that come late find the frame that they speak of."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.grid import resized
from trust_seg_ros.thresholds.policies.base import PolicyError
from trust_seg_ros.types import UNLABELLED

MOST_BYTES = 1 << 28
"""Most memory for the frames: 138 s at 10 Hz on a grid of 480×360, 11 s on one of 1920×1080."""

_MOST_STRETCH = 1.1
"""Shapes of labels and grid may differ by roundings of their sides."""


class FeedbackError(PolicyError):
    """Feedback that is no image of class ids of this network."""


@dataclass(frozen=True, eq=False)
class JudgedFrame:
    """One frame, 9 bits for a pixel.

    Attributes:
        classes: (H', W') uint8 predicted classes; ``UNLABELLED`` where no threshold would change the flag: pixels
            without a class, which are always flagged, and scores that are NaN, which never are.
        flags: bits of the flags (``numpy.packbits``).
        ticket: what ``LongRun.frame`` returned for it.
    """

    classes: np.ndarray
    flags: np.ndarray
    ticket: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.classes.nbytes + self.flags.nbytes

    def errors(self, labels: np.ndarray) -> tuple[int, int]:
        """How many of its misclassified pixels with a label were not flagged, and how many there are.

        Args:
            labels: (h, w) uint8 class ids, ``UNLABELLED`` = not known; brought to the grid by nearest neighbour.

        Raises:
            FeedbackError: labels of another shape than the image: they are of another one.
        """
        (h, w), (height, width) = labels.shape, self.classes.shape
        if not 1.0 / _MOST_STRETCH <= (w * height) / (h * width) <= _MOST_STRETCH:
            raise FeedbackError(
                f"feedback of {w}×{h} on a frame judged on a grid of {width}×{height}: expected labels of the same "
                "image, of any size but with its shape"
            )
        truth = resized(labels, (height, width))
        wrong = (truth != self.classes) & (truth != UNLABELLED) & (self.classes != UNLABELLED)
        flagged = np.unpackbits(self.flags, count=self.classes.size).view(bool).reshape(self.classes.shape)
        total = int(np.count_nonzero(wrong))
        return total - int(np.count_nonzero(wrong & flagged)), total


class JudgedFrames:
    """The frames of the last ``keep_s`` seconds by their stamps, and which of them were answered.

    Args:
        keep_s: seconds of message time, > 0.
        most_bytes: frames are forgotten earlier if they take more.
    """

    def __init__(self, keep_s: float, most_bytes: int = MOST_BYTES) -> None:
        self.keep_s, self._most_bytes = keep_s, most_bytes
        self._frames: OrderedDict[float, JudgedFrame | None] = OrderedDict()
        self._bytes = self._waiting = 0
        self._forgotten = -math.inf

    def __len__(self) -> int:
        """Frames that wait for feedback."""
        return self._waiting

    @property
    def nbytes(self) -> int:
        """Memory that the frames take."""
        return self._bytes

    def add(
        self, stamp_s: float, score: np.ndarray, classes: np.ndarray, flags: np.ndarray, ticket: tuple[int, int]
    ) -> None:
        """Keep a frame; of two with one stamp the later one. A frame without a stamp (0) cannot be named later.

        Args:
            stamp_s: when it was taken, in seconds.
            score, classes, flags: (H', W') float32, uint8 and bool; copied.
            ticket: what ``LongRun.frame`` returned for it.
        """
        if stamp_s == 0.0 or not math.isfinite(stamp_s):
            return
        classes = classes.copy()
        if score.size and np.isnan(score.min()):  # the minimum is NaN if any is
            classes[np.isnan(score)] = UNLABELLED
        self._drop(stamp_s)
        frame = JudgedFrame(classes, np.packbits(flags), ticket)
        self._frames[stamp_s] = frame
        self._bytes += frame.nbytes
        self._waiting += 1
        while self._frames and (next(iter(self._frames)) < stamp_s - self.keep_s or self._bytes > self._most_bytes):
            oldest = next(iter(self._frames))
            self._drop(oldest)
            self._forgotten = max(self._forgotten, oldest)

    def look_up(self, stamp_s: float) -> JudgedFrame | str:
        """The frame of this stamp; or why there is none: late, again or unknown."""
        if stamp_s not in self._frames:
            return "late" if stamp_s <= self._forgotten else "unknown"
        return self._frames[stamp_s] or "again"

    def answered(self, stamp_s: float) -> None:
        """There was feedback on the frame of this stamp, which is kept: another one would be the same again."""
        self._let_go(self._frames[stamp_s])
        self._frames[stamp_s] = None

    def clear(self) -> None:
        """Forget all frames: time has jumped."""
        self._frames.clear()
        self._bytes, self._waiting, self._forgotten = 0, 0, -math.inf

    def kept(self, keep_s: float) -> JudgedFrames:
        """The same frames, from now on kept for another time."""
        other = JudgedFrames(keep_s, self._most_bytes)
        other._frames = self._frames.copy()
        other._bytes, other._waiting, other._forgotten = self._bytes, self._waiting, self._forgotten
        return other

    def _drop(self, stamp_s: float) -> None:
        self._let_go(self._frames.pop(stamp_s, None))

    def _let_go(self, frame: JudgedFrame | None) -> None:
        if frame is not None:
            self._bytes -= frame.nbytes
            self._waiting -= 1
