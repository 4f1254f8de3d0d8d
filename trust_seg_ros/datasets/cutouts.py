"""Folders of cut-out objects: pictures with alpha, or images with their objects marked."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.image_files import read_rgba
from trust_seg_ros.datasets.names import listed
from trust_seg_ros.datasets.ood_layouts import open_ood_folder
from trust_seg_ros.datasets.pasting import SMALLEST_OBJECT, Cutout, cut_objects

ALPHA, INDEX = "rgba", "index.csv"


@dataclass(frozen=True)
class Cutouts:
    """Cut-out objects of a folder.

    Attributes:
        name: of the folder.
        names: one per picture.
        read: index -> the objects of a picture, possibly none; raises DatasetError if a file is wrong.
    """

    name: str
    names: tuple[str, ...]
    read: Callable[[int], list[Cutout]]

    def __len__(self) -> int:
        return len(self.names)


def open_cutouts(
    folder: Path, named: Sequence[str] = (), split: str | None = None, without: str | None = None
) -> Cutouts:
    """Cut-outs of a folder: pictures with alpha in ``rgba/`` or else images with objects marked (OoD layouts).

    Args:
        folder: ``~`` is the home directory.
        named: patterns as of file names, of which one must match; () = all.
        split: only rows of ``index.csv`` with this value in the column ``split``.
        without: only rows of ``index.csv`` with 0 or nothing in this column.

    Raises:
        DatasetError: no such folder, nothing is left, or ``index.csv`` is missing or lacks the column.
    """
    folder = folder.expanduser()
    if (folder / ALPHA).is_dir():
        files = [path for path in listed(folder / ALPHA, deep=False) if path.suffix.lower() == ".png"]
        names, read = [path.stem for path in files], lambda i: [with_alpha(folder / ALPHA / files[i])]
    else:
        images = open_ood_folder(folder)
        names, read = list(images.names), lambda i: cut_objects(*images.read(i))
    wanted = chosen_names(folder, names, named, split, without)
    return Cutouts(str(folder), tuple(names[i] for i in wanted), lambda i: read(wanted[i]))


def with_alpha(path: Path) -> Cutout:
    """A picture with alpha as a cut-out, cut to what is not transparent.

    Raises:
        DatasetError: not a readable picture, no alpha, or fewer than 64 pixels that are not transparent.
    """
    rgba = read_rgba(path)
    alpha = rgba[..., 3]
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    if np.count_nonzero(alpha >= 128) < SMALLEST_OBJECT:
        raise DatasetError(f"{path}: fewer than {SMALLEST_OBJECT} pixels are not transparent; expected an object")
    box = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Cutout(np.ascontiguousarray(box[..., :3]), box[..., 3].astype(np.float32) / 255)


def chosen_names(
    folder: Path, names: Sequence[str], named: Sequence[str], split: str | None = None, without: str | None = None
) -> list[int]:
    """Positions of the names that the patterns and ``index.csv`` select, see :func:`open_cutouts`.

    Raises:
        DatasetError: none is left, or ``index.csv`` is missing, or lacks a column or a name.
    """
    wanted = [i for i, name in enumerate(names) if not named or any(fnmatchcase(name, p) for p in named)]
    if named and not wanted:
        raise DatasetError(f"{folder}: none of {len(names)} names matches {' + '.join(named)}; e.g. {names[0]}")
    for column, fits in ((split and "split", lambda v: v == split), (without, lambda v: v in ("", "0"))):
        if column:
            values = _column(folder, column)
            if missing := [names[i] for i in wanted if names[i] not in values]:
                raise DatasetError(f"{folder / INDEX}: no row {missing[0]!r}; expected one for every picture")
            wanted = [i for i in wanted if fits(values[names[i]])]
            if not wanted:
                there = ", ".join(sorted(set(values.values()))[:8])
                raise DatasetError(f"{folder / INDEX}: the column {column} leaves no picture; its values are {there}")
    return wanted


def _column(folder: Path, column: str) -> dict[str, str]:
    try:
        with (folder / INDEX).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{folder / INDEX}: cannot be read ({error}); the column {column} is needed") from error
    if not rows or column not in rows[0] or "name" not in rows[0]:
        raise DatasetError(
            f"{folder / INDEX}: no column {column!r} beside name; it has {', '.join(rows[0] if rows else ())}"
        )
    return {row["name"]: row[column] or "" for row in rows}
