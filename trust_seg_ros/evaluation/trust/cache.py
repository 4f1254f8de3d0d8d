"""Counts kept in files, so that repeating or continuing a study need not run the network again."""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.trust.counts import DataCounts, Flagged, ScoreCounts
from trust_seg_ros.evaluation.trust.measures import Reliability
from trust_seg_ros.evaluation.trust.passes import LabelledImages, Look, Progress, count, score_grids
from trust_seg_ros.grid import AS_IMAGE
from trust_seg_ros.segmentation.passes import passes_of
from trust_seg_ros.support.content_hash import sealed, unsealed
from trust_seg_ros.support.resumable import fingerprint, whole_file

VERSION = 2
_PROBE = (48, 64)


@dataclass
class CountsCache:
    """A folder of counts; file names are hashes of everything the counts were made from.

    The network is recognised by its answer to one fixed image; the images by their names, sizes and times.

    Attributes:
        folder: made when the first file is written; None = keep nothing.
        look: network, scores and policies.
    """

    folder: Path | None
    look: Look

    def __post_init__(self) -> None:
        self._network = "" if self.folder is None else _answer(self.look)

    def grids(self, images: LabelledImages) -> dict[str, np.ndarray]:
        """As ``passes.score_grids``.

        Raises:
            TrustStudyError: the folder cannot be written.
        """
        if self.folder is None:
            return score_grids(self.look, images)
        path = self.folder / f"grids-{self._identity(images, ())}.npz"
        stored = _read(path)
        if stored is not None and set(stored) == set(self.look.scores):
            return {score: stored[score] for score in self.look.scores}
        made = score_grids(self.look, images)
        _write(path, made)
        return made

    def counts(
        self, images: LabelledImages, name: str, grids: dict[str, np.ndarray], progress: Progress | None = None
    ) -> DataCounts:
        """As ``passes.count``.

        Raises:
            TrustStudyError: the folder cannot be written.
        """
        if self.folder is None:
            return count(self.look, images, name, grids, progress)
        bins = tuple(hashlib.sha256(grids[score].tobytes()).hexdigest() for score in self.look.scores)
        path = self.folder / f"counts-{self._identity(images, bins)}.npz"
        stored = _read(path)
        if stored is not None:
            if progress is not None:
                progress(len(images), len(images))
            return _unpacked(stored, name, self.look.network.labels.names)
        made = count(self.look, images, name, grids, progress)
        if not made.skipped:  # an unreadable file may be repaired later
            _write(path, _packed(made))
        return made

    def _identity(self, images: LabelledImages, bins: tuple[str, ...]) -> str:
        statistics = self.look.statistics
        files = [(sample.name, sample.drive, *map(_state, (sample.image, sample.labels))) for sample in images]
        told = {
            "version": VERSION,
            "network": self._network,
            "classes": self.look.network.labels.names,
            "scores": self.look.scores,
            "more": {name: str(score) for name, score in self.look.more.items()},
            "policies": [f"{p.score}={p.name}" for p in self.look.policies if not p.calibrated],
            "gradient": str(self.look.gradient),
            "statistics": None if statistics.classes is None else statistics.classes.to_json(),
            **({"features": statistics.features_id} if statistics.features is not None else {}),
            "files": files,
            "labels": [str(getattr(images, name, None)) for name in ("ignore", "table", "label_map")],
            "corruption": _corruption(images),
            "bins": bins,
            **({} if self.look.grid == AS_IMAGE else {"grid": str(self.look.grid)}),
            **({"passes": passes} if (passes := passes_of(self.look.network)) else {}),
        }
        return fingerprint(told)[:24]


def _probe() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*_PROBE, 3), dtype=np.uint8)


def _corruption(images: LabelledImages) -> str:
    """The corruption of the images, with its effect on one fixed image, because formulas may change."""
    wish = getattr(images, "corruption", None)
    if wish is None:
        return ""
    return repr(wish) + hashlib.sha256(corrupt(_probe(), wish.kind, wish.severity, wish.seed).tobytes()).hexdigest()


def _answer(look: Look) -> str:
    """The network's answer to a fixed image, rounded because threads may change the last digits."""
    logits = look.network.infer(_probe()).logits.float().numpy(force=True)
    return hashlib.sha256(np.round(logits, 2).tobytes()).hexdigest()


def _state(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except OSError:  # reading it will raise a proper error
        return str(path), -1, -1
    return str(path.resolve()), found.st_size, found.st_mtime_ns


def _packed(data: DataCounts) -> dict[str, np.ndarray]:
    plain: dict[str, Any] = {
        "images": data.images,
        "drives": data.drives,
        "scores": list(data.scores),
        "network_ms": data.network_ms,
        "policies": {score: list(found.flagged) for score, found in data.scores.items()},
    }
    arrays = {"plain": np.array(json.dumps(plain)), "places": data.places}
    arrays |= {f"reliability/{f.name}": getattr(data.reliability, f.name) for f in fields(Reliability)}
    for k, found in enumerate(data.scores.values()):
        arrays |= {f"{k}/{f.name}": getattr(found, f.name) for f in fields(ScoreCounts) if f.name != "flagged"}
        for j, flagged in enumerate(found.flagged.values()):
            arrays |= {f"{k}/{j}/{f.name}": getattr(flagged, f.name) for f in fields(Flagged)}
    return arrays


def _unpacked(arrays: dict[str, np.ndarray], name: str, classes: tuple[str, ...]) -> DataCounts:
    plain = json.loads(str(arrays["plain"]))
    scores = {}
    for k, score in enumerate(plain["scores"]):
        flagged = {
            policy: Flagged(*(arrays[f"{k}/{j}/{f.name}"] for f in fields(Flagged)))
            for j, policy in enumerate(plain["policies"][score])
        }
        parts = {f.name: arrays[f"{k}/{f.name}"] for f in fields(ScoreCounts) if f.name != "flagged"}
        scores[score] = ScoreCounts(**parts, flagged=flagged)
    reliability = Reliability(*(arrays[f"reliability/{f.name}"] for f in fields(Reliability)))
    images, drives = tuple(plain["images"]), tuple(plain["drives"])
    return DataCounts(name, images, drives, arrays["places"], classes, scores, reliability, {}, plain["network_ms"])


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a file; None if it is missing or damaged, so that it is made again."""
    try:
        content = unsealed(path.read_bytes(), path, "it is made again")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return dict(file)
    except Exception:  # a damaged zip file makes its reader raise anything
        return None


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")  # several studies may share the folder
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
        with whole_file(path, draft) as place:
            place.write_bytes(sealed(content.getvalue()))
    except OSError as error:
        raise TrustStudyError(
            f"--cache {path.parent}: cannot be written ({error}); expected a folder you may write to"
        ) from error
