"""Bytes of a foxglove_msgs/ImageAnnotations: as a replay writes it, and as the node sends it.

Two hundred boxes are 2,000 small messages inside one. rclpy takes 6 ms to make and check them one by one; here they are
rows of an array.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from trust_seg_ros.messages.annotations import BEHIND, LINE_LOOP, NO_FILL, AnnotationFields
from trust_seg_ros.messages.fields import HeaderFields

_LITTLE_ENDIAN = b"\x00\x01\x00\x00"
"""What stands before the data of a message; numbers are aligned by their sizes, counted from behind it."""

_OUTLINE = {"sec": "<i4", "nanosec": "<u4", "type": "u1", "count": "<u4", "points": ("<f8", (4, 2)),
            "line": ("<f8", 4), "lines": "<u4", "fill": ("<f8", 4), "thickness": "<f8", "metadata": "<u4"}  # fmt: skip
"""Fields of a PointsAnnotation of four points, in their order."""
_OFFSETS = {0: (0, 4, 8, 12, 16, 80, 112, 120, 152, 160), 4: (0, 4, 8, 12, 20, 84, 116, 124, 156, 164)}
"""Where they lie, by the position of the PointsAnnotation modulo 8; each begins a multiple of 4."""


def annotations_cdr(fields: AnnotationFields, header: HeaderFields, metadata: bool = True) -> bytes:
    """The serialised message; every annotation carries the frame's stamp.

    Args:
        fields: what it contains.
        header: of the frame.
        metadata: whether messages have ``metadata``, and the whole a ``timestamp``, as from foxglove_msgs 3.2.5 on.
    """
    stamp = struct.pack("<iI", header.sec, header.nanosec)
    buffer = bytearray(stamp if metadata else b"")
    buffer += struct.pack("<II", 0, len(fields.boxes))  # no circles
    first = 1 if metadata else len(fields.boxes)  # without metadata, a multiple of 8 follows a multiple of 8
    buffer += _outlines(fields, header, slice(None, first), 0, metadata)
    buffer += _outlines(fields, header, slice(first, None), 4, metadata)
    buffer += struct.pack("<I", len(fields.texts))
    size, behind, nothing = struct.pack("<d", fields.font_size), struct.pack("<4d", *BEHIND), struct.pack("<I", 0)
    for (x, y), text, colour in fields.texts:
        words = text.encode() + b"\0"
        buffer += stamp
        buffer += bytes(-len(buffer) % 8)
        buffer += struct.pack("<ddI", x, y, len(words)) + words
        buffer += bytes(-len(buffer) % 8)
        buffer += size + struct.pack("<4d", *colour) + behind + (nothing if metadata else b"")
    return _LITTLE_ENDIAN + bytes(buffer + nothing if metadata else buffer)


def _outlines(fields: AnnotationFields, header: HeaderFields, chosen: slice, place: int, metadata: bool) -> bytes:
    """Some of the PointsAnnotations, the first of which lies ``place`` behind a multiple of 8, as do those after it."""
    corners = fields.corners[chosen]
    rows: Any = np.zeros(len(corners), _row(place, metadata))
    rows["sec"], rows["nanosec"], rows["type"], rows["count"] = header.sec, header.nanosec, LINE_LOOP, 4
    rows["points"], rows["fill"], rows["thickness"] = corners, NO_FILL, fields.thickness
    rows["line"] = np.array(fields.colours[chosen]).reshape(-1, 4)
    return bytes(rows.tobytes())


def _row(place: int, metadata: bool) -> np.dtype[np.void]:
    names = list(_OUTLINE)[: None if metadata else -1]
    end = _OFFSETS[place][len(names) - 1] + (4 if metadata else 8)
    formats = [_OUTLINE[name] for name in names]
    return np.dtype({"names": names, "formats": formats, "offsets": _OFFSETS[place][: len(names)], "itemsize": end})
