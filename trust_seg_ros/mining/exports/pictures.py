"""Images of an export: written without loss, or the file itself where the frame was read from one."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

from trust_seg_ros.library.errors import ExportError
from trust_seg_ros.library.picture import Picture
from trust_seg_ros.mining.moment import Moment
from trust_seg_ros.support.encoded_image import EncodedImageError, decode
from trust_seg_ros.support.image_headers import read_header
from trust_seg_ros.support.image_orientation import UPRIGHT, orientation

_COPIED = {"JPEG": ".jpg", "PNG": ".png"}
"""Kinds that every tool shows."""
_LONGEST = 200  # bytes; file systems end at 255, and tools add endings


def check_name(name: str) -> str:
    """The name of a moment, in composed form (NFC).

    Raises:
        ExportError: it cannot be the name of a file on every system.
    """
    plain = unicodedata.normalize("NFC", name)
    wrong = not plain.strip() or plain.startswith(".") or any(sign in plain for sign in "/\\\0\n\r\t")
    if wrong or len(plain.encode(errors="replace")) > _LONGEST or plain != plain.strip():
        raise ExportError(
            f"{name[:100]!r} cannot be the name of a picture; expected 1 to {_LONGEST} bytes without / and \\, line "
            "breaks, spaces at its ends and a dot in front: give it another name"
        )
    return plain


def write_picture(folder: Path, name: str, moment: Moment) -> str:
    """Write the image of a moment; returns the name of the file.

    It is PNG. Where the result names the JPEG or PNG file (of 8 bits) that it was read from, it is a copy of that file,
    unless tools would turn it by its EXIF data, as masks would not fit it then.

    Args:
        folder: to write to.
        name: without suffix.
        moment: whose image it is.

    Raises:
        OSError: it cannot be written.
    """
    image = moment.result.frame.image
    data, suffix = _own_file(Path(moment.result.name), image) if moment.result.name else (b"", ".png")
    file = f"{name}{suffix}"
    (folder / file).write_bytes(data or Picture(image).encoded(suffix))
    return file


def _own_file(path: Path, image: np.ndarray) -> tuple[bytes, str]:
    """Content and suffix of the file an image was read from; no content if it is another image."""
    try:
        data = path.read_bytes() if path.is_file() else b""
        header = read_header(data)
        if header.kind in _COPIED and header.bits == 8 and orientation(data) == UPRIGHT:
            found = decode(data)
            if np.array_equal(found if found.ndim == 3 else np.repeat(found[..., None], 3, axis=2), image):
                return data, _COPIED[header.kind]
    except (OSError, ValueError, EncodedImageError):
        pass
    return b"", ".png"
