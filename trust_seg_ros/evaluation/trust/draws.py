"""Draws: which images thresholds are calibrated on, and which they are judged on.

``half``   half of the images each, drawn anew in every run: similar images, as conformal prediction assumes.
``drive``  judged on one drive, calibrated on all others; each drive once: images of another place and time.
SPLIT      calibrated on all of another split, judged on all images.

All draws use the counts of one pass: the network runs once for any number of draws. Run r of ``half`` has seed r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.trust.counts import DataCounts

HALF, DRIVE = "half", "drive"


@dataclass(frozen=True)
class Draw:
    """One division of images.

    Attributes:
        name: name for tables: "run 3", "drive 0001TP".
        calibrated: (m,) bool, images of the calibration data that are calibrated on.
        judged: (n,) bool, images of the judged data that are judged.
    """

    name: str
    calibrated: np.ndarray
    judged: np.ndarray


@dataclass(frozen=True)
class Arrangement:
    """Several draws of one kind.

    Attributes:
        name: ``half``, ``drive`` or the split calibrated on.
        text: one sentence for the report.
        calibration: counts of the images that thresholds are calibrated on.
        judged: counts of the clean images that are judged; often the same.
        draws: at least one.
    """

    name: str
    text: str
    calibration: DataCounts
    judged: DataCounts
    draws: tuple[Draw, ...]

    def rows(self, draw: Draw, images: tuple[str, ...]) -> np.ndarray:
        """Which images of some data, clean or shifted, are judged in a draw, (n,) bool.

        A shifted version of a clean image is judged only where the clean image is, so never where its clean version
        was calibrated on. Other images are always judged.
        """
        chosen = {name for name, judged in zip(self.judged.images, draw.judged, strict=True) if judged}
        if set(images) <= set(self.judged.images) | set(self.judged.skipped):
            return np.array([name in chosen for name in images], bool)
        return np.ones(len(images), bool)


def by_half(data: DataCounts, runs: int) -> Arrangement:
    """Half of the images to calibrate, the other half to judge, ``runs`` times.

    Raises:
        TrustStudyError: fewer than two images.
    """
    n = len(data.images)
    if n < 2:
        raise TrustStudyError(f"--calibrate-on half: {data.name} has {n} image(s); expected two or more to divide")
    draws = []
    for seed in range(runs):
        chosen = np.zeros(n, bool)
        chosen[np.random.default_rng(seed).permutation(n)[: n // 2]] = True
        draws.append(Draw(f"run {seed}", chosen, ~chosen))
    times = "once" if runs == 1 else f"{runs} times"
    text = f"calibrated on {n // 2} images, judged on the other {n - n // 2}, drawn {times}"
    return Arrangement(HALF, text, data, data, tuple(draws))


def by_drive(data: DataCounts) -> Arrangement:
    """Judged on one drive, calibrated on all others; each drive once.

    Raises:
        TrustStudyError: fewer than two drives.
    """
    drives = np.array(data.drives, dtype=str)
    names = np.unique(drives).tolist()
    if len(names) < 2:
        raise TrustStudyError(
            f"--calibrate-on drive: all images of {data.name} are of one drive, {names}; expected two or more. Use half"
        )
    draws = tuple(Draw(f"drive {name}", drives != name, drives == name) for name in names)
    text = f"judged on one drive, calibrated on all others; {len(names)} drives"
    return Arrangement(DRIVE, text, data, data, draws)


def on_split(name: str, other: DataCounts, data: DataCounts) -> Arrangement:
    """Calibrated on all of another split."""
    draw = Draw(f"{name} → {data.name}", np.ones(len(other.images), bool), np.ones(len(data.images), bool))
    text = f"calibrated on the {len(other.images)} images of {name}, judged on all {len(data.images)}"
    return Arrangement(name, text, other, data, (draw,))
