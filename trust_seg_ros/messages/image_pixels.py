"""Image messages → RGB pixels, checked before use.

``rgb8`` is a view into the message. Every other encoding is one or two vectorised passes. All that ROS names is read
here (``encodings.py``); what is no picture is refused with the reason.
"""

from __future__ import annotations

import sys

import cv2
import numpy as np

from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.messages.compressed import decompress
from trust_seg_ros.messages.encodings import ENCODINGS, Encoding, unreadable
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, RawCompressed, RawImage
from trust_seg_ros.types import Frame

_CLASS_IDS = {"mono8": "mono8", "8UC1": "mono8", "mono16": "mono16", "16UC1": "mono16"}
"""Encodings that may hold class ids -> one whose bytes lie alike."""
_HOST_IS_BIG = sys.byteorder == "big"


def to_rgb(image: RawImage, max_pixels: int, bits: BitRange | None = None) -> np.ndarray:
    """Convert an image message to RGB pixels.

    Args:
        image: the message; its fields are checked here.
        max_pixels: largest height · width accepted.
        bits: the camera's bits in use, for samples of 16 bits; None takes them from this image alone.

    Returns:
        (H, W, 3) uint8 RGB; for ``rgb8`` a read-only view with the message's row stride.

    Raises:
        ImageError: a field is invalid, or the encoding is no picture; the text names it and what was expected.
    """
    _check_size(image.width, image.height, max_pixels)
    encoding = ENCODINGS.get(image.encoding)
    if encoding is None:
        raise ImageError(f"image refused: {unreadable(image.encoding)}")
    _check_layout(image, encoding)
    try:
        samples = _array(image, encoding)
        if encoding.wide:
            colours = samples[..., :3] if encoding.channels > 1 else samples
            samples = (bits or BitRange()).to_8_bits(colours, image.encoding)
        return encoding.to_rgb(samples)
    except cv2.error as error:
        raise ImageError(
            f"image refused: {image.width} × {image.height} of {image.encoding} cannot be converted: {error.err}"
        ) from error


def to_class_ids(image: RawImage, max_pixels: int) -> np.ndarray:
    """The class ids in an image message of one channel.

    Args:
        image: the message; its fields are checked here.
        max_pixels: largest height · width accepted.

    Returns:
        (H, W) uint8 or uint16, as the encoding says; a read-only view.

    Raises:
        ImageError: a field is invalid, or the encoding is none of class ids; the text names it and what was expected.
    """
    if image.encoding not in _CLASS_IDS:
        raise ImageError(f"image refused: encoding {image.encoding!r}, expected class ids: {', '.join(_CLASS_IDS)}")
    _check_size(image.width, image.height, max_pixels)
    encoding = ENCODINGS[_CLASS_IDS[image.encoding]]
    _check_layout(image, encoding)
    return _array(image, encoding)


def frame_of(
    message: RawImage | RawCompressed, max_pixels: int, bits: BitRange | None = None, strict_jpeg: bool = True
) -> tuple[HeaderFields, Frame]:
    """Convert an image message to header and RGB frame.

    Args:
        message: the message; its fields are checked here.
        max_pixels: largest height · width accepted.
        bits: as in :func:`to_rgb`.
        strict_jpeg: refuse damaged JPEGs.

    Raises:
        ImageError: the image cannot be used; the text says why.
    """
    if isinstance(message, RawCompressed):
        pixels = decompress(message, max_pixels, bits, strict_jpeg)
    else:
        pixels = to_rgb(message, max_pixels, bits)
    return message.header, Frame(pixels, message.header.stamp_ns, message.header.frame_id)


def _array(image: RawImage, encoding: Encoding) -> np.ndarray:
    """The message's buffer as (rows, W) or (rows, W, C), without a copy."""
    rows = int(image.height * encoding.rows)
    dtype = np.dtype("u2" if encoding.wide else "u1")
    if encoding.wide and image.is_bigendian != _HOST_IS_BIG:
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
