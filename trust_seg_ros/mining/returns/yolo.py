"""Labels that come back as YOLO segmentation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import yaml

from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.mining.returns.package import Package
from trust_seg_ros.mining.returns.shapes import Returned, Shape, Size, polygon
from trust_seg_ros.support.reading import reading, shown

_MOST_SHARE = 1.01


def is_yolo(package: Package) -> bool:
    """Whether it names classes as YOLO does."""
    return bool(_namers(package))


def read_yolo(package: Package) -> Iterator[Returned]:
    """The text files in labels/; raises ReturnedError."""
    classes = _classes(package)
    texts = [name for name in package.named(".txt") if "labels" in PurePosixPath(name).parent.parts]
    if not texts:
        raise ReturnedError(
            f"{package.path}: no text file in labels/; expected one for every image, and data.yaml beside. It holds "
            f"{', '.join(package.names[:12])}"
        )
    for name in texts:
        where = str(package.where(name))
        with reading(package.where(name), "text file", ReturnedError):
            lines = package.read(name, "text file").decode("utf-8").splitlines()
        shapes = tuple(_shape(line, f"{where}:{k}", classes) for k, line in enumerate(lines, start=1) if line.strip())
        yield Returned(PurePosixPath(name).with_suffix("").as_posix(), None, shapes, where)


def _namers(package: Package) -> list[str]:
    return [name for name in package.names if PurePosixPath(name).name in ("data.yaml", "data.yml", "dataset.yaml")]


def _classes(package: Package) -> dict[int, str]:
    """Number of a class -> its name."""
    files = _namers(package)
    if len(files) != 1:
        found = " and ".join(files) if files else f"none among {', '.join(package.names[:12]) or 'no files'}"
        raise ReturnedError(
            f"{package.path}: expected one data.yaml that names the classes, found {found}; numbers alone do not say "
            "which class is meant: export with it"
        )
    path = package.where(files[0])
    with reading(path, "YAML file", ReturnedError):
        content: Any = yaml.safe_load(package.read(files[0], "YAML file"))
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(isinstance(k, int) and isinstance(v, str) for k, v in names.items()):
        raise ReturnedError(f"{path}: names are {shown(names)}; expected a list of texts, or numbers with texts")
    return names


def _shape(line: str, where: str, classes: dict[int, str]) -> Shape:
    first, *rest = line.split()
    number = int(first) if first.isascii() and first.isdigit() and len(first) < 10 else None
    if number not in classes:
        raise ReturnedError(f"{where}: class {shown(first)}; expected one of {shown(sorted(classes))} of data.yaml")
    if len(rest) == 4:
        raise ReturnedError(
            f"{where}: a box of {shown(classes[number])}, which says nothing about pixels; export YOLO segmentation, "
            "not detection"
        )
    try:
        shares = np.array([float(word) for word in rest])
    except ValueError:
        shares = np.full(1, np.nan)
    if len(shares) % 2 or len(shares) < 6 or not (np.abs(shares - 0.5) <= _MOST_SHARE - 0.5).all():
        raise ReturnedError(f"{where}: {shown(' '.join(rest))}; expected three or more points in shares of the image")
    return Shape(classes[number], _Region(shares.reshape(-1, 2)))


class _Region:
    """The pixels of a polygon in shares of the image."""

    def __init__(self, shares: np.ndarray) -> None:
        self._shares = shares

    def __call__(self, size: Size) -> np.ndarray:
        return polygon(np.clip(self._shares, 0.0, 1.0) * [size[1], size[0]], size)
