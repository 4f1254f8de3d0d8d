"""Fields → rclpy messages."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, LabelInfo, ObjectHypothesisWithPose, VisionClass

from trust_seg_ros.messages.fields import CompressedFields, DetectionFields, HeaderFields, ImageFields, LabelFields


def header_message(fields: HeaderFields) -> Header:
    """The header of a message."""
    header = Header(frame_id=fields.frame_id)
    header.stamp.sec, header.stamp.nanosec = fields.sec, fields.nanosec
    return header


def image_message(fields: ImageFields, header: HeaderFields) -> Image:
    """An image. The pixels are appended to the message's own array: assigning them would cost seconds."""
    msg = Image(header=header_message(header), height=fields.height, width=fields.width, encoding=fields.encoding)
    msg.step = fields.step
    msg.is_bigendian = int(sys.byteorder == "big")
    msg.data.frombytes(np.ascontiguousarray(fields.data).data.cast("B"))
    return msg


def compressed_message(fields: CompressedFields, header: HeaderFields) -> CompressedImage:
    """A compressed image."""
    msg = CompressedImage(header=header_message(header), format=fields.format)
    msg.data.frombytes(np.ascontiguousarray(fields.data).data.cast("B"))
    return msg


def detections_message(fields: Sequence[DetectionFields], header: HeaderFields) -> Detection2DArray:
    """All detections of a frame; every one carries the frame's header."""
    shared = header_message(header)
    return Detection2DArray(header=shared, detections=[_detection(detection, shared) for detection in fields])


def _detection(fields: DetectionFields, header: Header) -> Detection2D:
    msg = Detection2D(header=header, id=fields.id)
    msg.bbox.center.position.x, msg.bbox.center.position.y = fields.centre
    msg.bbox.size_x, msg.bbox.size_y = fields.size
    for class_id, score in fields.results:
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id, result.hypothesis.score = class_id, score
        msg.results.append(result)
    return msg


def labels_message(fields: LabelFields, header: HeaderFields) -> LabelInfo:
    """The label info: class names and the confidence threshold."""
    classes = [VisionClass(class_id=class_id, class_name=name) for class_id, name in fields.classes]
    return LabelInfo(header=header_message(header), class_map=classes, threshold=fields.threshold)
