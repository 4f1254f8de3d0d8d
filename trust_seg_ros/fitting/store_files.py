"""Checks files of a segment table and of its images: complete, damaged or replaced."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trust_seg_ros.datasets.folders import Sample
from trust_seg_ros.grid import Size
from trust_seg_ros.meta.errors import StoreError
from trust_seg_ros.types import Json

DAMAGE = (pa.ArrowException, OSError, ValueError)
"""Errors that reading a damaged file raises."""
T = TypeVar("T")
Shapes = tuple[Size, Size]
"""(H, W) of an image, and of the grid that its segments were made on."""


def read_or_remove(path: Path, read: Callable[[Path], T]) -> T | None:
    """Content of a file; None if it is damaged, and then it is removed.

    Raises:
        StoreError: the file cannot be read (permissions, a disk error); it is kept.
    """
    try:
        return read(path)
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:  # Arrow raises OSError for damage too, without errno
            raise StoreError(f"{path}: cannot be read ({error}); it is kept") from error
        path.unlink()
        return None


def rows_by_image(path: Path) -> dict[int, pa.Table]:
    """Rows of a part by position of the image, without images that have no rows. Raises ``DAMAGE``."""
    found = {}
    with pq.ParquetFile(path) as file:
        for k in range(file.num_row_groups):
            rows = file.read_row_group(k)  # an image is never split
            for index in pc.unique(rows["image_index"]).to_pylist():
                found[index] = rows.filter(pc.equal(rows["image_index"], index)).combine_chunks()
    return found


def file_sizes(sample: Sample) -> list[int]:
    """Bytes of the image file and the label file, -1 if missing: a cheap way to notice replaced files."""
    sizes = [-1, -1]
    for k, path in enumerate((sample.image, sample.labels)):
        with suppress(OSError):
            sizes[k] = path.stat().st_size
    return sizes


def rows_note(rows: pa.Table, files: list[int], shapes: Shapes | None) -> Json:
    """Note kept with the rows of an image, see ``store_rows.write_image``.

    Args:
        rows: its rows.
        files: sizes of its files in bytes.
        shapes: sizes of image and grid; None = not known, from a table of an earlier version.
    """
    inside = int((rows["interior_size"].to_numpy() > 0).sum())
    return {"files": files, "segments": len(rows), "with_interior": inside, "shapes": shapes}


def shapes_of(note: Json) -> list[Shapes | None]:
    """Sizes of image and grid of every image of a part; None where they are not known."""
    found = note.get("shapes") or [None] * len(note["files"])
    return [shape and ((shape[0][0], shape[0][1]), (shape[1][0], shape[1][1])) for shape in found]
