"""Labels that come back as COCO."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.mining.returns.package import Package
from trust_seg_ros.mining.returns.shapes import Returned, Shape, Size, polygon, runs, together
from trust_seg_ros.support.reading import shown

_PARTS = ("images", "annotations", "categories")


def is_coco(package: Package) -> bool:
    """Whether one of its JSON files is COCO."""
    return any(_fits(package.json(name)) for name in package.named(".json"))


def read_coco(package: Package) -> Iterator[Returned]:
    """The images of every COCO file; raises ReturnedError."""
    found = False
    for name in package.named(".json"):
        data = package.json(name)
        if _fits(data):
            found = True
            yield from _images(data, str(package.where(name)))
    if not found:
        raise ReturnedError(
            f"{package.path}: no COCO file; expected a JSON file with {', '.join(_PARTS)} in it. It holds "
            f"{', '.join(package.names[:12]) or 'nothing'}"
        )


def compressed_lengths(text: str) -> np.ndarray:
    """Run lengths from the text of the COCO API, see ``library.masks.compressed``; raises ReturnedError."""
    signs = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(signs & 32 == 0)
    if not len(signs) or (signs < 0).any() or (signs > 63).any() or ends[-1:].tolist() != [len(signs) - 1]:
        raise ReturnedError(f"counts are {shown(text)}; expected run lengths as pycocotools writes them")
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(signs)) - np.repeat(starts, ends - starts + 1)
    if place.max() > 9:
        raise ReturnedError(f"counts are {shown(text)}; expected run lengths below 2^50")
    lengths = np.add.reduceat((signs & 31) << (5 * place), starts)
    lengths -= np.where(signs[ends] & 16, np.int64(1) << (5 * (place[ends] + 1)), 0)
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])
    return lengths


def _fits(data: Any) -> bool:
    return isinstance(data, dict) and all(isinstance(data.get(part), list) for part in _PARTS)


def _images(data: dict[str, Any], where: str) -> Iterator[Returned]:
    names = {_entry(c, "id", where, "category"): _entry(c, "name", where, "category") for c in data["categories"]}
    regions: dict[Any, list[Shape]] = {_entry(image, "id", where, "image"): [] for image in data["images"]}
    if len(regions) < len(data["images"]) or len(names) < len(data["categories"]):
        raise ReturnedError(f"{where}: two images or two categories have one id; expected different ids")
    for region in data["annotations"]:
        place = f"{where}: annotation {shown(region.get('id') if isinstance(region, dict) else region, 40)}"
        image, category = (_entry(region, key, place, "annotation") for key in ("image_id", "category_id"))
        if image not in regions or category not in names:
            what, value = ("image", image) if image not in regions else ("category", category)
            raise ReturnedError(f"{place} belongs to {what} {shown(value)}, which is not in the file; export it anew")
        regions[image].append(Shape(str(names[category]), _Region(region.get("segmentation"))))
    for image in data["images"]:
        size = (image.get("height"), image.get("width"))
        if not all(isinstance(side, int) and side > 0 for side in size):
            raise ReturnedError(
                f"{where}: image {shown(image.get('file_name'))} is {size[1]}×{size[0]}; expected a size"
            )
        yield Returned(str(_entry(image, "file_name", where, "image")), size, tuple(regions[image["id"]]), where)


class _Region:
    """The pixels of a segmentation; decoded when they are asked for."""

    def __init__(self, segmentation: Any) -> None:
        self._segmentation = segmentation

    def __call__(self, size: Size) -> np.ndarray:
        content = self._segmentation
        if isinstance(content, list) and content:
            return together([polygon(ring, size) for ring in content])
        if not isinstance(content, dict):
            raise ReturnedError(
                f"a region without a mask (segmentation is {shown(content)}); a box says nothing about pixels: draw it "
                "as polygon or mask"
            )
        height, width = size
        if content.get("size") != [height, width]:
            raise ReturnedError(f"a mask of the size {shown(content.get('size'))}; expected [{height}, {width}]")
        counts = content.get("counts")
        if isinstance(counts, str):
            lengths = compressed_lengths(counts)
        elif isinstance(counts, list) and all(isinstance(n, int) and abs(n) < 1 << 50 for n in counts):
            lengths = np.array(counts, np.int64)
        else:
            raise ReturnedError(f"counts are {shown(counts)}; expected run lengths as a text or a list")
        column, row = np.divmod(runs(lengths, height * width), height)
        return np.asarray(row * width + column)


def _entry(content: Any, key: str, where: str, what: str) -> Any:
    value = content.get(key) if isinstance(content, dict) else None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ReturnedError(f"{where}: {what} {shown(content)} has no {key}; expected a number or a text")
    return value
