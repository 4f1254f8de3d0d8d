"""What each frame misses and flags at every threshold: the network runs once, everything else reads this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from trust_seg_ros import uncertainty
from trust_seg_ros.datasets.corruptions import CORRUPTIONS
from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.datasets.folders import camvid
from trust_seg_ros.fitting.curve_builder import UNIT_GRID, CurveBuilder
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.synthetic.drive import SyntheticDrive
from trust_seg_ros.synthetic.settings import DriveSettings
from trust_seg_ros.types import UNLABELLED

SCORES = ("entropy", "margin")
CLEAN = "clean"
CONDITIONS = (CLEAN, *(f"{kind}:{severity}" for kind in CORRUPTIONS for severity in (3, 5)))
_SEED, _RATE, _FRAMES = 900, 2.0, 300  # a drive whose seed nothing else uses; 150 s of it


@dataclass(frozen=True, eq=False)
class Curves:
    """Of one score under one condition, for n frames in the order of their drive.

    Attributes:
        missed: (n, k) share of the frame's misclassified pixels below each threshold of ``UNIT_GRID``.
        flagged: (n, k) share of its labelled pixels at or above each.
        drives: (n,) name of the drive of each frame.
    """

    missed: np.ndarray
    flagged: np.ndarray
    drives: np.ndarray

    def of(self, rows: np.ndarray) -> Curves:
        """Some of the frames, by a mask or indices."""
        return Curves(self.missed[rows], self.flagged[rows], self.drives[rows])


def stored(out: Path, source: str, condition: str, score: str) -> Curves:
    """Read from a file of :func:`collect`, made if it is not there."""
    path = out / f"{source}_{condition.replace(':', '_')}.npz"
    if not path.exists():
        collect(path, source, condition)
    with np.load(path, allow_pickle=False) as file:
        return Curves(file[f"{score}_missed"], file[f"{score}_flagged"], file["drives"])


def collect(path: Path, source: str, condition: str) -> None:
    """One pass of the network over the frames of a source under one condition."""
    rows: dict[str, list[np.ndarray]] = {}
    drives, network = [], load_network("embedded")
    for name, drive, image, truth in track(list(_frames(source)), f"{source} {condition}"):
        if condition != CLEAN:
            kind, severity = condition.split(":")
            image = corrupt(image, kind, int(severity), 0, name)
        maps = uncertainty.uncertainty_maps(network.infer(image))
        classes, labelled = maps.classes.numpy(force=True), truth != UNLABELLED
        for score in SCORES:
            plane = getattr(maps, score).numpy(force=True)
            missed = CurveBuilder().add(plane, classes != truth, labelled, classes)
            flagged = 1.0 - CurveBuilder().add(plane, labelled, labelled, classes)
            rows.setdefault(f"{score}_missed", []).append(missed.astype(np.float32))
            rows.setdefault(f"{score}_flagged", []).append(flagged.astype(np.float32))
        drives.append(drive)
    new = path.with_suffix(".new.npz")
    np.savez_compressed(new, drives=np.array(drives), grid=UNIT_GRID, **{k: np.array(v) for k, v in rows.items()})
    new.replace(path)


def _frames(source: str) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Name, drive, image and class ids of every frame of a source: a folder of CamVid, or the synthetic drive."""
    if source == "synthetic":
        drive = SyntheticDrive(DriveSettings(seed=_SEED, fps=_RATE))
        for index in range(_FRAMES):
            frame = drive.frame(index)
            yield f"{index}", "synthetic", frame.image, frame.labels
        return
    folder = camvid(Path(f"../shared/data/{source}"), "test")
    for sample in folder:
        yield (sample.name, sample.drive, *folder.read(sample))
