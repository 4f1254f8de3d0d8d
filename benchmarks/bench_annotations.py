"""Milliseconds to make ``~/annotations`` of a frame, by the number of flagged segments.

python benchmarks/bench_annotations.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from trust_seg_ros.messages.annotation_bytes import annotations_cdr
from trust_seg_ros.messages.annotations import image_annotations
from trust_seg_ros.messages.fields import HeaderFields, MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.types import (
    Frame,
    GridFrame,
    OodSegments,
    SegmentTable,
    SegmentTrust,
    TrustFrame,
    UncertaintyMaps,
)

SIZE, HEADER, ROUNDS = (360, 480), HeaderFields(12, 34, "camera"), 100
CLASSES = 19


def flagged(rows: int, columns: int) -> TrustFrame:
    """A frame of tiles, each a flagged segment; the first lies on an OoD segment."""
    height, width = SIZE[0] // rows, SIZE[1] // columns
    count = rows * columns
    tiles = np.arange(1, count + 1, dtype=np.int32).reshape(rows, columns)
    ids = np.zeros(SIZE, np.int32)
    ids[: rows * height, : columns * width] = tiles.repeat(height, 0).repeat(width, 1)
    top, left = np.divmod(np.arange(count), columns)
    boxes = np.stack([left * width, top * height, (left + 1) * width, (top + 1) * height], 1).astype(np.int32)
    sizes = np.full(count, height * width)
    names = tuple(f"cprob_{i}" for i in range(CLASSES))
    classes = (np.arange(count) % CLASSES).astype(np.uint8)
    table = SegmentTable(ids, classes, boxes, sizes, np.zeros(count, int), names, np.full((count, CLASSES), 0.1))
    trust = SegmentTrust(np.linspace(0.5, 1, count), np.full(count, 0.3), np.ones(count, bool))
    one, judged = np.ones(1, bool), np.full(1, 0.8)
    ood = OodSegments((ids == 1).astype(np.int32), boxes[:1], sizes[:1], judged, one, judged, classes[:1], judged)
    maps = UncertaintyMaps(
        torch.zeros(SIZE, dtype=torch.uint8), *(torch.zeros(SIZE) for _ in range(3)), faulty_pixels=0
    )
    frame = Frame(np.zeros((*SIZE, 3), np.uint8), HEADER.stamp_ns, HEADER.frame_id)
    return TrustFrame(frame, GridFrame(maps, table, trust, None, ood))


def median_ms(work: Callable[[], object]) -> float:
    """Median of some rounds, after one that compiles."""
    work()
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        taken.append(1e3 * (time.perf_counter() - started))
    return float(np.median(taken))


def main() -> None:
    """Print the table."""
    options = MessageOptions(tuple(f"class {i}" for i in range(CLASSES)), np.zeros((CLASSES, 3), np.uint8))
    print("| flagged segments | boxes | fields | bytes of the message |\n|---|---|---|---|")
    for rows, columns in ((2, 5), (5, 10), (10, 20), (20, 50)):
        result = flagged(rows, columns)
        fields = image_annotations(Rendering(result, options))
        made = median_ms(partial(image_annotations, Rendering(result, options)))
        packed = median_ms(partial(annotations_cdr, fields, HEADER))
        print(f"| {rows * columns} | {len(fields.boxes)} | {made:.2f} ms | {packed:.2f} ms |")


if __name__ == "__main__":
    main()
