"""Recorded image messages as RGB arrays: the common encodings, through OpenCV.

The live path has its own zero-copy table in the node; a recording is read once, so plain conversions are enough here.
"""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.recordings.errors import UnreadableFrame

_CONVERSIONS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2),
    # OpenCV names a Bayer pattern by its second row, ROS by its first: hence the crossed names.
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB),
}

ENCODINGS = tuple(_CONVERSIONS)
"""Encodings of ``sensor_msgs/Image`` that :func:`decode_image` reads."""


def decode_image(encoding: str, height: int, width: int, step: int, data: np.ndarray) -> np.ndarray:
    """The pixels of a ``sensor_msgs/Image`` as (H, W, 3) uint8 RGB.

    Args:
        encoding: one of ``ENCODINGS``.
        height: rows.
        width: columns.
        step: bytes per row, padding included.
        data: at least ``step * height`` bytes, uint8.

    Raises:
        UnreadableFrame: unknown encoding, or sizes that contradict each other.
    """
    if encoding not in _CONVERSIONS:
        raise UnreadableFrame(f"encoding {encoding!r} is not supported; supported are {', '.join(ENCODINGS)}")
    depth, conversion = _CONVERSIONS[encoding]
    if height < 1 or width < 1 or step < width * depth or len(data) < step * height:
        raise UnreadableFrame(
            f"{width}x{height} {encoding} needs sizes above 0, rows of at least {width * depth} bytes and "
            f"step * height bytes in all; the message has step {step} and {len(data)} bytes"
        )
    rows = np.frombuffer(data, np.uint8, step * height).reshape(height, step)[:, : width * depth]
    pixels = rows.reshape(height, width, depth) if depth > 1 else rows
    if conversion is None:
        return np.ascontiguousarray(pixels)
    return cv2.cvtColor(np.ascontiguousarray(pixels), conversion)


def decode_compressed(data: np.ndarray) -> np.ndarray:
    """The pixels of a ``sensor_msgs/CompressedImage`` (JPEG, PNG, …) as (H, W, 3) uint8 RGB.

    Raises:
        UnreadableFrame: the bytes are no image OpenCV can decode.
    """
    buffer = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if buffer.size else None
    if image is None:
        raise UnreadableFrame(f"{buffer.size} bytes of compressed image could not be decoded; expected JPEG or PNG")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
