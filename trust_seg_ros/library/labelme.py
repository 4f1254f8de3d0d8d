"""Results as polygons for labelme, to be corrected by hand."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np

from trust_seg_ros.drawing.wording import not_class, percent, unknown_object, unknown_score
from trust_seg_ros.library.judged import JudgedImage
from trust_seg_ros.library.masks import polygons
from trust_seg_ros.library.picture import Picture
from trust_seg_ros.library.things import Thing, class_names, things
from trust_seg_ros.types import Json

_VERSION = "5.4.1"  # of the format; labelme 5 and 6 read it


def to_labelme(result: JudgedImage, *, min_area: int, embed: bool | None) -> Json:
    """See :meth:`TrustFrame.to_labelme`.

    Raises:
        ExportError: the result has no segments.
    """
    found = list(things(result, "a labelme file", min_area))
    last = len(class_names(result)) - 1
    drawn = [shape for group, thing in enumerate(found) for shape in _shapes(thing, group, thing.class_id == last)]
    drawn.sort(key=lambda one: one[0])
    height, width = result.size
    is_file = bool(result.name) and Path(result.name).is_file()
    inside = not is_file if embed is None else embed
    data = base64.b64encode(Picture(result.frame.image).encoded()).decode() if inside else None
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": [shape for _, shape in drawn],
        "imagePath": Path(result.name).name if is_file else "image.png",
        "imageData": data,
        "imageHeight": height,
        "imageWidth": width,
    }


def _shapes(thing: Thing, group: int, unknown: bool) -> list[tuple[tuple[bool, int], dict[str, Any]]]:
    """The polygons of a thing, each with its place in the order of painting.

    What lies inside another polygon is smaller than it, and must be painted after it. Unknown objects span classes:
    last.
    """
    rings = polygons(thing.mask, thing.box)
    return [
        (
            (unknown, -_extent(ring)),
            {
                "label": thing.class_name,
                "points": ring.astype(float).tolist(),
                "group_id": group if len(rings) > 1 else None,
                "description": _description(thing, unknown),
                "shape_type": "polygon",
                "flags": {"unreliable": True} if thing.attributes.get("unreliable") else {},
                "mask": None,
            },
        )
        for ring in rings
    ]


def _description(thing: Thing, unknown: bool) -> str:
    known = thing.attributes
    if unknown:
        return unknown_score(known["score"] or 0.0) if known["p_ood"] is None else unknown_object(known["p_ood"])
    if known["p_wrong"] is None:
        return ""
    return (
        not_class(thing.class_name, known["p_wrong"])
        if known["unreliable"]
        else f"P(wrong) {percent(known['p_wrong'])}"
    )


def _extent(ring: np.ndarray) -> int:
    """Area of the box around a polygon (n, 2)."""
    width, height = np.ptp(ring, axis=0)
    return int(width) * int(height)
