"""Results as a COCO data set."""

from __future__ import annotations

from typing import Any

from trust_seg_ros.library.errors import ExportError
from trust_seg_ros.library.judged import JudgedImage
from trust_seg_ros.library.masks import compressed, polygons, run_lengths
from trust_seg_ros.library.things import Thing, class_names, finite, things
from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.types import Json

MASKS = ("rle", "polygons")


def to_coco(result: JudgedImage, *, into: Json | None, masks: str, min_area: int) -> Json:
    """See :meth:`TrustFrame.to_coco`; ids of images, categories and annotations begin at 1.

    Raises:
        ExportError: the result has no segments, ``into`` has other categories, or there are no such masks.
    """
    if masks not in MASKS:
        raise ExportError(f"masks = {masks!r}: expected one of {', '.join(MASKS)}{did_you_mean(masks, MASKS)}")
    categories = [{"id": k, "name": name, "supercategory": ""} for k, name in enumerate(class_names(result), start=1)]
    empty: Json = {"info": {"description": "trust_seg_ros"}, "licenses": [], "images": [], "annotations": []}
    data = empty | {"categories": categories} if into is None else into
    if data.get("categories") != categories:
        raise ExportError(
            "into has other categories than this result; expected a data set that to_coco made of results of the same "
            "network"
        )
    image = 1 + max((entry["id"] for entry in data["images"]), default=0)
    first = 1 + max((entry["id"] for entry in data["annotations"]), default=0)
    height, width = result.size
    found = [
        {"id": first + k, "image_id": image} | annotation(thing, result.size, masks)
        for k, thing in enumerate(things(result, "a COCO data set", min_area))
    ]
    entry = {"id": image, "file_name": result.name or f"image {image}", "width": width, "height": height}
    return data | {"images": [*data["images"], entry], "annotations": [*data["annotations"], *found]}


def annotation(thing: Thing, size: tuple[int, int], masks: str) -> dict[str, Any]:
    """An annotation without ids.

    Args:
        thing: what it marks.
        size: (H, W) of the image.
        masks: one of ``MASKS``.
    """
    left, top, right, bottom = thing.box
    segmentation: Any
    if masks == "rle":
        counts = compressed(run_lengths(thing.mask, thing.box, size))
        segmentation = {"size": list(size), "counts": counts}
    else:
        segmentation = [ring.ravel().tolist() for ring in polygons(thing.mask, thing.box)]
    return {
        "category_id": thing.class_id + 1,
        "bbox": [left, top, right - left, bottom - top],
        "area": thing.area,
        "iscrowd": 0,
        "segmentation": segmentation,
        "score": finite(thing.confidence),
        "attributes": thing.attributes,
    }
