"""Frames of recordings in order, of which only some carry labels.

A sequence is what lies in one folder and has the same name up to its last number: ``0016E5_07959.jpg`` and
``0016E5_07961.jpg`` are frames of one. The number orders them, and is their time, in units of 1 / rate.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES
from trust_seg_ros.datasets.names import listed, plain

_NUMBER = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)
_FIRST_NS = 1_000_000_000  # a stamp of 0 would mean "not stamped"


@dataclass(frozen=True)
class SequenceFrame:
    """One frame of a recording.

    Attributes:
        image: path of the image.
        stamp_ns: when it was taken, nanoseconds, from one second on.
        index: position of the image among the labelled ones; None = it has no labels.
    """

    image: Path
    stamp_ns: int
    index: int | None = None


Sequence = tuple[SequenceFrame, ...]


def sequences(folder: LabelledFolder, rate_hz: float) -> tuple[Sequence, ...]:
    """The recordings that labelled images come from, with all frames beside them, in order.

    Args:
        folder: the labelled images.
        rate_hz: how many of the names' numbers make a second: 30 for 30 frames a second that are numbered one by one,
            10**9 for names that are nanoseconds.

    Raises:
        DatasetError: the rate cannot be one, a name has no number, two frames of a sequence have one number, or a
            folder cannot be listed.
    """
    if not (math.isfinite(rate_hz) and rate_hz > 0.0):
        raise DatasetError(f"a rate of {rate_hz:g} Hz; expected a number above 0")
    labelled = {(sample.image.parent, plain(sample.image.name)): k for k, sample in enumerate(folder.samples)}
    found: dict[tuple[Path, str, str], dict[int, tuple[Path, int | None]]] = {}
    for parent in dict.fromkeys(sample.image.parent for sample in folder.samples):
        for file in listed(parent, deep=False):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                _add(found, parent / file, labelled.get((parent, plain(file.name))))
    return tuple(
        _frames(frames, rate_hz)
        for _, frames in sorted(found.items())
        if any(index is not None for _, index in frames.values())
    )


def frame_rates(found: tuple[Sequence, ...]) -> tuple[float, float]:
    """Smallest and largest of the sequences' frame rates, each the inverse of its median period; (0, 0) if none has two
    frames."""
    periods = [_median_period(frames) for frames in found if len(frames) > 1]
    return (1.0 / max(periods), 1.0 / min(periods)) if periods else (0.0, 0.0)


def median_period(found: tuple[Sequence, ...]) -> float:
    """Median time between two frames over all sequences, seconds.

    Raises:
        DatasetError: no sequence has two frames.
    """
    steps = [step for frames in found for step in _steps(frames)]
    if not steps:
        raise DatasetError(
            "no two images belong to one sequence: expected names that differ in their last number only, as frame_0001 "
            "and frame_0002, in one folder"
        )
    return float(np.median(steps))


def _median_period(frames: Sequence) -> float:
    return float(np.median(_steps(frames)))


def _steps(frames: Sequence) -> list[float]:
    return [(b.stamp_ns - a.stamp_ns) / 1e9 for a, b in pairwise(frames)]


def _add(
    found: dict[tuple[Path, str, str], dict[int, tuple[Path, int | None]]], image: Path, index: int | None
) -> None:
    parts = _NUMBER.fullmatch(image.stem)
    if parts is None:
        raise DatasetError(f"{image}: no number in its name, which would say its place in a sequence")
    before = found.setdefault((image.parent, parts[1], parts[3]), {})
    number = int(parts[2])
    if number in before:
        raise DatasetError(f"{image} and {before[number][0].name}: two frames with the number {number}")
    before[number] = image, index


def _frames(found: dict[int, tuple[Path, int | None]], rate_hz: float) -> Sequence:
    first = min(found)
    return tuple(
        SequenceFrame(image, _FIRST_NS + round((number - first) * 1e9 / rate_hz), index)
        for number, (image, index) in sorted(found.items())
    )
