"""Flicker: how many of the segments flagged in one frame of a film have vanished in the next.

A flagged segment has vanished if in the next frame less than a tenth of its pixels lie in flagged segments of the same
predicted class (of unknown objects: in any kept OoD segment). Of the area that vanishes, the judge's part is where the
pixel still has the class (the score still reaches the threshold), but its segment is not flagged (not kept) any more;
the rest is the network's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import shipped
from folders import Places
from sheets import Numbers, Sheet

from trust_seg_ros.datasets.image_files import read_image
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.recordings.videos import VideoSource
from trust_seg_ros.types import UNLABELLED, Frame, GridFrame, Wanted

COVERED = 0.1
"""Least share of a segment's pixels that must be flagged in the next frame, too."""
LEAST = (0.0, 3e-4, 1e-3)
"""Smallest flagged segments that count, as shares of the image."""
GRIDS = (*shipped.GRIDS, "network")
JUDGES = ("P(wrong)", "P(OoD)")


@dataclass(frozen=True)
class Flags:
    """What is flagged in one frame, by one judge.

    Attributes:
        ids: (H', W') int32 numbers of the flagged segments, 0 = none.
        sizes: (n + 1,) share of the image of each segment; of 0 and of segments that are not flagged 0.
        kinds: (H', W') uint8 predicted class of every pixel; 0 in OoD segments, kept or not, ``UNLABELLED`` elsewhere.
    """

    ids: np.ndarray
    sizes: np.ndarray
    kinds: np.ndarray

    def least(self, share: float) -> Flags:
        """Only segments of at least this share of the image."""
        keep = (self.sizes >= share) & (self.sizes > 0)
        numbers = np.where(keep, np.arange(len(keep)), 0).astype(np.int32)
        return Flags(numbers[self.ids], np.where(keep, self.sizes, 0.0), self.kinds)


def measure(places: Places) -> list[Sheet]:
    """The sheet ``flicker``."""
    table: dict[str, Numbers] = {}
    for grid in GRIDS:
        pipeline = shipped.load(places.runs, grid)
        for film, frames in films(places).items():
            for (judge, least), numbers in over(flags_of(pipeline, image) for image in frames()).items():
                table[f"{film}, {judge}, grid `{grid}`, from {100 * least:g} %"] = numbers
    return [Sheet("flicker", "Flicker", "film, judge, grid, smallest segment", table)]


def over(frames: Iterable[tuple[Flags, Flags]]) -> dict[tuple[str, float], Numbers]:
    """(Judge, smallest segment) -> what vanishes from each frame of a film to the next."""
    sums: dict[tuple[str, float], list[np.ndarray]] = {}
    chosen = ([[flags.least(least) for least in LEAST] for flags in pair] for pair in frames)
    for before, after in pairwise(chosen):
        for k, judge in enumerate(JUDGES):
            for least, then, now in zip(LEAST, before[k], after[k], strict=True):
                sums.setdefault((judge, least), []).append(np.array(step(then, now)))
    return {which: numbers_of(np.array(steps)) for which, steps in sums.items()}


def films(places: Places) -> dict[str, Callable[[], Iterator[np.ndarray]]]:
    """Name -> its frames."""
    street = places.data / "street_video" / "images"
    found: dict[str, Callable[[], Iterator[np.ndarray]]] = {
        "motorway": lambda: (frame.image for frame in VideoSource.open(places.data / "video" / "solidWhiteRight.mp4"))
    }
    for folder in sorted(street.iterdir()):
        found[folder.name] = lambda folder=folder: map(read_image, sorted(folder.iterdir()))  # type: ignore[misc]
    return found


def flags_of(pipeline: TrustPipeline, image: np.ndarray) -> tuple[Flags, Flags]:
    """Segments flagged as wrong, and OoD segments kept."""
    every_size = replace(shipped.thresholds(), unreliable_min_share=0.0)
    result = pipeline(Frame(image), every_size, Wanted(pixel_flags=False))
    return _wrong(result.on_grid), _unknown(result.on_grid)


def _wrong(result: GridFrame) -> Flags:
    table, trust = result.segments, result.trust
    assert table is not None
    assert trust is not None
    return _flags(table.ids, trust.unreliable, table.sizes, np.append(UNLABELLED, table.class_ids)[table.ids])


def _unknown(result: GridFrame) -> Flags:
    ood = result.ood
    assert ood is not None
    return _flags(ood.ids, ood.kept, ood.sizes, np.where(ood.ids > 0, 0, UNLABELLED))


def _flags(ids: np.ndarray, flagged: np.ndarray, sizes: np.ndarray, kinds: np.ndarray) -> Flags:
    return Flags(ids, np.append(0.0, np.where(flagged, sizes / ids.size, 0.0)), kinds.astype(np.uint8)).least(0.0)


def numbers_of(steps: np.ndarray) -> Numbers:
    """What (k, 5) steps of :func:`step` come to."""
    vanished, segments, area, lost, judged = steps.sum(0)
    return {
        "flagged per frame": segments / len(steps),
        "area flagged, %": area / len(steps),
        "segments vanished, %": vanished / segments if segments else np.nan,
        "area vanished, %": lost / area if area else np.nan,
        "the judge's part of it, %": judged / area if area else np.nan,
    }


def step(now: Flags, after: Flags) -> tuple[int, int, float, float, float]:
    """Segments vanished and segments there; shares of the image: flagged, flagged no more, and that by the judge."""
    flagged, same = now.ids > 0, now.kinds == after.kinds
    again = flagged & same & (after.ids > 0)
    pixels = np.bincount(now.ids.ravel(), minlength=len(now.sizes))
    stayed = np.bincount(now.ids.ravel(), again.ravel(), minlength=len(now.sizes))
    there = now.sizes > 0
    gone = there & (stayed < COVERED * pixels)
    area, lost = flagged.mean(), (flagged & ~again).mean()
    return int(gone.sum()), int(there.sum()), float(area), float(lost), float((flagged & same & ~again).mean())
