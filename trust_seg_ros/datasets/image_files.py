"""Reads image and label files; incomplete files are refused, since decoders may fill the missing part with grey."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.datasets.errors import DatasetError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
LABEL_SUFFIX = ".png"
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG_KINDS = {0: "grey", 2: "colour", 3: "palette", 4: "grey and alpha", 6: "colour and alpha"}


def read_image(path: str | Path) -> np.ndarray:
    """An image file as (H, W, 3) uint8 RGB.

    Raises:
        DatasetError: the file is missing, incomplete, or not an image.
    """
    path = Path(path)
    data = _content(path, "image")
    # a JPEG without its end decodes without an error in some versions of OpenCV; scans hold no unescaped end marker
    if data.startswith(_JPEG) and data.find(_JPEG_END, data.rfind(_JPEG_SCAN)) < 0:
        raise DatasetError(f"{path}: not a readable image (a JPEG file without its end; was it copied in full?)")
    # label files have no EXIF orientation
    image = _decoded(path, data, "image", cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


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
