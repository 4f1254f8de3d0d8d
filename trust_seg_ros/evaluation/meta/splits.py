"""Arrangements: which segments a meta model is fitted on, and which it is judged on.

``by_image``    half of the images to fit, the other half to judge; an image never on both sides. The honest default.
``by_segment``  each segment to fit or to judge with p = 0.5 (the published protocol: MetaSeg, section III). Segments of
                one image lie on both sides, so it is for comparison with published numbers only.
``by_drive``    judged on one drive, fitted on all others; each drive once. Shows how it does in new places.
``fit_on``      fitted on one split of a data set, judged on another.

Run r of ``by_image`` and ``by_segment`` is drawn with seed r.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.meta.data import SegmentData, joined


@dataclass(frozen=True)
class Run:
    """One division of segments.

    Attributes:
        name: name for tables: "run 3", "drive 0001TP".
        fitted, judged: (n,) bool; no segment is in both.
    """

    name: str
    fitted: np.ndarray
    judged: np.ndarray


@dataclass(frozen=True)
class Arrangement:
    """Segments and the runs over them.

    Attributes:
        name: ``by_image``, ``by_segment``, ``by_drive`` or ``fit_on``; with fewer images to fit, their number, too.
        text: one sentence that describes it, for the report.
        data: the segments the runs divide.
        runs: at least one.
        units: (n,) units that are never split when a part is divided again: the image, or the segment itself.
        brief: only a row in the summary, no separate section.
    """

    name: str
    text: str
    data: SegmentData
    runs: tuple[Run, ...]
    units: np.ndarray
    brief: bool = False

    @property
    def label(self) -> str:
        """Name for tables; for ``fit_on`` the two splits."""
        return self.runs[0].name if self.name == "fit_on" else self.name


def by_image(data: SegmentData, runs: int = 10, fit_images: int | None = None) -> Arrangement:
    """Half of the images that have a segment to fit, the other half to judge; drawn anew for every run.

    Args:
        data: the segments.
        runs: number of draws.
        fit_images: fit on only so many images of the first half, judge on the same second half, to see whether more
            labelled images would help. None = all of it.

    Raises:
        EvaluationError: fewer than two images have a segment, or ``fit_images`` is more than half of them.
    """
    images = np.unique(data.image)
    if len(images) < 2:
        raise EvaluationError(f"by_image: {len(images)} image(s) with a segment; expected two or more to divide")
    half = len(images) // 2
    count = half if fit_images is None else fit_images
    if not 1 <= count <= half:
        raise EvaluationError(f"by_image: {count} images to fit on; expected 1 to {half}, half of those with a segment")
    drawn = []
    for seed in range(runs):
        chosen = np.random.default_rng(seed).permutation(images)[:half]
        judged = ~np.isin(data.image, chosen)
        drawn.append(Run(f"run {seed}", np.isin(data.image, chosen[:count]), judged))
    text = f"{count} images to fit, {len(images) - half} to judge, drawn {_times(runs)}"
    name = "by_image" if fit_images is None else f"by_image, {count} fitted"
    return Arrangement(name, text, data, tuple(drawn), data.image, brief=fit_images is not None)


def by_segment(data: SegmentData, runs: int = 10) -> Arrangement:
    """Each segment to fit or to judge with p = 0.5 (MetaSeg, section III); drawn anew for every run.

    Raises:
        EvaluationError: so few segments that a run left one side empty.
    """
    drawn = []
    for seed in range(runs):
        fitted = np.random.default_rng(seed).random(len(data)) < 0.5
        if fitted.all() or not fitted.any():
            raise EvaluationError(f"by_segment: {len(data)} segment(s) are too few, run {seed} left one side empty")
        drawn.append(Run(f"run {seed}", fitted, ~fitted))
    text = f"each segment to fit or to judge with p = 0.5, drawn {_times(runs)}: the published protocol"
    return Arrangement("by_segment", text, data, tuple(drawn), np.arange(len(data)))


def by_drive(data: SegmentData, runs: int = 0) -> Arrangement:
    """Judged on one drive, fitted on all others; each drive once, so ``runs`` is not needed.

    Raises:
        EvaluationError: fewer than two drives.
    """
    of_segment = np.array(data.drives, dtype=str)[data.image]
    drives = np.unique(of_segment).tolist()
    if len(drives) < 2:
        known = f"all segments are of drive {drives[0]!r}" if drives and drives[0] else "the drives are not known"
        raise EvaluationError(f"by_drive: {known}; expected two or more. Use by_image")
    judged = [of_segment == drive for drive in drives]
    parts = tuple(Run(f"drive {drive}", ~part, part) for drive, part in zip(drives, judged, strict=True))
    text = f"judged on one drive, fitted on all others; {len(drives)} drives"
    return Arrangement("by_drive", text, data, parts, data.image)


def fit_on(fitted: SegmentData, judged: SegmentData, fitted_name: str, judged_name: str) -> Arrangement:
    """Fitted on all of one split, judged on all of another.

    Raises:
        EvaluationError: a part is empty.
        MetaModelError: the parts are of different networks, classes or metrics.
    """
    for name, part in ((fitted_name, fitted), (judged_name, judged)):
        if not len(part):
            raise EvaluationError(f"{name}: no segment with an interior")
    data = joined((fitted, judged))
    first = np.arange(len(data)) < len(fitted)
    run = Run(f"{fitted_name} → {judged_name}", first, ~first)
    text = f"fitted on all of {fitted_name}, judged on all of {judged_name}"
    return Arrangement("fit_on", text, data, (run,), data.image)


def halves(units: np.ndarray, seed: int = 0) -> np.ndarray:
    """Divide segments again, to choose parameters inside the fitted part.

    Args:
        units: (n,) units that are never split; if there is only one unit, the segments themselves are divided.
        seed: seed of the draw.

    Returns:
        (n,) bool, True for the units of one half.
    """
    kinds = np.unique(units)
    if len(kinds) < 2:
        units = kinds = np.arange(len(units))
    chosen = np.random.default_rng(seed).permutation(kinds)[: len(kinds) // 2]
    return np.isin(units, chosen)


ARRANGEMENTS: dict[str, Callable[[SegmentData, int], Arrangement]] = {
    "by_image": by_image,
    "by_segment": by_segment,
    "by_drive": by_drive,
}
"""Name -> function that makes the arrangement of one split from its segments and the number of runs."""


def _times(runs: int) -> str:
    return "once" if runs == 1 else f"{runs} times"
