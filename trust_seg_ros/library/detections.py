"""Results as detections of Roboflow's supervision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trust_seg_ros.library.errors import ExportError
from trust_seg_ros.library.judged import JudgedImage
from trust_seg_ros.library.things import Thing, things
from trust_seg_ros.support.libraries import how_to_install

if TYPE_CHECKING:
    import supervision as sv

_MOST_BYTES = 2 << 30


def to_supervision(result: JudgedImage, *, min_area: int) -> sv.Detections:
    """See :meth:`TrustFrame.to_supervision`.

    Raises:
        ExportError: supervision is missing, the result has no segments, or the masks need too much memory.
    """
    try:
        import supervision as sv
    except ModuleNotFoundError as error:
        raise ExportError(
            f"to_supervision needs the library supervision; install it: {how_to_install('supervision')}"
        ) from error
    found = list(things(result, "to_supervision", min_area))
    if not found:
        return sv.Detections.empty()
    height, width = result.size
    if len(found) * height * width > _MOST_BYTES:
        raise ExportError(
            f"the masks of {len(found)} segments of {width}×{height} pixels need "
            f"{len(found) * height * width / 2**30:.1f} "
            "GiB; expected at most 2: leave small ones out, result.to_supervision(min_area=100), or use to_coco(), "
            "whose masks are small"
        )
    masks = np.zeros((len(found), height, width), bool)
    for mask, thing in zip(masks, found, strict=True):
        left, top, right, bottom = thing.box
        mask[top:bottom, left:right] = thing.mask
    return sv.Detections(
        xyxy=np.array([thing.box for thing in found], np.float32),
        mask=masks,
        confidence=np.array([thing.confidence for thing in found], np.float32),
        class_id=np.array([thing.class_id for thing in found], int),
        data={
            "class_name": np.array([thing.class_name for thing in found]),
            "p_wrong": _numbers(found, "p_wrong"),
            "iou": _numbers(found, "iou"),
            "unreliable": np.array([bool(thing.attributes.get("unreliable")) for thing in found]),
        },
    )


def _numbers(found: list[Thing], name: str) -> np.ndarray:
    """(n,) float64; NaN where it is not known."""
    return np.array([np.nan if (value := thing.attributes.get(name)) is None else value for thing in found], float)
