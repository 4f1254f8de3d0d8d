"""Every encoding of ``sensor_msgs/image_encodings``: how its bytes lie and become RGB, or why it is no picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

Convert = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Encoding:
    """Memory layout of one encoding.

    Attributes:
        channels: samples per pixel in a row; 1 = the array has no such axis.
        to_rgb: converts the (H, W) / (H, W, C) uint8 array of the message to (H, W, 3) uint8 RGB.
        wide: samples have 16 bits; they become 8, and a fourth channel (alpha) is dropped, before ``to_rgb``.
        even: width (and height, for ``rows`` other than 1) must be even.
        rows: buffer rows per image row (more than 1 where chroma planes follow).
        smallest: least width and height that the conversion can do (OpenCV makes smaller mosaics black).
    """

    channels: int
    to_rgb: Convert
    wide: bool = False
    even: bool = False
    rows: float = 1.0
    smallest: int = 1

    @property
    def pixel_bytes(self) -> int:
        """Bytes per pixel in a row."""
        return self.channels * (2 if self.wide else 1)


def _cvt(code: int) -> Convert:
    return lambda image: cv2.cvtColor(image, code)


def _same(image: np.ndarray) -> np.ndarray:
    return image


_BT601 = np.array(
    [
        [1.164383, 0.0, 1.596027, -16 * 1.164383 - 128 * 1.596027],
        [1.164383, -0.391762, -0.812968, -16 * 1.164383 + 128 * (0.391762 + 0.812968)],
        [1.164383, 2.017232, 0.0, -16 * 1.164383 - 128 * 2.017232],
    ]
)
"""Y, U, V, 1 → R, G, B for video levels (16 to 235), as OpenCV converts the other YUV encodings."""


def _from_nv24(rows: np.ndarray) -> np.ndarray:
    """(3 H, W) of the buffer: H rows of Y, then H rows of U, V pairs that are twice as long."""
    height, width = rows.shape[0] // 3, rows.shape[1]
    strides = (2 * rows.strides[0], 2, 1)
    chroma = np.lib.stride_tricks.as_strided(rows[height:], (height, width, 2), strides, writeable=False)
    return cv2.transform(np.dstack([rows[:height], chroma]), _BT601)


_GREY, _BGR, _RGB = _cvt(cv2.COLOR_GRAY2RGB), _cvt(cv2.COLOR_BGR2RGB), _same
_UYVY = Encoding(2, _cvt(cv2.COLOR_YUV2RGB_UYVY), even=True)
_YUYV = Encoding(2, _cvt(cv2.COLOR_YUV2RGB_YUY2), even=True)

# OpenCV names a Bayer pattern by its second row and second column, ROS by its first: RGGB is OpenCV's "BG".
MOSAICS: dict[str, Convert] = {
    "bayer_rggb": _cvt(cv2.COLOR_BAYER_BG2RGB),
    "bayer_bggr": _cvt(cv2.COLOR_BAYER_RG2RGB),
    "bayer_gbrg": _cvt(cv2.COLOR_BAYER_GR2RGB),
    "bayer_grbg": _cvt(cv2.COLOR_BAYER_GB2RGB),
}
"""Bayer encodings without their number of bits."""
SMALLEST_MOSAIC = 3

ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(3, _RGB),
    "bgr8": Encoding(3, _BGR),
    "8UC3": Encoding(3, _BGR),
    "rgba8": Encoding(4, _cvt(cv2.COLOR_RGBA2RGB)),
    "bgra8": Encoding(4, _cvt(cv2.COLOR_BGRA2RGB)),
    "8UC4": Encoding(4, _cvt(cv2.COLOR_BGRA2RGB)),
    "mono8": Encoding(1, _GREY),
    "8UC1": Encoding(1, _GREY),
    "rgb16": Encoding(3, _RGB, wide=True),
    "bgr16": Encoding(3, _BGR, wide=True),
    "16UC3": Encoding(3, _BGR, wide=True),
    "rgba16": Encoding(4, _RGB, wide=True),
    "bgra16": Encoding(4, _BGR, wide=True),
    "16UC4": Encoding(4, _BGR, wide=True),
    "mono16": Encoding(1, _GREY, wide=True),
    "16UC1": Encoding(1, _GREY, wide=True),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuyv": _YUYV,
    "yuv422_yuy2": _YUYV,
    "nv12": Encoding(1, _cvt(cv2.COLOR_YUV2RGB_NV12), even=True, rows=1.5),
    "nv21": Encoding(1, _cvt(cv2.COLOR_YUV2RGB_NV21), even=True, rows=1.5),
    "nv24": Encoding(1, _from_nv24, rows=3),
} | {
    f"{name}{bits}": Encoding(1, convert, wide=bits == 16, smallest=SMALLEST_MOSAIC)
    for name, convert in MOSAICS.items()
    for bits in (8, 16)
}
"""Encodings that are read. Types of OpenCV (``8UC3``, ``16UC4`` …) are taken in OpenCV's order, blue first."""

_MATRIX = re.compile(r"(8|16|32|64)(U|S|F)C(\d*)")


def unreadable(encoding: str) -> str:
    """Why an encoding outside the table is no picture, and what to do."""
    match = _MATRIX.fullmatch(encoding)
    way_out = "choose the camera's colour topic, or have it publish rgb8"
    if match is None:
        return f"encoding {encoding!r}, expected one of {', '.join(ENCODINGS)}"
    bits, kind, channels = match.groups()
    if kind == "F" or int(bits) > 16:
        what = "depth in metres" if channels in ("", "1") else "measured values"
        return f"encoding {encoding!r} holds numbers such as {what}, expected colours or greys; {way_out}"
    if kind == "S":
        return f"encoding {encoding!r} holds signed numbers, which have no black and white; {way_out}"
    return f"encoding {encoding!r} has {channels or 'unnamed'} channels, expected 1, 3 or 4; {way_out}"
