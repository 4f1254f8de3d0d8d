"""Image messages → RGB pixels, checked before use.

``rgb8`` is a view into the message. Every other encoding of the table is one vectorised pass. Encodings outside the
table are refused here; the node hands them to ``cv_bridge`` where that is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, RawCompressed, RawImage
from trust_seg_ros.types import Frame

_HOST_IS_BIG = sys.byteorder == "big"
_FORWARD_PEEK = 1 << 20


class UnknownEncodingError(ImageError):
    """An encoding outside the table."""


@dataclass(frozen=True)
class Encoding:
    """Memory layout of one encoding.

    Attributes:
        pixel_bytes: bytes per pixel in a row.
        to_rgb: converts the (H, W) / (H, W, C) array of the message to (H, W, 3) uint8 RGB.
        channels: length of the last axis; 1 = no such axis.
        dtype: type of an element.
        even: width (and height, for ``rows`` other than 1) must be even.
        rows: buffer rows per image row (1.5 where chroma planes follow).
        smallest: least width and height that the conversion can do (OpenCV makes smaller mosaics black).
    """

    pixel_bytes: int
    to_rgb: Callable[[np.ndarray], np.ndarray]
    channels: int = 1
    dtype: str = "u1"
    even: bool = False
    rows: float = 1.0
    smallest: int = 1


def _cvt(code: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: cv2.cvtColor(image, code)


def _from_16_bits(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor((image >> 8).astype(np.uint8), cv2.COLOR_GRAY2RGB)


_GRAY = Encoding(1, _cvt(cv2.COLOR_GRAY2RGB))
_GRAY16 = Encoding(2, _from_16_bits, dtype="u2")
_BGR = Encoding(3, _cvt(cv2.COLOR_BGR2RGB), channels=3)
_UYVY = Encoding(2, _cvt(cv2.COLOR_YUV2RGB_UYVY), channels=2, even=True)
_YUYV = Encoding(2, _cvt(cv2.COLOR_YUV2RGB_YUY2), channels=2, even=True)


# OpenCV names a Bayer pattern by its second row and second column, ROS by its first: RGGB is OpenCV's "BG".
ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(3, lambda image: image, channels=3),
    "bgr8": _BGR,
    "8UC3": _BGR,
    "rgba8": Encoding(4, _cvt(cv2.COLOR_RGBA2RGB), channels=4),
    "bgra8": Encoding(4, _cvt(cv2.COLOR_BGRA2RGB), channels=4),
    "mono8": _GRAY,
    "8UC1": _GRAY,
    "mono16": _GRAY16,
    "16UC1": _GRAY16,
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuyv": _YUYV,
    "yuv422_yuy2": _YUYV,
    "nv12": Encoding(1, _cvt(cv2.COLOR_YUV2RGB_NV12), even=True, rows=1.5),
    "nv21": Encoding(1, _cvt(cv2.COLOR_YUV2RGB_NV21), even=True, rows=1.5),
    "bayer_rggb8": Encoding(1, _cvt(cv2.COLOR_BAYER_BG2RGB), smallest=3),
    "bayer_bggr8": Encoding(1, _cvt(cv2.COLOR_BAYER_RG2RGB), smallest=3),
    "bayer_gbrg8": Encoding(1, _cvt(cv2.COLOR_BAYER_GR2RGB), smallest=3),
    "bayer_grbg8": Encoding(1, _cvt(cv2.COLOR_BAYER_GB2RGB), smallest=3),
}
"""Encodings read without cv_bridge. ``8UC3`` is taken as BGR, OpenCV's order; 16-bit greys keep their upper 8 bits."""


def to_rgb(image: RawImage, max_pixels: int) -> np.ndarray:
    """Convert an image message to RGB pixels.

    Args:
        image: the message; its fields are checked here.
        max_pixels: largest height · width accepted.

    Returns:
        (H, W, 3) uint8 RGB; for ``rgb8`` a read-only view with the message's row stride.

    Raises:
        UnknownEncodingError: an encoding outside the table.
        ImageError: a field is invalid; the text names it and what was expected.
    """
    _check_size(image.width, image.height, max_pixels)
    encoding = ENCODINGS.get(image.encoding)
    if encoding is None:
        raise UnknownEncodingError(
            f"image refused: encoding {image.encoding!r}, expected one of {', '.join(ENCODINGS)} "
            "(others need cv_bridge installed)"
        )
    _check_layout(image, encoding)
    try:
        return encoding.to_rgb(_array(image, encoding))
    except cv2.error as error:
        raise ImageError(
            f"image refused: {image.width} × {image.height} of {image.encoding} cannot be converted: {error.err}"
        ) from error


def frame_of(
    message: RawImage | RawCompressed, max_pixels: int, convert: Callable[[RawImage, int], np.ndarray] = to_rgb
) -> tuple[HeaderFields, Frame]:
    """Convert an image message to header and RGB frame.

    Args:
        message: the message; its fields are checked here.
        max_pixels: largest height · width accepted.
        convert: converts an uncompressed message to pixels.

    Raises:
        ImageError: the image cannot be used; the text says why.
    """
    pixels = decompress(message, max_pixels) if isinstance(message, RawCompressed) else convert(message, max_pixels)
    return message.header, Frame(pixels, message.header.stamp_ns, message.header.frame_id)


def _array(image: RawImage, encoding: Encoding) -> np.ndarray:
    """The message's buffer as (rows, W) or (rows, W, C), without a copy."""
    rows = int(image.height * encoding.rows)
    dtype = np.dtype(encoding.dtype)
    if dtype.itemsize > 1 and image.is_bigendian != _HOST_IS_BIG:
        dtype = dtype.newbyteorder()
    shape: tuple[int, ...] = (rows, image.width)
    strides: tuple[int, ...] = (image.step, encoding.pixel_bytes)
    if encoding.channels > 1:
        shape, strides = (*shape, encoding.channels), (*strides, dtype.itemsize)
    pixels: np.ndarray = np.ndarray(shape, dtype, buffer=image.data, strides=strides)
    return pixels


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"image refused: size {width} × {height}, expected at least 1 × 1 pixel")
    if width * height > max_pixels:
        raise ImageError(
            f"image refused: size {width} × {height} is {width * height} pixels, expected at most {max_pixels} "
            "(parameter max_image_pixels)"
        )


def _check_layout(image: RawImage, encoding: Encoding) -> None:
    width, height = image.width, image.height
    if encoding.even and (width % 2 or (encoding.rows != 1 and height % 2)):
        raise ImageError(f"image refused: size {width} × {height}, {image.encoding} needs even numbers")
    if min(width, height) < encoding.smallest:
        least = encoding.smallest
        raise ImageError(f"image refused: size {width} × {height}, {image.encoding} needs at least {least} × {least}")
    row = width * encoding.pixel_bytes
    if image.step < row:
        raise ImageError(
            f"image refused: step is {image.step} bytes, expected at least {row} "
            f"({width} pixels × {encoding.pixel_bytes} bytes of {image.encoding})"
        )
    needed = image.step * int(height * encoding.rows)
    if image.data.size < needed:
        raise ImageError(
            f"image refused: data holds {image.data.size} bytes, expected {needed} "
            f"(step {image.step} × {int(height * encoding.rows)} rows of {image.encoding})"
        )


def decompress(image: RawCompressed, max_pixels: int) -> np.ndarray:
    """Decode a compressed image message (JPEG or PNG) to RGB pixels.

    The size is read from the file's own header before anything is decoded, so a small message cannot ask for gigabytes;
    a file cut short is refused, which OpenCV would silently fill with grey.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: not JPEG or PNG, corrupt, cut short, or too large.
    """
    head = bytes(image.data[:16])
    if head.startswith(b"\xff\xd8\xff"):
        kind, size, whole = "JPEG", _jpeg_size(image.data), _ends_with(image.data, b"\xff\xd9")
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        kind, size, whole = "PNG", _png_size(image.data), _ends_with(image.data, b"IEND\xaeB`\x82")
    else:
        raise ImageError(
            f"image refused: {image.data.size} bytes of format {image.format!r} starting with {head[:8].hex(' ')!r}, "
            "expected a JPEG (ff d8 ff) or PNG (89 50 4e 47) file"
        )
    if size is None or not whole:
        what = "without a size in its header" if size is None else "cut short: its end marker is missing"
        raise ImageError(f"image refused: {image.data.size} bytes of {kind} {what}, expected a complete file")
    _check_size(*size, max_pixels)
    return _decode(image.data, kind)


def _decode(data: np.ndarray, kind: str) -> np.ndarray:
    try:
        if hasattr(cv2, "IMREAD_COLOR_RGB"):
            pixels = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        else:
            pixels = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            pixels = None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, pixels)
    except cv2.error as error:
        raise ImageError(f"image refused: {data.size} bytes of {kind} cannot be decoded: {error.err}") from error
    if pixels is None:
        raise ImageError(f"image refused: {data.size} bytes of {kind} are corrupt, expected a complete file")
    return pixels


def _ends_with(data: np.ndarray, marker: bytes) -> bool:
    """Whether the file ends with the marker, ignoring the zeros that drivers pad their buffers with."""
    end, block = data.size, 1 << 16
    while end > 0:  # block by block from the end: padding may be long, and images are longer still
        start = max(0, end - block)
        filled = np.flatnonzero(data[start:end])
        if filled.size:
            end = start + int(filled[-1]) + 1
            return data[max(0, end - len(marker)) : end].tobytes() == marker
        end = start
    return False


def _png_size(data: np.ndarray) -> tuple[int, int] | None:
    head = bytes(data[:24])
    if len(head) < 24 or head[12:16] != b"IHDR":
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _jpeg_size(data: np.ndarray) -> tuple[int, int] | None:
    """Width and height from the frame header: walk the marker segments up to the first SOF."""
    head, at = bytes(data[:_FORWARD_PEEK]), 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[at + 7 : at + 9], "big"), int.from_bytes(head[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None
