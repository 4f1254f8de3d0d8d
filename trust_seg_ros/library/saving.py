"""Writes a result to a file, in the format that the ending of its name says."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from trust_seg_ros.library.coco import to_coco
from trust_seg_ros.library.errors import ExportError
from trust_seg_ros.library.judged import JudgedImage
from trust_seg_ros.library.picture import PICTURES, plot, write_whole
from trust_seg_ros.library.tables import as_csv

ENDINGS = {
    **dict.fromkeys(PICTURES, "the picture"),
    ".csv": "the segments as a table",
    ".json": "a COCO data set",
    ".npz": "the maps as arrays",
}
"""Ending of a file -> what is written to it."""
_WIDTH = 1600


def save(result: JudgedImage, path: Path) -> Path:
    """See :meth:`TrustFrame.save`.

    Raises:
        ExportError: another ending, a part that was not computed, or a file that cannot be written.
        PictureError: an image too narrow to draw.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        known = ", ".join(f"{name} ({what})" for name, what in ENDINGS.items())
        raise ExportError(f"{path}: the ending says what is written; expected one of {known}")
    if result.name and Path(result.name).exists() and path.exists() and path.samefile(result.name):
        raise ExportError(f"{path} is the image that was judged, and would be overwritten; choose another name")
    if ending == ".csv":
        return write_whole(path, as_csv(result).encode())
    if ending == ".json":
        data = to_coco(result, into=None, masks="rle", min_area=1)
        return write_whole(path, json.dumps(data, ensure_ascii=False, allow_nan=False).encode())
    if ending == ".npz":
        return write_whole(path, _arrays(result))
    return plot(result, _WIDTH).save(path)


def _arrays(result: JudgedImage) -> bytes:
    """Maps (H, W) and columns (n,), without what was not computed."""
    maps = result.maps
    found = {name: getattr(maps, name).numpy() for name in ("classes", "entropy", "margin", "variation_ratio")}
    found |= {name: plane.numpy() for name, plane in result.scores.items()}
    found["class_names"] = np.array(result.labels.names)
    if result.pixel_flags is not None:
        found["pixel_flags"] = result.pixel_flags
    if result.segments is not None:
        found |= {
            "segment_ids": result.segments.ids,
            "class_ids": result.segments.class_ids,
            "boxes": result.segments.boxes,
        }
    if result.trust is not None:
        found |= {"p_wrong": result.trust.p_wrong, "iou": result.trust.iou, "unreliable": result.trust.unreliable}
    if result.ood is not None:
        found |= {"ood_ids": result.ood.ids, "ood_kept": result.ood.kept}
    out = io.BytesIO()
    np.savez_compressed(out, **found)
    return out.getvalue()
