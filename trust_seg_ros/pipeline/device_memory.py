"""What the frames of a camera leave on a device for those after them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from trust_seg_ros.types import UncertaintyMaps
from trust_seg_ros.uncertainty.frame_scores import FrameScores

MOST_ROWS = 1 << 17
"""Segments that a table on the device is made for; an image of more is measured on the host."""
PartKey = tuple[str, tuple[int, int], tuple[int, int]]
"""A plane, its first row and column, and the steps between them."""
ScoresOf = Callable[[UncertaintyMaps], FrameScores]


@dataclass
class DeviceMemory:
    """What one frame leaves for the next.

    Attributes:
        rows: "segments", "ood" -> segments that the tables have room for; grows with what was found.
        read: the planes, and parts of planes, that the host has read of this frame; the next one's come along unasked.
    """

    rows: dict[str, int] = field(default_factory=lambda: {"segments": 1024, "ood": 256})
    read: set[PartKey] = field(default_factory=set)
