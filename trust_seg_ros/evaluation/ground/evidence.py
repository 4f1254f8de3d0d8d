"""What the frames of a drive give to a stop rule, kept on disk: rules are compared without judging anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trust_seg_ros.evaluation.ground.closed_loop import Evidence, Standing
from trust_seg_ros.evaluation.ground.judging import VARIANTS, Judge, Mappers
from trust_seg_ros.evaluation.ground.recording import Stretch, recorded
from trust_seg_ros.ground.caution_frame import CautionFrame
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.resumable import fingerprint, whole_file
from trust_seg_ros.synthetic.ground_truth import DriveGround

AHEAD_M, ASIDE_M = (2.0, 28.0), 2.0
"""Points outside of it are of no use to any rule."""
LEAST_OCCUPANCY = 20
_FORM = 2


@dataclass(frozen=True, eq=False)
class DriveEvidence:
    """Attributes:
    stretch: the drive.
    evidence: name of the variant -> its frames.
    standing: what is true in each frame.
    """

    stretch: Stretch
    evidence: dict[str, list[Evidence]]
    standing: list[Standing]


def drive_evidence(
    judge: Judge, stretch: Stretch, plane: str, cache: Path, progress: Callable[[int, int], None]
) -> DriveEvidence:
    """The evidence of a drive: from ``cache``, or judged and kept there.

    Args:
        judge: judges the recorded answers.
        stretch: the drive.
        plane: one of ``PLANES``.
        cache: folder of recordings and evidence.
        progress: called with frames done and all.
    """
    about = {
        "form": _FORM,
        "stretch": asdict(stretch),
        "plane": plane,
        "judging": _of(judge),
        **_network(judge.network),
    }
    file = cache / f"{stretch.name}-{plane}-{fingerprint(about)[:12]}.npz"
    if not file.is_file():
        arrays = _judged(judge, stretch, plane, cache, progress)
        with whole_file(file) as draft, draft.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
    with np.load(file) as stored:
        return _loaded(stretch, dict(stored))


def _judged(
    judge: Judge, stretch: Stretch, plane: str, cache: Path, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    recording = recorded(judge.network, stretch, cache, progress)
    mappers, total = Mappers(judge, planes=(plane,)), len(recording)
    parts: dict[str, list[np.ndarray]] = {f"points {v.name}": [] for v in VARIANTS}
    standing: list[Standing] = []
    for k, shot in enumerate(recording):
        maps, _, _ = mappers.frame(shot)
        for variant in VARIANTS:
            found = _points(maps[variant.name, plane], shot.ground, variant.fused)
            parts[f"points {variant.name}"].append(np.column_stack([np.full(len(found), k), found]))
        standing.append(Standing.of(shot.ground))
        progress(k + 1, total)
    arrays: dict[str, Any] = {name: np.concatenate(rows).astype(np.float32) for name, rows in parts.items()}
    arrays["frames"] = np.concatenate([np.full(len(one.numbers), k) for k, one in enumerate(standing)])
    arrays["boxes"] = np.concatenate([one.boxes for one in standing])
    arrays["numbers"] = np.concatenate([one.numbers for one in standing])
    arrays["kinds"] = np.array([kind for one in standing for kind in one.kinds], np.str_)
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


def _loaded(stretch: Stretch, arrays: dict[str, np.ndarray]) -> DriveEvidence:
    evidence = {}
    for variant in VARIANTS:
        rows = arrays[f"points {variant.name}"]
        parts = [rows[rows[:, 0] == k] for k in range(stretch.frames)]
        evidence[variant.name] = [Evidence(part[:, 1:3], part[:, 3]) for part in parts]
    standing = []
    for k in range(stretch.frames):
        mine = arrays["frames"] == k
        kinds = tuple(arrays["kinds"][mine].tolist())
        standing.append(Standing(arrays["boxes"][mine], arrays["numbers"][mine], kinds))
    return DriveEvidence(stretch, evidence, standing)


def _of(judge: Judge) -> str:
    return repr((judge.judging.caution, judge.judging.hazards))


def _network(network: SegmentationNetwork) -> dict[str, str]:
    return {"network": network_sha256(network) or network.name}
