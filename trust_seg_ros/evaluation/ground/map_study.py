"""Caution maps of recorded drives against true ground: errors of feet, missed and false hazard cells, smear."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trust_seg_ros.evaluation.ground.cell_counts import DriveCells, frame_cells
from trust_seg_ros.evaluation.ground.feet_error import FeetErrors, feet_errors, true_maps
from trust_seg_ros.evaluation.ground.judging import PLANES, VARIANTS, Judge, Mappers, Planes
from trust_seg_ros.evaluation.ground.recording import Stretch, recorded
from trust_seg_ros.evaluation.ground.truth import FrameTruth
from trust_seg_ros.fitting.hazard_bound import GRID
from trust_seg_ros.fitting.hazard_truth import PixelRays
from trust_seg_ros.support.resumable import fingerprint, whole_file
from trust_seg_ros.thresholds.curves import RiskCurve, check_images

MASKS = ("true masks", "the network's")
COMPARED = (VARIANTS[0], VARIANTS[1], VARIANTS[3])
"""Variants whose maps are compared."""
TRUTH = ("true masks, single frames", "true")
"""Map of a network that is always right."""
_FORM = 3


@dataclass(frozen=True, eq=False)
class MapDrive:
    """What was found on one drive.

    Attributes:
        cells: (variant, plane) -> counts of its maps.
        feet: (masks, plane) -> errors of its feet.
    """

    cells: dict[tuple[str, str], DriveCells] = field(default_factory=dict)
    feet: dict[tuple[str, str], FeetErrors] = field(default_factory=dict)


def map_drive(judge: Judge, stretch: Stretch, cache: Path) -> MapDrive:
    """One drive: from ``cache``, or judged and kept there; it is recorded first if it is not yet.

    Args:
        judge: of the study.
        stretch: the drive.
        cache: folder of recordings and counts.
    """
    about = {"form": _FORM, "stretch": asdict(stretch), **judge.about}
    file = cache / f"{stretch.name}-maps-{fingerprint(about)[:12]}.npz"
    if not file.is_file():
        arrays = _arrays(_mapped(judge, stretch, cache))
        with whole_file(file) as draft, draft.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
    with np.load(file) as stored:
        return _loaded(dict(stored))


def _mapped(judge: Judge, stretch: Stretch, cache: Path) -> MapDrive:
    recording = recorded(judge.network, stretch, cache)
    mappers, planes_of_truth = Mappers(judge, COMPARED), Planes()
    rays, alone = PixelRays(recording.camera), judge.mapper(VARIANTS[1])
    found = MapDrive()
    feet: dict[tuple[str, str], list[FeetErrors]] = {}
    for shot in recording:
        truth, ground = FrameTruth.of(shot, judge.roles, rays, judge.judging.caution.range_m), shot.ground
        maps, hazards, planes = mappers.frame(shot)
        right = true_maps(truth)
        alone.reset()
        maps[TRUTH] = alone.update(right, truth.view, ground.base_in_fixed, shot.stamp_ns)
        for key, frame in maps.items():
            found.cells.setdefault(key, DriveCells()).add(frame_cells(truth, frame))
        for masks, which, on in ((MASKS[0], right, planes_of_truth.of(shot, right)), (MASKS[1], hazards, planes)):
            for name in PLANES:
                feet.setdefault((masks, name), []).append(feet_errors(truth, which, on[name], alone))
    found.feet.update({key: FeetErrors.joined(parts) for key, parts in feet.items()})
    return found


def _arrays(found: MapDrive) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for (variant, plane), cells in found.cells.items():
        name = f"cells|{variant}|{plane}"
        arrays |= {f"{name}|frames": np.array(cells.frames), f"{name}|missed": cells.missed}
        arrays |= {f"{name}|{key}": value for key, value in cells.counts.items()}
    for (masks, plane), feet in found.feet.items():
        name = f"feet|{masks}|{plane}"
        arrays |= {f"{name}|ranges": feet.ranges, f"{name}|errors": feet.errors, f"{name}|feet": np.array(feet.feet)}
    return arrays


def _loaded(arrays: dict[str, np.ndarray]) -> MapDrive:
    found, feet = MapDrive(), dict[tuple[str, str], dict[str, np.ndarray]]()
    for name, value in arrays.items():
        what, one, plane, key = name.split("|")
        if what == "feet":
            feet.setdefault((one, plane), {})[key] = value
            continue
        cells = found.cells.setdefault((one, plane), DriveCells())
        if key == "frames":
            cells.frames = int(value)
        elif key == "missed":
            cells.missed = value
        else:
            cells.counts[key] = value
    found.feet.update({at: FeetErrors(x["ranges"], x["errors"], int(x["feet"])) for at, x in feet.items()})
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
    half = len(drives) // 2
    check_images(alpha, half)
    losses = np.stack([drive.loss for drive in drives])
    free = np.stack([drive.counts["free"] for drive in drives])
    truly = np.array([float(drive.counts["truly_free"]) for drive in drives])
    rng = np.random.default_rng(seed)
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
