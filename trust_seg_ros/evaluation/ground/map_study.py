"""Caution maps of recorded drives against true ground: errors of feet, missed and false hazard cells, smear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trust_seg_ros.evaluation.ground.cell_counts import DriveCells, frame_cells
from trust_seg_ros.evaluation.ground.feet_error import FeetErrors, feet_errors, true_maps
from trust_seg_ros.evaluation.ground.judging import PLANES, VARIANTS, Judge, Mappers, Planes
from trust_seg_ros.evaluation.ground.recording import Stretch, recorded
from trust_seg_ros.evaluation.ground.truth import FrameTruth
from trust_seg_ros.fitting.hazard_bound import GRID
from trust_seg_ros.fitting.hazard_truth import PixelRays
from trust_seg_ros.thresholds.curves import RiskCurve

MASKS = ("true masks", "the network's")
COMPARED = (VARIANTS[0], VARIANTS[1], VARIANTS[3])
"""Variants whose maps are compared."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class MapDrive:
    """What was found on one drive.

    Attributes:
        cells: (variant, plane) -> counts of its maps.
        feet: (masks, plane) -> errors of its feet.
    """

    cells: dict[tuple[str, str], DriveCells] = field(default_factory=dict)
    feet: dict[tuple[str, str], FeetErrors] = field(default_factory=dict)


def map_drive(judge: Judge, stretch: Stretch, cache: Path, progress: Progress = lambda done, total: None) -> MapDrive:
    """Judge one drive; it is recorded first if it is not yet.

    Args:
        judge: of the study.
        stretch: the drive.
        cache: folder of the recordings.
        progress: called with frames done and all.
    """
    recording = recorded(judge.network, stretch, cache)
    mappers, planes_of_truth = Mappers(judge, COMPARED), Planes()
    rays, alone = PixelRays(recording.camera), judge.mapper(VARIANTS[1])
    found = MapDrive()
    feet: dict[tuple[str, str], list[FeetErrors]] = {}
    for k, shot in enumerate(recording, 1):
        truth = FrameTruth.of(shot, judge.roles, rays, judge.judging.caution.range_m)
        maps, hazards, planes = mappers.frame(shot)
        for key, frame in maps.items():
            found.cells.setdefault(key, DriveCells()).add(frame_cells(truth, frame))
        right = true_maps(truth)
        for masks, which, on in (
            (MASKS[0], right, planes_of_truth.of(shot, right)),
            (MASKS[1], hazards, planes),
        ):
            for name in PLANES:
                feet.setdefault((masks, name), []).append(feet_errors(truth, which, on[name], alone))
        progress(k, stretch.frames)
    found.feet.update({key: FeetErrors.joined(parts) for key, parts in feet.items()})
    return found


@dataclass(frozen=True)
class Draws:
    """The bound over random halves of the drives: one calibrates, the other judges.

    Attributes:
        alpha: the promise.
        missed: mean share of missed hazard cells of the judging drives, over all draws.
        worst: its 95 % quantile over the draws.
        threshold: median threshold on P(hazard).
        free: share of the truly free cells in view that is free.
        refused: draws without a threshold above 0.
    """

    alpha: float
    missed: float
    worst: float
    threshold: float
    free: float
    refused: int


def bound_draws(drives: list[DriveCells], alpha: float, draws: int = 200, seed: int = 0) -> Draws:
    """Calibrate on a random half of the drives and judge the other, many times.

    Raises:
        TooFewImagesError: half of the drives are too few for this alpha.
    """
    losses = np.stack([drive.loss for drive in drives])
    free = np.stack([drive.counts["free"] for drive in drives])
    truly = np.array([float(drive.counts["truly_free"]) for drive in drives])
    rng, half = np.random.default_rng(seed), len(drives) // 2
    missed, shares, thresholds = [], [], []
    for _ in range(draws):
        order = rng.permutation(len(drives))
        mine, others = order[:half], order[half:]
        curve = RiskCurve(GRID, np.maximum.accumulate(losses[mine].mean(0)), half)
        threshold = curve.threshold(alpha)
        place = int(np.searchsorted(GRID, max(threshold, 0.0)))
        missed.append(losses[others, place].mean())
        shares.append(free[others, place].sum() / max(truly[others].sum(), 1.0))
        thresholds.append(max(threshold, 0.0))
    return Draws(
        alpha,
        float(np.mean(missed)),
        float(np.quantile(missed, 0.95)),
        float(np.median(thresholds)),
        float(np.mean(shares)),
        sum(value <= 0.0 for value in thresholds),
    )
