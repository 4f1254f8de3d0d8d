"""What the frames of a drive give to a stop rule, kept on disk: rules are compared without judging anew."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trust_seg_ros.evaluation.ground.closed_loop import Standing
from trust_seg_ros.evaluation.ground.judging import VARIANTS, Judge, Mappers
from trust_seg_ros.evaluation.ground.recording import Stretch, recorded
from trust_seg_ros.ground.caution_frame import CautionFrame
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.support.resumable import fingerprint, whole_file
from trust_seg_ros.synthetic.ground_truth import DriveGround

AHEAD_M, ASIDE_M = (2.0, 28.0), 2.0
"""Points outside of it are of no use to any rule."""
LEAST_OCCUPANCY = 20
_FORM = 4


@dataclass(frozen=True, eq=False)
class DriveEvidence:
    """Attributes:
    stretch: the drive.
    points: name of the variant -> (m, 4) float32 number of the frame, x, y in the base frame, P(hazard).
    standing: what is true.
    """

    stretch: Stretch
    points: dict[str, np.ndarray]
    standing: Standing


def drive_evidence(judge: Judge, stretch: Stretch, plane: str, cache: Path) -> DriveEvidence:
    """The evidence of a drive: from ``cache``, or judged and kept there.

    Args:
        judge: judges the recorded answers.
        stretch: the drive.
        plane: one of ``PLANES``.
        cache: folder of recordings and evidence.
    """
    about = {
        "form": _FORM,
        "stretch": asdict(stretch),
        "plane": plane,
        **judge.about,
    }
    file = cache / f"{stretch.name}-{plane}-{fingerprint(about)[:12]}.npz"
    if not file.is_file():
        arrays = _judged(judge, stretch, plane, cache)
        with whole_file(file) as draft, draft.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
    with np.load(file) as stored:
        arrays = dict(stored)
    points = {variant.name: arrays[f"points {variant.name}"] for variant in VARIANTS}
    standing = Standing(*(arrays[name] for name in ("frames", "boxes", "numbers", "kinds")))
    return DriveEvidence(stretch, points, standing)


def _judged(judge: Judge, stretch: Stretch, plane: str, cache: Path) -> dict[str, Any]:
    recording = recorded(judge.network, stretch, cache)
    mappers = Mappers(judge, planes=(plane,))
    parts: dict[str, list[np.ndarray]] = {f"points {v.name}": [] for v in VARIANTS}
    standing: list[Standing] = []
    for k, shot in enumerate(recording):
        maps, _, _ = mappers.frame(shot)
        for variant in VARIANTS:
            found = _points(maps[variant.name, plane], shot.ground, variant.fused)
            parts[f"points {variant.name}"].append(np.column_stack([np.full(len(found), k), found]))
        standing.append(Standing.of(shot.ground, k))
    arrays: dict[str, Any] = {name: np.concatenate(rows).astype(np.float32) for name, rows in parts.items()}
    every = Standing.joined(standing)
    arrays |= {name: getattr(every, name) for name in ("frames", "boxes", "numbers", "kinds")}
    return arrays


def _points(frame: CautionFrame, ground: DriveGround, cells: bool) -> np.ndarray:
    """(m, 3) x, y in the base frame, and P(hazard): of feet, or of occupied cells."""
    if cells:
        occupied = frame.occupancy >= LEAST_OCCUPANCY
        points = _in_base(frame, ground.base_in_fixed).apply(frame.centres(occupied))[:, :2]
        p = frame.p[occupied]
    else:
        points, p = frame.feet.points[:, :2], frame.feet.p
    kept = (points[:, 0] > AHEAD_M[0]) & (points[:, 0] < AHEAD_M[1]) & (np.abs(points[:, 1]) < ASIDE_M)
    found: np.ndarray = np.column_stack([points[kept], p[kept]])
    return found


def _in_base(frame: CautionFrame, base_in_fixed: Pose) -> Pose:
    return base_in_fixed.inverse() if frame.in_fixed else Pose()
