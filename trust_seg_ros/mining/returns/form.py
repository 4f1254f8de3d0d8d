"""What is known of a form of returned labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trust_seg_ros.mining.returns.package import Package
from trust_seg_ros.mining.returns.shapes import Returned


@dataclass(frozen=True, kw_only=True)
class ReturnForm:
    """Labels as one tool exports them.

    Attributes:
        name: as ``--from`` names it.
        recognise: whether an export is of this form; raises ReturnedError where a file is damaged.
        read: its images with their regions; raises ReturnedError.
        overlap: which of two overlapping regions wins, for the documentation.
    """

    name: str
    recognise: Callable[[Package], bool]
    read: Callable[[Package], Iterator[Returned]]
    overlap: str
