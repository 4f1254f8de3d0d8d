"""Recorded image messages as RGB arrays: the encodings the node reads without help, with the same meaning.

The live path has its own zero-copy table in the node; a recording is read once, so plain conversions are enough here.
A test in ``test/recordings`` reads the same messages through both.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trust_seg_ros.recordings.errors import UnreadableFrame


@dataclass(frozen=True)
class _Layout:
    """How an encoding lies in memory: channels, bytes per element, rows of the buffer in halves per image row."""

    code: int | None
    channels: int = 1
    element_bytes: int = 1
    half_rows: int = 2
    even: bool = False


_GRAY, _GRAY16 = _Layout(cv2.COLOR_GRAY2RGB), _Layout(cv2.COLOR_GRAY2RGB, element_bytes=2)
_BGR = _Layout(cv2.COLOR_BGR2RGB, channels=3)
_UYVY = _Layout(cv2.COLOR_YUV2RGB_UYVY, channels=2, even=True)
_YUYV = _Layout(cv2.COLOR_YUV2RGB_YUY2, channels=2, even=True)

_LAYOUTS = {
    "rgb8": _Layout(None, channels=3),
    "bgr8": _BGR,
    "8UC3": _BGR,
    "rgba8": _Layout(cv2.COLOR_RGBA2RGB, channels=4),
    "bgra8": _Layout(cv2.COLOR_BGRA2RGB, channels=4),
    "mono8": _GRAY,
    "8UC1": _GRAY,
    "mono16": _GRAY16,
    "16UC1": _GRAY16,
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuyv": _YUYV,
    "yuv422_yuy2": _YUYV,
    "nv12": _Layout(cv2.COLOR_YUV2RGB_NV12, half_rows=3, even=True),
    "nv21": _Layout(cv2.COLOR_YUV2RGB_NV21, half_rows=3, even=True),
    # OpenCV names a Bayer pattern by its second row, ROS by its first: hence the crossed names.
    "bayer_rggb8": _Layout(cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": _Layout(cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": _Layout(cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": _Layout(cv2.COLOR_BayerGB2RGB),
}

ENCODINGS = tuple(_LAYOUTS)
"""Encodings of ``sensor_msgs/Image`` that :func:`decode_image` reads; 16-bit greys keep their upper 8 bits."""


def decode_image(
    encoding: str, height: int, width: int, step: int, data: np.ndarray, big_endian: bool = False
) -> np.ndarray:
    """The pixels of a ``sensor_msgs/Image`` as (H, W, 3) uint8 RGB.

    Args:
        encoding: one of ``ENCODINGS``.
        height: rows.
        width: columns.
        step: bytes per row, padding included.
        data: at least ``step * height`` bytes (half as much again for nv12 and nv21), uint8.
        big_endian: byte order of 16-bit elements; without meaning for the others.

    Raises:
        UnreadableFrame: unknown encoding, or sizes that contradict each other.
    """
    layout = _LAYOUTS.get(encoding)
    if layout is None:
        raise UnreadableFrame(f"encoding {encoding!r} is not supported; supported are {', '.join(ENCODINGS)}")
    row, rows = width * layout.channels * layout.element_bytes, height * layout.half_rows // 2
    if height < 1 or width < 1 or step < row or len(data) < step * rows:
        raise UnreadableFrame(
            f"{width}x{height} {encoding} needs sizes above 0, rows of at least {row} bytes and step * {rows} bytes "
            f"in all; the message has step {step} and {len(data)} bytes"
        )
    if layout.even and (width % 2 or (layout.half_rows != 2 and height % 2)):
        raise UnreadableFrame(
            f"{width}x{height} {encoding} cannot be: two neighbours share their colour, so even sizes"
        )
    plane = np.frombuffer(data, np.uint8, step * rows).reshape(rows, step)[:, :row]
    if layout.element_bytes == 2:
        plane = plane[:, 0 if big_endian else 1 :: 2]
    pixels = np.ascontiguousarray(plane)
    if layout.channels > 1:
        pixels = pixels.reshape(rows, width, layout.channels)
    return pixels if layout.code is None else cv2.cvtColor(pixels, layout.code)


def decode_compressed(data: np.ndarray) -> np.ndarray:
    """The pixels of a ``sensor_msgs/CompressedImage`` (JPEG, PNG, …) as (H, W, 3) uint8 RGB.

    An EXIF orientation is ignored, as the node ignores it: a camera's calibration holds for the pixels as stored.

    Raises:
        UnreadableFrame: the bytes are no image OpenCV can decode.
    """
    buffer = np.frombuffer(data, np.uint8)
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if buffer.size else None
    except cv2.error as error:  # e.g. a header that asks for more pixels than OpenCV allows
        raise UnreadableFrame(f"{buffer.size} bytes of compressed image could not be decoded: {error.err}") from error
    if image is None:
        raise UnreadableFrame(f"{buffer.size} bytes of compressed image could not be decoded; expected JPEG or PNG")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
