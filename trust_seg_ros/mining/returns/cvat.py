"""Labels that come back as "CVAT for images 1.1"."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from xml.parsers import expat

import numpy as np

from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.mining.returns.package import Package
from trust_seg_ros.mining.returns.shapes import Returned, Shape, Size, polygon, runs
from trust_seg_ros.support.reading import shown

_CHUNK = 1 << 20
_REGIONS = ("polygon", "mask")
_NO_REGIONS = {"box": "a box", "polyline": "a line", "points": "points", "ellipse": "an ellipse", "cuboid": "a cuboid"}


def is_cvat(package: Package) -> bool:
    """Whether it holds XML of CVAT."""
    return any(b"<annotations" in package.read(name, "XML file")[:4096] for name in package.named(".xml"))


def read_cvat(package: Package) -> Iterator[Returned]:
    """The images of every XML file; raises ReturnedError."""
    names = package.named(".xml")
    if not names:
        raise ReturnedError(
            f'{package.path}: no XML file; expected annotations.xml, as CVAT exports it as "CVAT for images 1.1". It '
            f"holds {', '.join(package.names[:12]) or 'nothing'}"
        )
    for name in names:
        parser = _Parser(str(package.where(name)))
        with package.open(name, "XML file") as file:
            while chunk := file.read(_CHUNK):
                yield from parser.feed(chunk)
            yield from parser.feed(b"", last=True)


class _Parser:
    """Reads one file piece by piece; a document type, with which entities begin, is refused."""

    def __init__(self, where: str) -> None:
        self._where, self._done = where, list[Returned]()
        self._image: dict[str, str] | None = None
        self._shapes: list[tuple[int, Shape]] = []
        self._root = ""
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def feed(self, data: bytes, last: bool = False) -> list[Returned]:
        """The images that are complete by now."""
        self._parser.Parse(data, last)
        done, self._done = self._done, []
        return done

    def _refuse(self, *_: Any) -> None:
        raise ReturnedError(
            f"{self._where}: XML with a document type, which can define entities without end; CVAT writes none: get "
            "the file anew from where you trust it"
        )

    def _start(self, name: str, values: dict[str, str]) -> None:
        if not self._root:
            self._root = name
            if name != "annotations":
                raise ReturnedError(f"{self._where}: XML of {shown(name)}; expected <annotations>, as CVAT writes it")
        if name == "track":
            raise ReturnedError(
                f'{self._where}: it holds tracks, of "CVAT for video"; export the task as "CVAT for images 1.1"'
            )
        if name == "image":
            self._image, self._shapes = values, []
        elif self._image is not None and (name in _REGIONS or name in _NO_REGIONS):
            self._shapes.append(self._shape(name, values))

    def _end(self, name: str) -> None:
        if name == "image" and self._image is not None:
            place = f"{self._where}: image {shown(self._image.get('name'))}"
            size = (_whole(self._image, "height", place), _whole(self._image, "width", place))
            order = sorted(self._shapes, key=lambda found: found[0])  # by height; of one height in order of the file
            shapes = tuple(shape for _, shape in order)
            self._done.append(Returned(_text(self._image, "name", place), size, shapes, self._where))
            self._image = None

    def _shape(self, name: str, values: dict[str, str]) -> tuple[int, Shape]:
        assert self._image is not None
        place = f"{self._where}: image {shown(self._image.get('name'))}: {name}"
        label = _text(values, "label", place)
        if name in _NO_REGIONS:
            raise ReturnedError(
                f"{place} of {shown(label)}: {_NO_REGIONS[name]} says nothing about pixels; draw it as polygon or mask"
            )
        height = _whole(values, "z_order", place) if "z_order" in values else 0
        return height, Shape(label, partial(_mask if name == "mask" else _polygon, values))


def _polygon(values: dict[str, str], size: Size) -> np.ndarray:
    text = values.get("points", "")
    return polygon(_numbers(text.replace(";", ","), float, "points"), size)


def _mask(values: dict[str, str], size: Size) -> np.ndarray:
    """Run lengths along the rows of a box."""
    left, top, width, height = (_whole(values, key, "its mask") for key in ("left", "top", "width", "height"))
    if left < 0 or top < 0 or width < 1 or height < 1 or left + width > size[1] or top + height > size[0]:
        raise ReturnedError(
            f"a mask at ({left}, {top}) of {width}×{height} pixels; expected one inside of {size[1]}×{size[0]}"
        )
    lengths = np.array(_numbers(values.get("rle", ""), int, "rle"), np.int64)
    row, column = np.divmod(runs(lengths, width * height), width)
    return np.asarray((row + top) * size[1] + column + left)


def _numbers(text: str, kind: type[int] | type[float], what: str) -> list[Any]:
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        found = [kind(1 << 60)]
    if any(not abs(number) < 1 << 50 for number in found):
        raise ReturnedError(f"{what} are {shown(text)}; expected numbers with commas between")
    return found


def _whole(values: dict[str, str], key: str, place: str) -> int:
    text = values.get(key, "")
    if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) < 10):
        raise ReturnedError(f"{place}: {key} is {shown(text)}; expected a whole number")
    return int(text)


def _text(values: dict[str, str], key: str, place: str) -> str:
    if not values.get(key):
        raise ReturnedError(f"{place} has no {key}; expected a text")
    return values[key]
