"""Labels that come back as JSON of Label Studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES
from trust_seg_ros.mining.exports.brush import unpacked
from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.mining.returns.package import Package
from trust_seg_ros.mining.returns.shapes import Returned, Shape, Size, numbers, polygon
from trust_seg_ros.support.reading import shown

_REGIONS = ("brushlabels", "polygonlabels")
_NO_REGIONS = ("rectanglelabels", "ellipselabels", "keypointlabels", "vectorlabels", "bitmasklabels")


def is_labelstudio(package: Package) -> bool:
    """Whether one of its JSON files is a list of tasks."""
    return any(_fits(package.json(name)) for name in package.named(".json"))


def read_labelstudio(package: Package) -> Iterator[Returned]:
    """The tasks of every JSON file; raises ReturnedError."""
    found = False
    for name in package.named(".json"):
        data = package.json(name)
        if _fits(data):
            found = True
            for number, task in enumerate(data, start=1):
                place = f"{package.where(name)}: task {shown(task.get('id', number), 40)}"
                yield _task(task, place)
    if not found:
        raise ReturnedError(
            f"{package.path}: no tasks of Label Studio; expected its export of the kind JSON (not JSON-MIN, not PNG). "
            f"It holds {', '.join(package.names[:12]) or 'nothing'}"
        )


def _fits(data: Any) -> bool:
    return isinstance(data, list) and all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in data
    )


def _task(task: dict[str, Any], place: str) -> Returned:
    """The last annotation that was not skipped; predictions are nobody's labels."""
    given = task.get("annotations", [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise ReturnedError(
            f"{place}: annotations are {shown(given)}; expected a list, as in the export of the kind JSON"
        )
    kept = [one for one in given if not one.get("was_cancelled")]
    result = kept[-1].get("result") if kept else []
    if not isinstance(result, list) or not all(isinstance(item, dict) for item in result):
        raise ReturnedError(f"{place}: result is {shown(result)}; expected a list of regions")
    items = [item for item in result if str(item.get("type")) in (*_REGIONS, *_NO_REGIONS)]
    sizes = {_size(item, place) for item in items}
    if len(sizes) > 1:
        raise ReturnedError(f"{place}: regions of images of several sizes: {shown(sorted(sizes))}; expected one")
    shapes = tuple(_shape(item, place) for item in items)
    return Returned(_image(task["data"], place), next(iter(sizes), None), shapes, place)


def _image(data: dict[str, Any], place: str) -> str:
    """The path in the address of the image."""
    texts = [data["image"]] if isinstance(data.get("image"), str) else [v for v in data.values() if isinstance(v, str)]
    for text in texts:
        address = urlsplit(text)
        path = parse_qs(address.query).get("d", [unquote(address.path)])[0]
        if PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES:
            return path
    raise ReturnedError(f"{place}: data is {shown(data)}; expected the address of an image in data.image")


def _size(item: dict[str, Any], place: str) -> Size:
    size = (item.get("original_height"), item.get("original_width"))
    if not all(isinstance(side, int) and side > 0 for side in size):
        raise ReturnedError(f"{place}: a region of an image of {shown(size[1])}×{shown(size[0])}; expected its size")
    if item.get("image_rotation"):
        raise ReturnedError(
            f"{place}: a region of an image turned by {shown(item['image_rotation'])}°; turn it back in Label Studio"
        )
    return int(size[0] or 0), int(size[1] or 0)


def _shape(item: dict[str, Any], place: str) -> Shape:
    kind, value = str(item["type"]), item.get("value")
    if not isinstance(value, dict):
        raise ReturnedError(f"{place}: the value of a region is {shown(value)}; expected an object")
    labels = value.get(kind) or value.get("labels")
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
        raise ReturnedError(f"{place}: a region with the labels {shown(labels)}; expected one label: choose one for it")
    if kind in _NO_REGIONS:
        raise ReturnedError(
            f"{place}: {kind} of {shown(labels[0])}: only brush and polygon say which pixels are meant; draw it so"
        )
    return Shape(labels[0], _Region(value, brush=kind == "brushlabels"))


class _Region:
    """The pixels of a region; decoded when they are asked for."""

    def __init__(self, value: dict[str, Any], *, brush: bool) -> None:
        self._value, self._brush = value, brush

    def __call__(self, size: Size) -> np.ndarray:
        if not self._brush:
            shares = numbers(self._value.get("points"), "points of a polygon").reshape(-1, 2) / 100.0
            return polygon(shares * [size[1], size[0]], size)
        data = self._value.get("rle")
        try:
            if self._value.get("format") != "rle" or not isinstance(data, list):
                raise ValueError(f"{shown(data)} in the format {shown(self._value.get('format'))}; expected rle")
            return np.flatnonzero(unpacked(bytes(data), size))
        except (TypeError, ValueError) as error:
            raise ReturnedError(f"a brush region cannot be read: {error}; export it anew") from None
