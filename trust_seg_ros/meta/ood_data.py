"""OoD segments with their ground truth, to fit on, and what a meta classifier says of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trust_seg_ros.grid import Size
from trust_seg_ros.segments.history.window import TimeWindow

DISCARD_ABOVE = 0.5
"""P(false alarm) above which a segment is discarded, in the paper."""


@dataclass(frozen=True)
class OodData:
    """n OoD segments of many images, stacked, with their ground truth.

    Attributes:
        names: names of the metrics, as in ``segments.features``.
        metrics: (n, m) float64.
        false_alarm: (n,) bool, no pixel of the segment is OoD.
        class_ids: (n,) uint8 class of the highest mean probability.
        image: (n,) int32 position in ``images``.
        images: names of the images; an image may have no segment.
        network, class_names: name and classes of the network that predicted.
        score: name of the score map.
        threshold: segments are components of {score >= threshold}.
        image_sizes: sizes of the images, each once; () = not known.
        network_sha256: hash of the network's weights; "" = not known.
        grid: (H', W') of the grid that the segments were made on, by its area; None = not known, or several.
        thresholds: smallest and largest threshold, if segments at several were stacked; None = all at ``threshold``.
        time: how far the metrics over time among these look back; None = there are none.
    """

    names: tuple[str, ...]
    metrics: np.ndarray
    false_alarm: np.ndarray
    class_ids: np.ndarray
    image: np.ndarray
    images: tuple[str, ...]
    network: str
    class_names: tuple[str, ...]
    score: str
    threshold: float
    image_sizes: tuple[Size, ...] = ()
    network_sha256: str = ""
    grid: Size | None = None
    thresholds: tuple[float, float] | None = None
    time: TimeWindow | None = None

    def __len__(self) -> int:
        return len(self.false_alarm)

    def rows(self, chosen: np.ndarray) -> OodData:
        """Some of the segments, by mask (n,) bool or positions; images keep their numbers."""
        columns = ("metrics", "false_alarm", "class_ids", "image")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})


@dataclass(frozen=True, eq=False)
class OodVerdict:
    """What a meta classifier says of n OoD segments.

    Attributes:
        p_false_alarm: (n,) float64 in [0, 1], P(no pixel of the segment is OoD).
        outside: (n,) bool, the metrics lie outside the range fitted on; such segments are never discarded.
    """

    p_false_alarm: np.ndarray
    outside: np.ndarray

    def discarded(self, above: float = DISCARD_ABOVE) -> np.ndarray:
        """(n,) bool, segments that are discarded: inside the range, with a P(false alarm) above this."""
        found: np.ndarray = (self.p_false_alarm > above) & ~self.outside
        return found
