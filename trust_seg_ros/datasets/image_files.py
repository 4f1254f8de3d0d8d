"""Reads image and label files; damaged ones are refused, since decoders may fill the missing part with grey."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.support.encoded_image import EncodedImageError, decode

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
LABEL_SUFFIX = ".png"
_PNG = b"\x89PNG\r\n\x1a\n"
_log = logging.getLogger(__name__)
_PNG_KINDS = {0: "grey", 2: "colour", 3: "palette", 4: "grey and alpha", 6: "colour and alpha"}


def read_image(path: str | Path, bits: BitRange | None = None) -> np.ndarray:
    """An image file as (H, W, 3) uint8 RGB.

    Args:
        path: the file.
        bits: the bits in use of 16-bit files that belong together; None takes them from this file alone.

    Raises:
        DatasetError: the file is missing, incomplete, or not an image.
    """
    path = Path(path)
    data = _content(path, "image")
    try:
        image = decode(data)
    except EncodedImageError as error:
        raise DatasetError(f"{path}: not a readable image ({error})") from error
    if image.dtype == np.uint16:
        bits = bits or BitRange()
        image = bits.to_8_bits(image, f"16-bit images of {path.parent}")
        for text in bits.remarks:
            _remark_once(text)
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image


@lru_cache(maxsize=256)
def _remark_once(text: str) -> None:
    _log.warning("%s", text)


def read_values(path: Path) -> np.ndarray:
    """A label file (PNG of one channel, 8 or 16 bits) as (H, W) uint8 or uint16, as stored.

    Raises:
        DatasetError: the file is missing, cannot be read, or is another kind of image.
    """
    data = _content(path, "label image")
    if not data.startswith(_PNG):
        raise DatasetError(f"{path}: not a readable label image; expected a PNG file, one class id per pixel")
    depth, kind = (data[24], data[25]) if len(data) > 25 else (8, 0)
    if kind != 0 or depth < 8:  # OpenCV would turn a palette into colours, and stretch 1, 2 and 4 bits to 0..255
        found = f"{depth}-bit {_PNG_KINDS.get(kind, 'unknown')} PNG"
        raise DatasetError(
            f"{path}: labels are of the kind {found}; expected a one-channel (grey) PNG of 8 or 16 bits, "
            "one class id per pixel"
        )
    return _decoded(path, data, "label image", cv2.IMREAD_UNCHANGED)


def _content(path: Path, what: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path}: not a readable {what} (no such file)") from None
    except OSError as error:
        raise DatasetError(f"{path}: not a readable {what} ({error.strerror})") from error
    if not data:
        raise DatasetError(f"{path}: not a readable {what} (the file is empty)")
    return data


def _decoded(path: Path, data: bytes, what: str, flags: int) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:  # OpenCV's refusal of huge images
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{path}: not a readable {what} ({reason})") from error
    if image is None:
        raise DatasetError(f"{path}: not a readable {what} (exists, but is damaged, cut off, or something else)")
    return image
