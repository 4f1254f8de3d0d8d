"""Decodes JPEG, PNG, TIFF, WebP and BMP for the node, recordings and data sets alike; damaged files are refused.

JPEG has no checksum, but its decoder notices when codes do not fit together. OpenCV hides that and fills up with grey;
simplejpeg (the same libjpeg-turbo, the same pixels) reports it. PNG is checked by OpenCV: it compares every checksum.
TIFF, WebP and BMP have none, so only a cut file is noticed. docs/images.md gives detection rates.
"""

from __future__ import annotations

import logging
from functools import lru_cache

import cv2
import numpy as np

from trust_seg_ros.support.image_headers import EncodedImageError, ImageHeader, read_header

try:
    import simplejpeg
except ImportError:  # distributions do not package it
    simplejpeg = None

__all__ = ["EncodedImageError", "decode", "jpeg_remark"]

_log = logging.getLogger(__name__)


def jpeg_remark(strict_jpeg: bool = True) -> str:
    """Why damaged JPEGs are not noticed, in one sentence; "" if they are refused."""
    if not strict_jpeg:
        return "damaged JPEGs are not noticed: refuse_damaged_jpegs is false"
    if simplejpeg is None:
        return (
            'damaged JPEGs are not noticed: simplejpeg is missing; install it: python -m pip install "simplejpeg>=1.7"'
        )
    return ""


def decode(data: np.ndarray | bytes, max_pixels: int | None = None, strict_jpeg: bool = True) -> np.ndarray:
    """Decode an image; the orientation that its EXIF data ask for is ignored, as labels have none.

    Args:
        data: (n,) uint8 or bytes. Bytes behind the end of the image are ignored.
        max_pixels: largest height · width; None = no limit besides that of OpenCV.
        strict_jpeg: refuse JPEGs whose decoder reports damage; False decodes them as far as possible.

    Returns:
        (H, W) grey or (H, W, 3) RGB; uint8, or uint16 as stored. An alpha channel is dropped.

    Raises:
        EncodedImageError: unknown kind, damaged, cut short, or too large.
    """
    view = np.frombuffer(data, np.uint8).data
    header = read_header(view)
    _check_size(header, max_pixels)
    pixels = _jpeg(view, header, strict_jpeg) if header.kind == "JPEG" else _by_opencv(view, header)
    if pixels.shape[:2] != (header.height, header.width):
        raise EncodedImageError(
            f"{len(view)} bytes of {header.kind} state {header.width} × {header.height} pixels but hold "
            f"{pixels.shape[1]} × {pixels.shape[0]}"
        )
    return pixels


def _check_size(header: ImageHeader, max_pixels: int | None) -> None:
    width, height = header.width, header.height
    if width < 1 or height < 1:
        raise EncodedImageError(f"size {width} × {height}, expected at least 1 × 1 pixel")
    if max_pixels is not None and width * height > max_pixels:
        raise EncodedImageError(
            f"size {width} × {height} is {width * height} pixels, expected at most {max_pixels} "
            "(parameter max_image_pixels)"
        )


def _jpeg(data: memoryview, header: ImageHeader, strict: bool) -> np.ndarray:
    if header.bits != 8:
        raise EncodedImageError(
            f"JPEG of {header.bits} bits per sample, expected 8; save it as 8-bit JPEG or as 16-bit PNG"
        )
    if simplejpeg is None or not strict:
        if strict:
            _remark_once(jpeg_remark())
        return _by_opencv(data, header)
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, "GRAY" if header.grey else "RGB", strict=True)
    except ValueError as error:
        raise EncodedImageError(f"{len(data)} bytes of JPEG are damaged or cut short ({error})") from error
    return pixels[..., 0] if header.grey else pixels


def _by_opencv(data: memoryview, header: ImageHeader) -> np.ndarray:
    flags = cv2.IMREAD_IGNORE_ORIENTATION | (cv2.IMREAD_ANYDEPTH if header.bits == 16 else 0)
    rgb = header.kind != "TIFF" and hasattr(cv2, "IMREAD_COLOR_RGB")  # it leaves TIFFs of 16 bits in BGR
    colour = cv2.IMREAD_GRAYSCALE if header.grey else cv2.IMREAD_COLOR_RGB if rgb else cv2.IMREAD_COLOR
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | colour)
    except cv2.error as error:
        raise EncodedImageError(f"{len(data)} bytes of {header.kind} cannot be decoded: {error.err}") from error
    if pixels is None:
        raise EncodedImageError(f"{len(data)} bytes of {header.kind} are damaged or cut short, expected a whole file")
    if not header.grey and not rgb:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, pixels)
    return pixels


@lru_cache(maxsize=8)
def _remark_once(text: str) -> None:
    _log.warning("%s", text)
