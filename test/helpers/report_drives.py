"""Small drives for the tests of the report."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.recordings.replay.records import (
    FRAME_COLUMNS,
    TEXT_COLUMNS,
    TRUE_FALSE_COLUMNS,
    WHOLE_COLUMNS,
    ClassSums,
    Drive,
    FramePicture,
    LiveLatency,
    OodObject,
)

START_NS = 1_700_000_000_000_000_000
NAMES = ("road", "car", "sky", "train")
PALETTE = np.array([[128, 64, 128], [0, 0, 142], [70, 130, 180], [0, 80, 100]], np.uint8)


def jpeg(seed: int) -> bytes:
    """A picture of one colour, a different one for every seed."""
    image = np.full((48, 64, 3), np.random.default_rng(seed).integers(0, 256, 3), np.uint8)
    image[:, : seed % 60] = 255 - image[:, : seed % 60]
    return cv2.imencode(".jpg", image)[1].tobytes()


def frame_columns(n: int, cameras: tuple[str, ...] = ("/front",), seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of n frames at 10 Hz, cameras in turn; the shift monitor fires in the second half of each."""
    rng = np.random.default_rng(seed)
    times = np.arange(n) * 0.1
    columns: dict[str, np.ndarray] = {name: rng.uniform(0.1, 0.9, n) for name in FRAME_COLUMNS}
    columns.update({name: np.zeros(n, np.int64) for name in WHOLE_COLUMNS})
    columns.update({name: np.zeros(n, bool) for name in TRUE_FALSE_COLUMNS})
    columns.update({name: np.array([""] * n, object) for name in TEXT_COLUMNS})
    columns["camera"] = np.array([cameras[i % len(cameras)] for i in range(n)], object)
    columns["index"] = np.arange(n) // len(cameras)
    columns["recorded_ns"] = START_NS + np.arange(n) * 100_000_000
    columns["stamp_ns"] = columns["recorded_ns"] - 7_000_001
    columns["offset_s"] = times
    columns["width"][:], columns["height"][:] = 64, 48
    columns["segments"] = rng.integers(5, 50, n)
    columns["unreliable_segments"] = columns["segments"] // 5
    columns["ood_segments"] = rng.integers(0, 3, n)
    columns["shift_fired"] = np.arange(n) >= n // 2
    return columns


def class_sums(seed: int = 0) -> ClassSums:
    """Sums over the four classes of ``NAMES``; the last was never predicted."""
    rng = np.random.default_rng(seed)
    pixels, segments = np.array([5000.0, 800.0, 2000.0, 0.0]), np.array([20.0, 10.0, 5.0, 0.0])
    shares = rng.uniform(0.1, 0.9, (3, 4))
    return ClassSums(
        pixels,
        pixels * shares[0],
        segments,
        np.floor(segments / 4),
        pixels / 50,
        pixels * shares[1],
        pixels * shares[2],
        segments,
        pixels,
    )


def ood_object(at: float, box: tuple[int, int, int, int], camera: str = "/front", **more: object) -> OodObject:
    """A segment at so many seconds."""
    when = START_NS + round(at * 1e9)
    values = {"size": 100, "score": 0.7, "p_ood": 0.8, "class_name": "car", **more}
    return OodObject(camera, when, when, at, box, **values)


def drive(n: int = 40, cameras: tuple[str, ...] = ("/front",), **more: object) -> Drive:
    """A drive of n frames; every fourth of each camera has a picture, three of them are the worst moments."""
    columns = frame_columns(n, cameras)
    rows = [i for i in range(n) if i // len(cameras) % 4 == 0]
    keys = [(str(columns["camera"][i]), int(columns["recorded_ns"][i])) for i in rows]
    boxes = [ood_object(0.1 * k, (10 + k, 10, 40 + k, 40), crop=jpeg(900)) for k in range(min(n, 5))]
    values = {
        "title": "drive_7",
        "start_ns": START_NS,
        "duration_s": n * 0.1,
        "frames": columns,
        "class_names": NAMES,
        "palette": PALETTE,
        "classes": {camera: class_sums(i) for i, camera in enumerate(cameras)},
        "objects": boxes,
        "objects_total": len(boxes),
        "pictures": [
            FramePicture(*key, jpeg(3 * i), jpeg(3 * i + 1), jpeg(3 * i + 2)) for i, key in zip(rows, keys, strict=True)
        ],
        "worst": keys[::-1][:3],
        "playable": True,
        "facts": (("network", "compact"), ("command", "trust-seg replay drive_7")),
        **more,
    }
    return Drive(**values)


def nothing() -> Drive:
    """A recording without a frame."""
    empty = {name: values[:0] for name, values in frame_columns(1).items()}
    return drive(1, frames=empty, classes={}, objects=[], objects_total=0, pictures=[], worst=[])


def all_refused(n: int = 3) -> Drive:
    """Frames of which none has a result."""
    columns = frame_columns(n)
    columns["refused"] = np.array(["encoding 'x' is not known"] * n, object)
    columns["shift_fired"][:] = False
    for name in FRAME_COLUMNS:
        if columns[name].dtype == np.float64 and name != "offset_s":
            columns[name][:] = np.nan
    for name in ("segments", "unreliable_segments", "ood_segments", "width", "height"):
        columns[name][:] = 0
    return drive(n, frames=columns, classes={}, objects=[], objects_total=0, pictures=[], worst=[])


def latencies(n: int = 50) -> tuple[LiveLatency, ...]:
    """One topic that was recorded live."""
    return (LiveLatency("/trust_seg/labels", np.arange(n) * 0.1, 40.0 + np.arange(n)),)
