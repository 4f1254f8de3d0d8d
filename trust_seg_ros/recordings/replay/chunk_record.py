"""Record of a finished chunk besides its messages: JSON, followed by its hash."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from trust_seg_ros.pipeline.state import PipelineState
from trust_seg_ros.recordings.replay.bag_parts import Metadata
from trust_seg_ros.recordings.replay.errors import ReplayError
from trust_seg_ros.recordings.replay.flagged_tracks import FlaggedTrack
from trust_seg_ros.recordings.replay.frame_work import CameraMemory
from trust_seg_ros.recordings.replay.records import ClassSums, FlaggedSums, FramePicture, OodObject, TrackedObject
from trust_seg_ros.recordings.replay.tracked_objects import OpenObjects
from trust_seg_ros.support.content_hash import sealed, unsealed
from trust_seg_ros.support.reading import reading

Row = dict[str, Any]


@dataclass(frozen=True)
class ChunkRecord:
    """One finished chunk.

    Attributes:
        file: its file of the bag; "" if it holds no message.
        metadata: rosbag2's metadata of that file.
        frames: rows of the frame table, without the columns that need earlier frames.
        classes: camera -> sums by class.
        objects: OoD objects kept for the report.
        objects_total: number of all its OoD objects.
        spread: pictures of frames spread evenly over the drive.
        worst: badness and picture of frames that may be among the worst of the drive.
        latency: topic -> (recorded_ns, ms) of messages recorded live.
        memory: camera -> state for the next chunk.
        seconds: name of the step -> seconds spent in it.
        notes: remarks for the reader of the report.
        names, palette: names and colours of the classes.
        facts: (name, value) about the network and its models.
        tracked: with tracking, the most certain OoD objects whose tracks ended in it.
        tracked_total: number of all of these.
        flagged: with tracking, camera -> sums over the flagged segments whose tracks ended in it.
    """

    file: str
    metadata: Metadata
    frames: list[Row]
    classes: Mapping[str, ClassSums]
    objects: list[OodObject]
    objects_total: int
    spread: list[FramePicture]
    worst: list[tuple[float, FramePicture]]
    latency: Mapping[str, list[tuple[int, float]]]
    memory: Mapping[str, CameraMemory]
    seconds: Mapping[str, float]
    notes: list[str] = field(default_factory=list)
    names: tuple[str, ...] = ()
    palette: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.uint8))
    facts: list[tuple[str, str]] = field(default_factory=list)
    tracked: list[TrackedObject] = field(default_factory=list)
    tracked_total: int = 0
    flagged: Mapping[str, FlaggedSums] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it to a file."""
        path.write_bytes(sealed(json.dumps(_plain(vars(self))).encode()))

    @classmethod
    def read(cls, path: Path) -> ChunkRecord:
        """Read a file written by :meth:`write`.

        Raises:
            ReplayError: it is missing or damaged.
        """
        what = "record of a chunk; delete its folder, and the chunk is done again"
        with reading(path, what, ReplayError):
            return cls._of(json.loads(unsealed(path.read_bytes(), path, "start anew with --force")))

    @classmethod
    def _of(cls, d: Mapping[str, Any]) -> ChunkRecord:
        return cls(
            file=d["file"],
            metadata=d["metadata"],
            frames=d["frames"],
            classes={camera: _sums(sums) for camera, sums in d["classes"].items()},
            objects=[_object(o) for o in d["objects"]],
            objects_total=d["objects_total"],
            spread=[_picture(p) for p in d["spread"]],
            worst=[(bad, _picture(p)) for bad, p in d["worst"]],
            latency={topic: [(at, ms) for at, ms in pairs] for topic, pairs in d["latency"].items()},
            memory={camera: _memory(m) for camera, m in d["memory"].items()},
            seconds=d["seconds"],
            notes=d["notes"],
            names=tuple(d["names"]),
            palette=np.array(d["palette"], np.uint8).reshape(-1, 3),
            facts=[(name, value) for name, value in d["facts"]],
            tracked=[_tracked(one) for one in d["tracked"]],
            tracked_total=d["tracked_total"],
            flagged={camera: _flagged(sums) for camera, sums in d["flagged"].items()},
        )


def _plain(value: Any) -> Any:
    if isinstance(value, PipelineState):
        return value.to_json()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _sums(d: dict[str, Any]) -> ClassSums:
    return ClassSums(**{name: np.array(values, float) for name, values in d.items()})


def _object(d: dict[str, Any]) -> OodObject:
    return OodObject(**{**d, "box": tuple(d["box"]), "crop": _bytes(d["crop"])})


def _tracked(d: dict[str, Any]) -> TrackedObject:
    parts = {name: _object(d[name]) for name in ("first", "last", "best")}
    pictured = d["pictured"]
    return TrackedObject(**{**d, **parts, "pictured": None if pictured is None else _object(pictured)})


def _flagged(d: dict[str, Any]) -> FlaggedSums:
    return FlaggedSums(**{name: np.array(values, np.int64) for name, values in d.items()})


def _picture(d: dict[str, Any]) -> FramePicture:
    return FramePicture(**{**d, **{name: _bytes(d[name]) for name in ("image", "overlay", "entropy")}})


def _memory(d: dict[str, Any]) -> CameraMemory:
    past, objects, flagged = d["pipeline"], d["objects"], d["flagged"]
    return CameraMemory(
        d["last_stamp"],
        None if past is None else PipelineState.from_json(past),
        None if objects is None else _open_objects(objects),
        None if flagged is None else {int(track): FlaggedTrack(**one) for track, one in flagged.items()},
    )


def _open_objects(d: dict[str, Any]) -> OpenObjects:
    return OpenObjects(tuple(_tracked(one) for one in d["objects"]), tuple(tuple(rank) for rank in d["best"]))
