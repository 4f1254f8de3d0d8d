"""Results as polygons for labelme, to be corrected by hand."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

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
    # What lies inside another has the smaller box, and must be painted after it. Unknown objects span classes: last.
    last = len(class_names(result)) - 1
    found.sort(key=lambda thing: (thing.class_id == last, -_extent(thing)))
    height, width = result.size
    is_file = bool(result.name) and Path(result.name).is_file()
    inside = not is_file if embed is None else embed
    data = base64.b64encode(Picture(result.frame.image).encoded()).decode() if inside else None
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": [
            shape for group, thing in enumerate(found) for shape in _shapes(thing, group, thing.class_id == last)
        ],
        "imagePath": Path(result.name).name if is_file else "image.png",
        "imageData": data,
        "imageHeight": height,
        "imageWidth": width,
    }


def _shapes(thing: Thing, group: int, unknown: bool) -> list[dict[str, Any]]:
    rings = polygons(thing.mask, thing.box)
    return [
        {
            "label": thing.class_name,
            "points": ring.astype(float).tolist(),
            "group_id": group if len(rings) > 1 else None,
            "description": _description(thing, unknown),
            "shape_type": "polygon",
            "flags": {"unreliable": True} if thing.attributes.get("unreliable") else {},
            "mask": None,
        }
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


def _extent(thing: Thing) -> int:
    left, top, right, bottom = thing.box
    return (right - left) * (bottom - top)
