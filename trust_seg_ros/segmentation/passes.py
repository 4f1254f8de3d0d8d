"""How often a network looks at one image, and how its answers are averaged: windows, scales, the mirrored image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from trust_seg_ros.segmentation.errors import ModelSpecError
from trust_seg_ros.segmentation.protocol import InputSpec, Size

Average = Literal["logits", "probabilities"]
AVERAGES: tuple[Average, ...] = get_args(Average)
SCALES = (0.25, 4.0)
"""Smallest and largest scale."""
OVERLAP = 0.25
"""Usual overlap of windows."""
MOST_SCALES, MOST_OVERLAP = 16, 0.9


@dataclass(frozen=True)
class Passes:
    """The passes of one image whose answers are averaged; by default a single one.

    Attributes:
        window: (h, w) of the parts that the network's input is cut into, as ``slide_inference`` of mmsegmentation does
            it; None = the whole input at once. A side that is longer than the input's becomes the input's.
        window_overlap: share of a window that the next one covers, too, 0 to 0.9.
        scales: factors of the usual input size, 0.25 to 4, none twice.
        flip: also look at the mirrored image.
        average: "logits", or "probabilities", as published for several scales (Rottmann and Schubert 2019;
            mmsegmentation's test-time augmentation).

    Raises:
        ModelSpecError: a value is out of range, or can have no effect with the others.
    """

    window: Size | None = None
    window_overlap: float = OVERLAP
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    average: Average = "logits"

    def __post_init__(self) -> None:
        if self.window is not None and (len(self.window) != 2 or not all(8 <= side <= 1 << 14 for side in self.window)):
            raise ModelSpecError(f"window is {self.window!r}; expected (height, width), each from 8 to 16384")
        if not 0.0 <= self.window_overlap <= MOST_OVERLAP:
            raise ModelSpecError(
                f"window_overlap is {self.window_overlap!r}; expected a share from 0 to {MOST_OVERLAP}"
            )
        low, high = SCALES
        fits = 1 <= len(self.scales) <= MOST_SCALES and len(set(self.scales)) == len(self.scales)
        if not fits or not all(low <= scale <= high for scale in self.scales):
            raise ModelSpecError(
                f"scales are {self.scales!r}; expected 1 to {MOST_SCALES} different factors from {low} to {high:g}, "
                "for example (0.75, 1.0, 1.25)"
            )
        if self.average not in AVERAGES:
            raise ModelSpecError(f"average is {self.average!r}; expected {' or '.join(map(repr, AVERAGES))}")
        if self.window is None and self.window_overlap != OVERLAP:
            raise ModelSpecError(f"window_overlap {self.window_overlap:g} without windows has no effect; set window")
        if self.single and self.average != AVERAGES[0]:
            raise ModelSpecError(
                f"average {self.average!r} with one pass has nothing to average; set window, scales or flip"
            )

    @property
    def single(self) -> bool:
        """Whether this is one ordinary pass."""
        return self.window is None and self.scales == (1.0,) and not self.flip

    def size_at(self, spec: InputSpec, image_size: Size, scale: float) -> Size:
        """(h, w) of the input at a scale, in multiples of the stride; the usual one at scale 1."""
        usual = spec.size_for(image_size)
        if scale == 1.0:
            return usual
        height, width = (max(spec.stride, round(side * scale / spec.stride) * spec.stride) for side in usual)
        return height, width

    def windows(self, size: Size, stride: int) -> list[tuple[slice, slice]]:
        """Rows and columns of the windows of an input of ``size`` (h, w), row by row.

        They step by a window's share that the next one does not cover, in multiples of the stride; the last one of a
        row or column ends with the input.
        """
        if self.window is None:
            return [(slice(0, size[0]), slice(0, size[1]))]
        rows, columns = (
            list(_starts(side, min(window, side), self.window_overlap, stride))
            for side, window in zip(size, self.window, strict=True)
        )
        height, width = (min(window, side) for side, window in zip(size, self.window, strict=True))
        return [(slice(y, y + height), slice(x, x + width)) for y in rows for x in columns]

    def count(self, spec: InputSpec, image_size: Size) -> int:
        """Passes of the network for an image of ``image_size`` (H, W)."""
        sizes = [self.size_at(spec, image_size, scale) for scale in self.scales]
        return (1 + self.flip) * sum(len(self.windows(size, spec.stride)) for size in sizes)

    def cost(self, spec: InputSpec, image_size: Size) -> float:
        """Pixels that the network sees, as a multiple of those of one ordinary pass: about the factor of its time."""
        seen = 0
        for scale in self.scales:
            for rows, columns in self.windows(self.size_at(spec, image_size, scale), spec.stride):
                seen += (rows.stop - rows.start) * (columns.stop - columns.start)
        return (1 + self.flip) * seen / math.prod(spec.size_for(image_size))

    @property
    def identity(self) -> str:
        """Everything that answers depend on; "" for one ordinary pass."""
        return "" if self.single else f"{self}; overlap {self.window_overlap:g}; {self.average}"

    def __str__(self) -> str:
        parts = [] if self.window is None else [f"windows of {self.window[1]}x{self.window[0]}"]
        parts += [] if self.scales == (1.0,) else [f"scales {', '.join(f'{scale:g}' for scale in self.scales)}"]
        parts += ["the mirrored image"] if self.flip else []
        return "; ".join(parts) or "one pass"


def passes_of(network: object) -> str:
    """How often a network looks at an image: everything that its answers depend on; "" for once."""
    return str(getattr(getattr(network, "passes", None), "identity", ""))


def _starts(side: int, window: int, overlap: float, stride: int) -> Iterator[int]:
    step = max(stride, int(window * (1 - overlap) / stride) * stride)
    start = 0
    while start + window < side:
        yield start
        start += step
    yield side - window
