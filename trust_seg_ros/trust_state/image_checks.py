"""Checks of a camera image: black, over-exposed, blurred, covered. Each costs a part of half a millisecond at any size.

All numbers come from one sample of the green channel, about 64 rows of 640 columns or a little more, so neither the
size of the image nor that of its file matters. The limits were chosen on CamVid's training images, street photos,
two street videos and the synthetic drive; docs/trust_state.md says how often they are wrong on others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

_ROWS, _COLUMNS = 64, 640
_BRIGHT = 250

_SPAN = 8
"""Columns of the sample in which an edge must rise for its steepness to count."""
_STRONGEST = 0.02
"""Share of the spans, those of the largest difference, that are looked at."""

_CELL_ROWS, _CELL_COLUMNS = 4, 8
"""Samples that a cell is the mean of, against noise."""
_BLOCK = 4, 8
"""Cells of a block, down and across."""
_FLAT = 1.2
"""Standard deviation of the cells of a block that shows nothing, in grey levels: a lens cover is out of focus."""
_FLAT_OF_IMAGE, _NOISE = 0.05, 0.6
"""The same as a part of the image's own standard deviation, since in fog and in dim light everything is flatter; and at
least so much, which the noise of a sensor leaves."""
_UNIFORM = 2.0
"""Standard deviation of all cells, in grey levels, of an image that shows nothing at all."""
_DIM, _BLACK = 120, 0.2
"""In an image whose brightest pixels are below the first, blocks below this part of them are dark, not covered."""
_SKY = 0.4
"""Share of the rows, from the top, in which flat blocks may be sky."""


@dataclass(frozen=True)
class ImageNumbers:
    """What the checks know of an image.

    Attributes:
        brightest: 99th percentile of green, 0 to 255.
        saturated: share of green at 250 and above, 0 to 1.
        saturated_below: the same in the lower half, where there is no sky.
        edge: steepness of the strongest edges, about 1/8 (a ramp) to 1 (a step); 1 in an image without edges.
        flat: share of the blocks that show nothing and are not saturated, 0 to 1.
        flat_below: the same below the rows that may be sky.
    """

    brightest: float
    saturated: float
    saturated_below: float
    edge: float
    flat: float
    flat_below: float


@dataclass(frozen=True)
class ImageLimits:
    """From when on an image is called faulty.

    Attributes:
        dark: a ``brightest`` of at most this is black.
        saturated, saturated_below: shares from which an image is over-exposed; ``…_most``: from which it is useless.
        edge, edge_least: an ``edge`` of at most this is blurred; useless.
        covered, covered_below: shares of ``flat`` and ``flat_below`` from which the lens is covered.
    """

    dark: float = 16.0
    saturated: float = 0.42
    saturated_below: float = 0.2
    saturated_most: float = 0.7
    saturated_below_most: float = 0.5
    edge: float = 0.29
    edge_least: float = 0.2
    covered: float = 0.45
    covered_below: float = 0.25


@dataclass(frozen=True)
class ImageFault:
    """One thing that is wrong with an image.

    Attributes:
        key: of the reason.
        text: what is wrong, with the number and its limit.
        useless: whether nothing can be seen in such an image; else less than usual.
    """

    key: str
    text: str
    useless: bool


def image_numbers(image: np.ndarray) -> ImageNumbers:
    """The numbers of an image (H, W, 3) uint8 RGB, H and W at least 1; it may be strided."""
    rows, columns = (max(1, n // k) for n, k in zip(image.shape[:2], (_ROWS, _COLUMNS), strict=True))
    sample = np.ascontiguousarray(image[rows // 2 :: rows, columns // 2 :: columns, 1])
    counts = cv2.calcHist([sample], [0], None, [256], [0, 256]).ravel()
    brightest = int(np.searchsorted(np.cumsum(counts), 0.99 * sample.size))
    below = sample[len(sample) // 2 :]
    flat, flat_below = _flat(sample, counts, brightest)
    return ImageNumbers(
        brightest=brightest,
        saturated=float(counts[_BRIGHT:].sum()) / sample.size,
        saturated_below=float(np.count_nonzero(below >= _BRIGHT)) / max(1, below.size),
        edge=_edge(sample[::2]),
        flat=flat,
        flat_below=flat_below,
    )


def _edge(sample: np.ndarray) -> float:
    """Median over the strongest spans of: largest step between neighbours / difference over the whole span.

    A step that lies within one column gives 1, a ramp as long as the span 1 / span, noise of the sensor hardly counts
    beside a strong edge, and neither light nor fog changes the ratio.
    """
    values = sample.astype(np.int16)
    if values.shape[1] <= _SPAN:
        return 1.0
    span = np.abs(values[:, _SPAN:] - values[:, :-_SPAN])
    number = max(1, int(_STRONGEST * span.size))
    at = np.argpartition(span.ravel(), span.size - number)[-number:]
    row, column = np.divmod(at, span.shape[1])
    height = span.ravel()[at]
    steps = np.abs(np.diff(values[row[:, None], column[:, None] + np.arange(_SPAN + 1)], axis=1)).max(axis=1)
    there = height > 0
    return float(np.median(steps[there] / height[there])) if there.any() else 1.0


def _flat(sample: np.ndarray, counts: np.ndarray, brightest: int) -> tuple[float, float]:
    """Shares of the blocks that show nothing: of all, and of those below the sky."""
    down, across = (n // (c * b) for n, c, b in zip(sample.shape, (_CELL_ROWS, _CELL_COLUMNS), _BLOCK, strict=True))
    if down < 2 or across < 2:
        return 0.0, 0.0
    height, width = down * _BLOCK[0] * _CELL_ROWS, across * _BLOCK[1] * _CELL_COLUMNS
    sums = np.add.reduceat(sample[:height, :width], np.arange(0, height, _CELL_ROWS), axis=0, dtype=np.int32)
    cells = np.add.reduceat(sums, np.arange(0, width, _CELL_COLUMNS), axis=1) / (_CELL_ROWS * _CELL_COLUMNS)
    blocks = cells.reshape(down, _BLOCK[0], across, _BLOCK[1])
    level, grey = blocks.mean(axis=(1, 3)), np.arange(256)
    mean = float(counts @ grey) / sample.size
    spread = max(0.0, float(counts @ (grey - mean) ** 2) / sample.size) ** 0.5
    limit = _FLAT if cells.std() <= _UNIFORM else min(_FLAT, max(_NOISE, _FLAT_OF_IMAGE * spread))
    dark = _BLACK * brightest if brightest < _DIM and cells.std() > _UNIFORM else -1.0
    found = (blocks.std(axis=(1, 3)) <= limit) & (level < _BRIGHT) & (level > dark)
    return float(found.mean()), float(found[int(_SKY * down) :].mean())


def image_faults(numbers: ImageNumbers, limits: ImageLimits | None = None) -> Iterator[ImageFault]:
    """What is wrong with an image of these numbers; nothing for most images."""
    limits = limits or ImageLimits()
    if numbers.brightest <= limits.dark:
        text = f"the image is black: 99 % of its pixels are at {numbers.brightest:g} of 255 or below"
        yield ImageFault("dark", text, True)
        return  # nothing else can be told of a black image
    if numbers.saturated >= limits.saturated or numbers.saturated_below >= limits.saturated_below:
        most = numbers.saturated >= limits.saturated_most or numbers.saturated_below >= limits.saturated_below_most
        text = f"{100 * numbers.saturated:.0f} % of the image are white, {100 * numbers.saturated_below:.0f} % below"
        yield ImageFault("overexposed", text, most)
    if numbers.edge <= limits.edge:
        text = f"the strongest edges are {numbers.edge:.2f} steep, expected more than {limits.edge:g}"
        yield ImageFault("blurred", text, numbers.edge <= limits.edge_least)
    if numbers.flat >= limits.covered or numbers.flat_below >= limits.covered_below:
        text = f"{100 * numbers.flat:.0f} % of the image show nothing, {100 * numbers.flat_below:.0f} % below the sky"
        yield ImageFault("covered", text, True)
