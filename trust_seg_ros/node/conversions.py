"""Serialised image messages → fields: plain CDR is read in place, any other representation through rclpy."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from trust_seg_ros.messages import image_bytes
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, RawCompressed, RawImage, RawPacket, is_plain


def read_image(buffer: bytes) -> RawImage:
    """Read a serialised sensor_msgs/Image.

    Raises:
        ImageError: the bytes are not an Image message.
    """
    if is_plain(buffer):
        return image_bytes.read_image(buffer)
    from sensor_msgs.msg import Image

    msg = _deserialise(buffer, Image)
    data = np.frombuffer(msg.data, np.uint8)
    return RawImage(_header(msg), msg.height, msg.width, msg.encoding, bool(msg.is_bigendian), msg.step, data)


def read_compressed(buffer: bytes) -> RawCompressed:
    """Read a serialised sensor_msgs/CompressedImage.

    Raises:
        ImageError: the bytes are not a CompressedImage message.
    """
    if is_plain(buffer):
        return image_bytes.read_compressed(buffer)
    from sensor_msgs.msg import CompressedImage

    msg = _deserialise(buffer, CompressedImage)
    return RawCompressed(_header(msg), msg.format, np.frombuffer(msg.data, np.uint8))


def read_packet(buffer: bytes) -> RawPacket:
    """Read a serialised ffmpeg_image_transport_msgs/FFMPEGPacket.

    Raises:
        ImageError: the bytes are not an FFMPEGPacket message.
    """
    if is_plain(buffer):
        return image_bytes.read_packet(buffer)
    messages = importlib.import_module("ffmpeg_image_transport_msgs.msg")  # what sent it is installed
    msg = _deserialise(buffer, messages.FFMPEGPacket)
    return RawPacket(_header(msg), msg.encoding, msg.pts, msg.flags, np.frombuffer(msg.data, np.uint8))


def _deserialise(buffer: bytes, kind: type) -> Any:
    from rclpy.serialization import deserialize_message

    try:
        return deserialize_message(buffer, kind)
    except Exception as error:
        raise ImageError(f"image refused: {len(buffer)} bytes are not a {kind.__name__} ({error})") from error


def _header(msg: Any) -> HeaderFields:
    return HeaderFields(msg.header.stamp.sec, msg.header.stamp.nanosec, msg.header.frame_id)
