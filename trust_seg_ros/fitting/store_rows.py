"""Rows of the segment table on disk: their columns, one image's rows, and parts of many images.

Columns, in order; after them the metrics of the feature set ``all``, float64, and where recordings were followed those
over time, of all of these:

====================  =======  ================================================================================
``image``             string   name of the image
``image_index``       int32    its position in the split, from 0
``drive``             string   recording it comes from ("" if unknown)
``segment``           int32    number of the segment in its image, 1..n in raster order of the first pixel
``class_id``          uint8    predicted class
``left`` … ``bottom``  int32   box in pixels, right and bottom exclusive
``size``              int64    pixels of the segment
``interior_size``     int64    pixels of its interior; meta models use segments with interior_size > 0 only
``iou``               float64  MetaSeg, section 2, in [0, 1]
``iou_adj``           float64  adjusted IoU as in the paper (variant ``component``)
``iou_adj_released``  float64  adjusted IoU as in the authors' code (variant ``released``)
====================  =======  ================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trust_seg_ros.segments import SegmentTargets, feature_set
from trust_seg_ros.segments.history.window import TimeWindow, time_names
from trust_seg_ros.segments.origins import COMPONENTS, QUERIES
from trust_seg_ros.support.resumable import whole_file
from trust_seg_ros.types import Json, SegmentTable

FEATURES = "all"
"""The stored feature set: a superset of all others."""
TARGETS = {"component": "iou_adj", "released": "iou_adj_released"}
"""Variant of the adjusted IoU -> its column."""
_FIXED = (
    ("image", pa.string()),
    ("image_index", pa.int32()),
    ("drive", pa.string()),
    ("segment", pa.int32()),
    ("class_id", pa.uint8()),
    ("left", pa.int32()),
    ("top", pa.int32()),
    ("right", pa.int32()),
    ("bottom", pa.int32()),
    ("size", pa.int64()),
    ("interior_size", pa.int64()),
    ("iou", pa.float64()),
    ("iou_adj", pa.float64()),
    ("iou_adj_released", pa.float64()),
)
_KEY = b"trust_seg_ros"
_GROUP_ROWS = 16384  # rows in memory at once when a part is written, up to one image more


def metric_names(classes: int, scores: Sequence[str] = (), segments_from: str = COMPONENTS) -> tuple[str, ...]:
    """Names of the metrics of every row.

    Args:
        classes: number of classes of the network.
        scores: pixel scores whose means over segments are metrics, too, see ``segments.scores``.
        segments_from: what the segments are, see ``segments.origins``.
    """
    chosen = feature_set(FEATURES).with_maps(tuple(scores))
    return (chosen.with_queries() if segments_from == QUERIES else chosen).names(classes)


def column_names(metrics: Sequence[str], time: TimeWindow | None) -> tuple[str, ...]:
    """Names of all columns that meta models may use: the metrics, and those over time if there are any."""
    return (*metrics, *(() if time is None else time_names(metrics)))


def row_schema(metrics: Iterable[str]) -> pa.Schema:
    """Columns of the table."""
    return pa.schema([*_FIXED, *((name, pa.float64()) for name in metrics)])


def image_rows(
    name: str, index: int, drive: str, table: SegmentTable, component: SegmentTargets, released: SegmentTargets
) -> pa.Table:
    """Rows of one image, one per segment.

    Args:
        name, index, drive: name, position and recording of the image.
        table: its segments with the feature set ``all``.
        component, released: the segments' targets in both variants.
    """
    n, boxes = len(table), np.asarray(table.boxes).reshape(-1, 4)
    columns = [
        pa.repeat(name, n),
        np.full(n, index, np.int32),
        pa.repeat(drive, n),
        np.arange(1, n + 1, dtype=np.int32),
        table.class_ids,
        *np.ascontiguousarray(boxes.T),
        table.sizes,
        table.interior_sizes,
        component.iou,
        component.iou_adj,
        released.iou_adj,
        *np.ascontiguousarray(table.metrics.T),
    ]
    schema = row_schema(table.names)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def note_of(schema: pa.Schema) -> Json:
    """The note stored with the rows, see :func:`write_image` and :func:`write_part`.

    Raises:
        ValueError: there is none, so this package did not write the file.
    """
    note = json.loads((schema.metadata or {}).get(_KEY, b"null"))
    if not isinstance(note, dict):
        raise ValueError("the file holds no note of trust_seg_ros")
    return note


def _metadata(note: Json) -> dict[bytes, bytes]:
    return {_KEY: json.dumps(note, sort_keys=True).encode()}


def write_image(path: Path, rows: pa.Table, note: Json) -> None:
    """Write the rows of one image to a file, atomically."""
    rows = rows.replace_schema_metadata(_metadata(note))
    with (
        whole_file(path) as place,
        pa.OSFile(str(place), "wb") as sink,
        pa.ipc.new_file(sink, rows.schema) as writer,
    ):
        writer.write_table(rows)


def read_image(path: Path) -> pa.Table:
    """Rows of one image; raises ``pa.ArrowException``, ``OSError`` or ``ValueError`` if the file is damaged."""
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_file(source) as reader:
        table = reader.read_all()
    note_of(table.schema)
    return table


def image_note(path: Path) -> Json:
    """The note of :func:`write_image`; raises as :func:`read_image`."""
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_file(source) as reader:
        return note_of(reader.schema)


def write_part(path: Path, draft: Path, images: Iterable[Path], schema: pa.Schema, note: Json) -> None:
    """Join the files of some images into one Parquet file; its bytes depend only on the rows and the note.

    Args:
        path: final place of the complete file.
        draft: where it is written first; on the same file system.
        images: files of :func:`write_image`, in order.
        schema: of the rows.
        note: kept in the file's metadata.
    """
    schema = schema.with_metadata(_metadata(note))
    waiting: list[pa.Table] = []
    options = {"compression": "zstd", "use_dictionary": ["image", "drive"]}
    path.parent.mkdir(exist_ok=True)
    with whole_file(path, draft), pq.ParquetWriter(draft, schema, **options) as writer:
        for image in images:
            waiting.append(read_image(image).replace_schema_metadata(schema.metadata))
            if sum(map(len, waiting)) >= _GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting))


def part_note(path: Path) -> Json:
    """The note of a part; raises as :func:`read_image`."""
    return note_of(pq.read_schema(path))


def remove_quietly(path: Path) -> None:
    """Remove a file or an empty folder, if it exists."""
    with suppress(OSError):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
