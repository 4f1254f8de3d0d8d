"""Drives with exact geometry and a network's answers to them, on disk: all that follows is varied without either.

Logits are kept as float16, depth as float16 metres: at 30 m to 8 mm.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.ground.placing import GroundPlane, Pose
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.resumable import fingerprint, whole_folder
from trust_seg_ros.synthetic import DriveFrame, DriveSettings, SyntheticDrive
from trust_seg_ros.synthetic.ground_truth import DriveGround, Footprint
from trust_seg_ros.synthetic.mounted import Mounted
from trust_seg_ros.types import Frame, LogitMaps

NANOSECONDS = 1_000_000_000
START_NS = NANOSECONDS
"""Stamp of the first frame; 0 would say that frames are not stamped."""
_FORM = 1
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Stretch:
    """A stretch of a drive at constant speed.

    Attributes:
        settings: of the drive; its ``ground`` asks for exact geometry.
        begin: place of the rear axle in the first frame, metres along the street.
        speed: m/s.
        hz: frames per second.
        frames: how many, >= 1.

    Raises:
        EvaluationError: the settings do not ask for exact geometry, or there is no frame.
    """

    settings: DriveSettings
    begin: float
    speed: float
    hz: float
    frames: int

    def __post_init__(self) -> None:
        if self.settings.ground is None or self.frames < 1 or not self.hz > 0:
            raise EvaluationError(
                f"a stretch of {self.frames} frames at {self.hz:g} Hz, ground {self.settings.ground}: expected at "
                "least one frame, and settings of the ground"
            )

    @property
    def name(self) -> str:
        """For example ``60000_pinhole90``."""
        ground = self.settings.ground
        return f"{self.settings.seed}_{'' if ground is None else f'{ground.lens}{ground.fov_deg:g}'}"

    def time(self, k: int) -> float:
        """Seconds at which frame k is taken."""
        return k / self.hz

    def place(self, k: int) -> float:
        """Place of the rear axle in frame k."""
        return self.begin + self.speed * self.time(k)

    def stamp(self, k: int) -> int:
        """Nanoseconds of frame k."""
        return START_NS + round(k * NANOSECONDS / self.hz)


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame.

    Attributes:
        stamp_ns: nanoseconds, > 0.
        labels: (H, W) uint8 true class ids; 255 = unknown objects.
        ground: exact geometry.
        answer: of the network.
        draw: gives the image (H, W, 3) uint8 RGB, which is not kept: it is drawn anew where it is asked for.
    """

    stamp_ns: int
    labels: np.ndarray
    ground: DriveGround
    answer: LogitMaps
    draw: Callable[[], np.ndarray]

    @property
    def frame(self) -> Frame:
        """For the pipeline; its image is blank."""
        return Frame(np.broadcast_to(np.uint8(0), (*self.labels.shape, 3)), self.stamp_ns)


def shot_of(network: SegmentationNetwork, frame: DriveFrame, stamp_ns: int) -> Shot:
    """A frame of a drive with the network's answer.

    Raises:
        EvaluationError: the frame has no exact geometry.
    """
    if frame.ground is None:
        raise EvaluationError("a frame without exact geometry: expected settings with ground")
    return Shot(stamp_ns, frame.labels, frame.ground, network.infer(frame.image), lambda: frame.image)


class Recording:
    """A stretch as it was recorded; iterating gives its shots."""

    def __init__(self, stretch: Stretch, folder: Path) -> None:
        self.stretch, self._folder = stretch, folder
        with np.load(folder / "truth.npz") as arrays:
            self._arrays = dict(arrays)
        self._raw = bool(json.loads((folder / "about.json").read_text(encoding="utf-8"))["raw"])
        ground = stretch.settings.ground
        assert ground is not None
        mounted = Mounted(ground, stretch.settings.size)
        self.camera, self.pose = mounted.model, mounted.pose

    def __len__(self) -> int:
        return self.stretch.frames

    def __iter__(self) -> Iterator[Shot]:
        logits = np.load(self._folder / "logits.npy", mmap_mode="r")
        size, drive = self.stretch.settings.size, drive_of(self.stretch)
        for k in range(len(self)):
            answer = LogitMaps(torch.from_numpy(np.asarray(logits[k], np.float32)), size, self._raw)
            draw = partial(_drawn, drive, self.stretch, k)
            yield Shot(self.stretch.stamp(k), self._arrays["labels"][k], self.ground(k), answer, draw)

    def ground(self, k: int) -> DriveGround:
        """Exact geometry of frame k."""
        a = self._arrays
        pose, plane = a["base_in_fixed"][k], a["planes"][k]
        mine = np.flatnonzero(a["footprint_frames"] == k)
        prints = tuple(
            Footprint(
                int(a["footprint_numbers"][i]), str(a["footprint_kinds"][i]), int(a["footprint_classes"][i]),
                a["footprint_polygons"][i], float(a["footprint_heights"][i]), int(a["footprint_pixels"][i]),
            )
            for i in mine
        )  # fmt: skip
        return DriveGround(
            self.camera,
            self.pose,
            Pose(pose[:3, :3], pose[:3, 3]),
            GroundPlane(plane[:3], float(plane[3])),
            float(a["slopes"][k]),
            a["depth"][k].astype(np.float32),
            prints,
        )


def recorded(
    network: SegmentationNetwork, stretch: Stretch, cache: Path, progress: Progress = lambda done, total: None
) -> Recording:
    """The stretch with the network's answers: from ``cache`` if it is there, else driven and kept there.

    Raises:
        EvaluationError: the network's answers are no plain logits.
        SyntheticDriveError: settings that cannot be drawn.
    """
    about = {"form": _FORM, "stretch": asdict(stretch), "network": network_sha256(network) or network.name}
    folder = cache / f"{stretch.name}-{fingerprint(about)[:12]}"
    if not (folder / "about.json").is_file():
        with whole_folder(folder, folder.with_name(folder.name + ".part")) as draft:
            _record(network, stretch, draft, about, progress)
    return Recording(stretch, folder)


def drive_of(stretch: Stretch) -> SyntheticDrive:
    """The world that the stretch leads through."""
    return SyntheticDrive(replace(stretch.settings, fps=stretch.hz))


def _drawn(drive: SyntheticDrive, stretch: Stretch, k: int) -> np.ndarray:
    return drive.frame_at(stretch.time(k), stretch.place(k), k).image


def _record(
    network: SegmentationNetwork, stretch: Stretch, folder: Path, about: dict[str, object], progress: Progress
) -> None:
    drive, logits, shots = drive_of(stretch), [], []
    for k in range(stretch.frames):
        shot = shot_of(network, drive.frame_at(stretch.time(k), stretch.place(k), k), stretch.stamp(k))
        if shot.answer.queries is not None or shot.answer.linear or shot.answer.placement is not None:
            raise EvaluationError(
                f"{network.name}: answers of masks, or that are placed on their grid, cannot be kept for this study; "
                "expected a network that answers with logits stretched over the image"
            )
        logits.append(shot.answer.logits.detach().cpu().numpy().astype(np.float16))
        shots.append(replace(shot, ground=replace(shot.ground, depth=shot.ground.depth.astype(np.float16))))
        progress(k + 1, stretch.frames)
    np.save(folder / "logits.npy", np.stack(logits))
    np.savez_compressed(folder / "truth.npz", **_arrays(shots))
    (folder / "about.json").write_text(json.dumps({**about, "raw": shots[0].answer.raw}, default=str), encoding="utf-8")


def _arrays(shots: list[Shot]) -> dict[str, Any]:
    grounds = [shot.ground for shot in shots]
    prints = [(k, one) for k, ground in enumerate(grounds) for one in ground.footprints]
    return {
        "labels": np.stack([shot.labels for shot in shots]),
        "depth": np.stack([ground.depth for ground in grounds]),
        "base_in_fixed": np.stack([_matrix(ground.base_in_fixed) for ground in grounds]),
        "planes": np.array([[*ground.plane.normal, ground.plane.offset] for ground in grounds]),
        "slopes": np.array([ground.slope for ground in grounds]),
        "footprint_frames": np.array([k for k, _ in prints], np.int64),
        "footprint_numbers": np.array([one.number for _, one in prints], np.int64),
        "footprint_kinds": np.array([one.kind for _, one in prints], np.str_),
        "footprint_classes": np.array([one.class_id for _, one in prints], np.int64),
        "footprint_polygons": np.array([one.polygon for _, one in prints], np.float64).reshape(len(prints), -1, 2),
        "footprint_heights": np.array([one.height for _, one in prints], np.float64),
        "footprint_pixels": np.array([one.pixels for _, one in prints], np.int64),
    }


def _matrix(pose: Pose) -> np.ndarray:
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = pose.rotation, pose.translation
    return found
