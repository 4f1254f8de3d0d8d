"""Serialises message fields to CDR for a bag: the same bytes that the node would send."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from trust_seg_ros.messages.annotation_bytes import annotations_cdr
from trust_seg_ros.messages.annotations import AnnotationFields
from trust_seg_ros.messages.fields import DetectionFields, HeaderFields, ImageFields, LabelFields
from trust_seg_ros.messages.outputs import OutputFields
from trust_seg_ros.recordings.replay.message_types import DETECTIONS, DIAGNOSTICS, LABELS, type_store
from trust_seg_ros.recordings.replay.summary import StatusFields

_LITTLE = sys.byteorder == "little"
_ENCAPSULATION = b"\x00\x01\x00\x00" if _LITTLE else b"\x00\x00\x00\x00"
_WORD = struct.Struct("=I")
_STAMP = struct.Struct("=iI")


def output_cdr(fields: OutputFields, header: HeaderFields) -> bytes | bytearray:
    """What fills an output, as its message."""
    if isinstance(fields, ImageFields):
        return image_cdr(fields, header)
    if isinstance(fields, AnnotationFields):
        return annotations_cdr(fields, header)
    return detections_cdr(fields, header)


def image_cdr(fields: ImageFields, header: HeaderFields) -> bytearray:
    """A sensor_msgs/Image. The pixels are copied only once, unlike in a general serialiser."""
    head = bytearray(_ENCAPSULATION)
    _add_header(head, header)
    head += _WORD.pack(fields.height) + _WORD.pack(fields.width)
    _add_text(head, fields.encoding)
    head.append(not _LITTLE)
    _align(head)
    pixels = np.ascontiguousarray(fields.data).data.cast("B")
    head += _WORD.pack(fields.step) + _WORD.pack(len(pixels))
    head += pixels
    return head


def compressed_cdr(data: bytes, kind: str, header: HeaderFields) -> bytearray:
    """A sensor_msgs/CompressedImage; ``kind`` is its format, "jpeg" or "png"."""
    head = bytearray(_ENCAPSULATION)
    _add_header(head, header)
    _add_text(head, kind)
    _align(head)
    head += _WORD.pack(len(data))
    head += data
    return head


def detections_cdr(fields: Sequence[DetectionFields], header: HeaderFields) -> bytes:
    """A vision_msgs/Detection2DArray; every detection carries the frame's header."""
    types = type_store().types
    shared = _header(header)
    detections = [_detection(types, detection, shared) for detection in fields]
    return _bytes(types[DETECTIONS](header=shared, detections=detections), DETECTIONS)


def diagnostics_cdr(fields: StatusFields, header: HeaderFields) -> bytes:
    """A diagnostic_msgs/DiagnosticArray with one status."""
    types, d = type_store().types, "diagnostic_msgs/msg/"
    values = [types[d + "KeyValue"](key, value) for key, value in fields.values]
    told = fields.name, fields.message, fields.hardware_id
    status = types[d + "DiagnosticStatus"](fields.level, *told, values)
    return _bytes(types[DIAGNOSTICS](header=_header(header), status=[status]), DIAGNOSTICS)


def labels_cdr(fields: LabelFields, header: HeaderFields) -> bytes:
    """A vision_msgs/LabelInfo."""
    types = type_store().types
    of_class = types["vision_msgs/msg/VisionClass"]
    classes = [of_class(class_id=class_id, class_name=name) for class_id, name in fields.classes]
    return _bytes(types[LABELS](header=_header(header), class_map=classes, threshold=fields.threshold), LABELS)


def _detection(types: Any, fields: DetectionFields, header: Any) -> Any:
    v, g = "vision_msgs/msg/", "geometry_msgs/msg/"
    nowhere = types[g + "PoseWithCovariance"](
        pose=types[g + "Pose"](types[g + "Point"](0.0, 0.0, 0.0), types[g + "Quaternion"](0.0, 0.0, 0.0, 1.0)),
        covariance=np.zeros(36),
    )
    results = [
        types[v + "ObjectHypothesisWithPose"](types[v + "ObjectHypothesis"](class_id, float(score)), nowhere)
        for class_id, score in fields.results
    ]
    centre = types[v + "Pose2D"](types[v + "Point2D"](*map(float, fields.centre)), 0.0)
    box = types[v + "BoundingBox2D"](centre, *map(float, fields.size))
    return types[v + "Detection2D"](header=header, results=results, bbox=box, id=fields.id)


def _header(fields: HeaderFields) -> Any:
    types = type_store().types
    stamp = types["builtin_interfaces/msg/Time"](sec=fields.sec, nanosec=fields.nanosec)
    return types["std_msgs/msg/Header"](stamp=stamp, frame_id=fields.frame_id)


def _bytes(message: Any, kind: str) -> bytes:
    return bytes(type_store().serialize_cdr(message, kind))


def _add_header(buffer: bytearray, fields: HeaderFields) -> None:
    buffer += _STAMP.pack(fields.sec, fields.nanosec)
    _add_text(buffer, fields.frame_id)
    _align(buffer)


def _add_text(buffer: bytearray, text: str) -> None:
    _align(buffer)
    encoded = text.encode()
    buffer += _WORD.pack(len(encoded) + 1) + encoded + b"\0"


def _align(buffer: bytearray) -> None:
    """Align to four bytes, counted from the end of the encapsulation header."""
    buffer += bytes(-len(buffer) % 4)
