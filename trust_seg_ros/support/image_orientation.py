"""Whether a viewer would turn or mirror an image: the orientation in its EXIF data, which decoders here ignore."""

from __future__ import annotations

import struct
from collections.abc import Iterator

UPRIGHT = 1
WORDS = {
    2: "mirrored",
    3: "turned by 180°",
    4: "mirrored and turned by 180°",
    5: "mirrored and turned by 270°",
    6: "turned by 90°",
    7: "mirrored and turned by 90°",
    8: "turned by 270°",
}
"""How viewers show an image, clockwise, by its orientation."""
_TAG = 274


def orientation(data: bytes) -> int:
    """Orientation of a JPEG, PNG, WebP or TIFF, 1 to 8; 1 (upright) also where it says nothing, or is damaged there.

    Source: CIPA DC-008 (EXIF 2.32), tag 274; the PNG and WebP specifications for their chunks.
    """
    try:
        for block in _blocks(data):
            found = _entry(block)
            if found is not None:
                return found if found in WORDS else UPRIGHT
    except (struct.error, IndexError):
        pass
    return UPRIGHT


def _blocks(data: bytes) -> Iterator[bytes]:
    """Parts of a file that are laid out as a TIFF."""
    if data.startswith(b"\xff\xd8"):
        at = 2
        while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
            if data[at + 1] == 0xFF:
                at += 1
                continue
            (length,) = struct.unpack_from(">H", data, at + 2)
            if data[at + 1] == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
                yield data[at + 10 : at + 2 + length]
            at += 2 + length
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        yield from _chunks(data, 8, ">", b"eXIf", 12, length_first=True)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        yield from _chunks(data, 12, "<", b"EXIF", 8, length_first=False)
    elif data.startswith((b"II*\0", b"MM\0*")):
        yield data


def _chunks(data: bytes, at: int, order: str, wanted: bytes, extra: int, *, length_first: bool) -> Iterator[bytes]:
    """Chunks of one kind: of PNG (length, kind, content, checksum) or RIFF (kind, length, content, filled to even)."""
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(f"{order}I", data, at if length_first else at + 4)
        if data[at + 4 * length_first :][:4] == wanted:
            yield data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
        at += extra + length + (length % 2 if not length_first else 0)


def _entry(block: bytes) -> int | None:
    """The orientation in the first directory of a TIFF; None if it is not there."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return None
    (at,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for k in range(count):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, at + 2 + 12 * k)
        if tag == _TAG and kind == 3:
            return int(value)
    return None
