"""Reads image and label files; damaged ones are refused, since decoders may fill the missing part with grey."""

from __future__ import annotations

import logging
import struct
import zlib
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.support.encoded_image import EncodedImageError, decode
from trust_seg_ros.support.image_headers import check_png, read_header
from trust_seg_ros.support.reading import lfs_pointer

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
LABEL_SUFFIX = ".png"
_PNG = b"\x89PNG\r\n\x1a\n"
_log = logging.getLogger(__name__)
_JPEG = b"\xff\xd8"
_PALETTE = 3
_PNG_KINDS = {0: "grey", 2: "colour", 4: "grey and alpha", 6: "colour and alpha"}


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


def read_rgba(path: Path) -> np.ndarray:
    """A picture with alpha (PNG of 8 bits) as (H, W, 4) uint8 RGBA.

    Raises:
        DatasetError: the file is missing or damaged, or has no alpha.
    """
    image = _decoded(path, _content(path, "picture"), "picture", cv2.IMREAD_UNCHANGED)
    if image.ndim != 3 or image.shape[2] != 4 or image.dtype != np.uint8:
        raise DatasetError(f"{path}: no alpha of 8 bits (shape {image.shape}); expected a cut-out in RGBA")
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA)


@lru_cache(maxsize=256)
def _remark_once(text: str) -> None:
    _log.warning("%s", text)


def read_values(path: Path) -> np.ndarray:
    """A label file (PNG: grey of 8 or 16 bits, or with a palette) as (H, W) uint8 or uint16.

    Returns:
        Grey values as stored; of a file with a palette the indices, whatever its colours (as VOC, labelme and
        mmsegmentation write them).

    Raises:
        DatasetError: the file is missing, cannot be read, or is another kind of image.
        ModuleNotFoundError: the file has a palette, and Pillow is not installed.
    """
    data = _content(path, "label image")
    if not data.startswith(_PNG):
        what = "a JPEG, which changes ids; " if data.startswith(_JPEG) else ""
        raise DatasetError(f"{path}: not a readable label image ({what}expected a PNG file, one class id per pixel)")
    depth, kind = (data[24], data[25]) if len(data) > 25 else (8, 0)
    if kind == _PALETTE:
        return _indices(path, data)
    if kind != 0 or depth < 8:  # OpenCV would stretch 1, 2 and 4 bits to 0..255
        found = f"{depth}-bit {_PNG_KINDS.get(kind, 'unknown')} PNG"
        coloured = ". These are probably the colours of classes: take the file of ids" if kind in (2, 6) else ""
        raise DatasetError(
            f"{path}: labels are of the kind {found}; expected a one-channel (grey) PNG of 8 or 16 bits, or one with a "
            f"palette: one class id per pixel{coloured}"
        )
    return _decoded(path, data, "label image", cv2.IMREAD_UNCHANGED)


def _indices(path: Path, data: bytes) -> np.ndarray:
    """The indices of a PNG with a palette: OpenCV would give its colours."""
    from PIL import Image

    try:
        check_png(data)
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            return np.array(image)
    except EncodedImageError as error:
        raise DatasetError(f"{path}: not a readable label image ({error})") from error
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{path}: not a readable label image (damaged or cut off: {reason})") from error


def _content(path: Path, what: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path}: not a readable {what} (no such file)") from None
    except OSError as error:
        raise DatasetError(f"{path}: not a readable {what} ({error.strerror})") from error
    if pointer := lfs_pointer(data):
        raise DatasetError(f"{path}: not a readable {what} ({pointer})")
    if not data:
        raise DatasetError(f"{path}: not a readable {what} (the file is empty)")
    return data


def _decoded(path: Path, data: bytes, what: str, flags: int) -> np.ndarray:
    try:
        read_header(data)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except EncodedImageError as error:
        raise DatasetError(f"{path}: not a readable {what} ({error})") from error
    except cv2.error as error:  # OpenCV's refusal of huge images
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{path}: not a readable {what} ({reason})") from error
    if image is None:
        raise DatasetError(f"{path}: not a readable {what} (exists, but is damaged, cut off, or something else)")
    return image
