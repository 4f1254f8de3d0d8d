"""Serialised image messages → fields → RGB pixels.

Plain CDR is read in place, any other representation of the middleware through rclpy; ``cv_bridge`` converts encodings
outside the table of ``image_pixels``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from trust_seg_ros.messages import image_bytes, image_pixels
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, RawCompressed, RawImage, is_plain
from trust_seg_ros.messages.image_pixels import ENCODINGS, UnknownEncodingError


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


def _deserialise(buffer: bytes, kind: type) -> Any:
    from rclpy.serialization import deserialize_message

    try:
        return deserialize_message(buffer, kind)
    except Exception as error:
        raise ImageError(f"image refused: {len(buffer)} bytes are not a {kind.__name__} ({error})") from error


def _header(msg: Any) -> HeaderFields:
    return HeaderFields(msg.header.stamp.sec, msg.header.stamp.nanosec, msg.header.frame_id)


def to_rgb(image: RawImage, max_pixels: int) -> np.ndarray:
    """Convert an image message to RGB pixels: by ``image_pixels.to_rgb``, or by cv_bridge where that is installed.

    Raises:
        ImageError: a field is invalid; the text names it and what was expected.
    """
    try:
        return image_pixels.to_rgb(image, max_pixels)
    except UnknownEncodingError as unknown:
        return _by_cv_bridge(image, unknown)


@lru_cache(maxsize=1)
def _cv_bridge() -> Any | None:
    """The bridge, or None without cv_bridge; cached, so that a failing import is not repeated with every frame."""
    try:
        from cv_bridge import CvBridge

        return CvBridge()
    except Exception:  # built for another NumPy it fails in its own ways
        return None


def _by_cv_bridge(image: RawImage, unknown: UnknownEncodingError) -> np.ndarray:
    bridge = _cv_bridge()
    if bridge is None:
        raise unknown
    needed = image.step * image.height
    if image.step < image.width or image.data.size < needed:
        raise ImageError(
            f"image refused: step {image.step} and {image.data.size} bytes of data, expected a step of at least the "
            f"width {image.width} and {needed} bytes (step × height {image.height})"
        )
    from sensor_msgs.msg import Image

    msg = Image(height=image.height, width=image.width, encoding=image.encoding, step=image.step)
    msg.is_bigendian = int(image.is_bigendian)
    msg.data.frombytes(image.data.data)
    try:
        return np.ascontiguousarray(bridge.imgmsg_to_cv2(msg, "rgb8"))
    except Exception as error:
        raise ImageError(
            f"image refused: encoding {image.encoding!r} is not one of {', '.join(ENCODINGS)}, and cv_bridge cannot "
            f"read it: {error}"
        ) from error
