"""Kind and size of an encoded image from its first bytes, so that nothing is decoded that is too large or unknown."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from trust_seg_ros.errors import TrustSegError

_JPEG_METADATA = 1 << 20
"""Bytes of a JPEG that are searched for the size; EXIF and colour profiles in front of it are smaller."""
_Buffer = bytes | memoryview
KINDS = ("JPEG", "PNG", "TIFF", "WebP", "BMP")


class EncodedImageError(TrustSegError):
    """An encoded image cannot be decoded; the text says why, and is written to follow a name or "image refused: "."""


@dataclass(frozen=True)
class ImageHeader:
    """What an encoded image says about itself.

    Attributes:
        kind: one of :data:`KINDS`.
        width, height: pixels.
        bits: bits per sample.
        grey: whether it has one channel of brightness; False also for palettes.
    """

    kind: str
    width: int
    height: int
    bits: int = 8
    grey: bool = False


def read_header(data: _Buffer) -> ImageHeader:
    """Kind, size and depth of an encoded image.

    Raises:
        EncodedImageError: no known kind, or its header is damaged.
    """
    kind = _kind(bytes(data[:16]))
    if kind is None:
        raise EncodedImageError(_unknown(bytes(data[:32]), len(data)))
    try:
        header = _READ[kind](data)
    except (struct.error, IndexError, OverflowError):
        header = None
    if header is None:
        raise EncodedImageError(
            f"{len(data)} bytes of {kind} without a size in its header, expected a complete file; it is cut or damaged"
        )
    return header


def _kind(head: bytes) -> str | None:
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    return "BMP" if head.startswith(b"BM") else None


def _unknown(head: bytes, size: int) -> str:
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer instead of the image; fetch the images with: git lfs pull"
    start = f"starting with {head[:8].hex(' ')!r}, " if head else ""
    return f"{size} bytes {start}expected {', '.join(KINDS[:-1])} or {KINDS[-1]}: damaged, cut off, or something else"


def _jpeg(data: _Buffer) -> ImageHeader | None:
    """Walks the marker segments up to the frame header."""
    head, at = data[:_JPEG_METADATA], 2
    while at + 10 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width, channels = struct.unpack_from(">BHHB", head, at + 4)
            return ImageHeader("JPEG", width, height, bits, channels == 1)
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def _png(data: _Buffer) -> ImageHeader | None:
    """Reads the first chunk, and walks the others to the end, as OpenCV reserves whatever length one of them states."""
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if bytes(data[12:16]) != b"IHDR":
        return None
    for _ in _chunks(data):
        pass
    return ImageHeader("PNG", width, height, bits, colour == 0)


def check_png(data: _Buffer) -> None:
    """Compare the checksums of a PNG, for decoders that do not (OpenCV does, Pillow does not for pixels).

    Raises:
        EncodedImageError: one does not fit, or the file is cut.
    """
    for start, stop in _chunks(data):
        if zlib.crc32(data[start + 4 : stop - 4]) != int.from_bytes(data[stop - 4 : stop], "big"):
            raise EncodedImageError(f"{len(data)} bytes of PNG are damaged: a checksum does not fit")


def _chunks(data: _Buffer) -> Iterator[tuple[int, int]]:
    """Start and end of each part of a PNG, its length and checksum included, up to the last."""
    at, kind = 8, b""
    while kind != b"IEND":
        length = int(struct.unpack_from(">I", data, at)[0]) if at + 12 <= len(data) else len(data)
        stop = at + 12 + length
        if stop > len(data):
            raise EncodedImageError(f"{len(data)} bytes of PNG are damaged or cut short, expected more")
        yield at, stop
        kind, at = bytes(data[at + 4 : at + 8]), stop


def _bmp(head: _Buffer) -> ImageHeader:
    length = int(struct.unpack_from("<I", head, 14)[0])
    width, height = struct.unpack_from("<HH" if length == 12 else "<ii", head, 18)
    return ImageHeader("BMP", abs(width), abs(height))  # a negative height means rows from the top


def _webp(head: _Buffer) -> ImageHeader | None:
    form = bytes(head[12:16])
    if form == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return ImageHeader("WebP", width & 0x3FFF, height & 0x3FFF)
    if form == b"VP8L":
        packed = int(struct.unpack_from("<I", head, 21)[0])
        return ImageHeader("WebP", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
    if form == b"VP8X" and len(head) >= 30:
        return ImageHeader("WebP", 1 + _little(head[24:27]), 1 + _little(head[27:30]))
    return None


def _little(part: _Buffer) -> int:
    return int.from_bytes(part, "little")


_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _FORMAT = 256, 257, 258, 262, 277, 339
_TAGS = (_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _FORMAT)
_UNSIGNED = 1


def _tiff(data: _Buffer) -> ImageHeader | None:
    values = _tiff_numbers(data)
    if _WIDTH not in values or _HEIGHT not in values:
        return None
    if values.get(_FORMAT, _UNSIGNED) != _UNSIGNED or values.get(_BITS, 1) > 16:
        raise EncodedImageError(
            f"TIFF of {values.get(_BITS, 1)} bits per sample, floats or signed numbers such as depth; expected 8 or 16 "
            "bits without a sign"
        )
    grey = values.get(_SAMPLES, 1) == 1 and values.get(_PHOTOMETRIC, 1) in (0, 1)
    return ImageHeader("TIFF", values[_WIDTH], values[_HEIGHT], values.get(_BITS, 1), grey)


def _tiff_numbers(data: _Buffer) -> dict[int, int]:
    """Tag -> its first number, of the tags of the first directory that are integers."""
    order = "<" if bytes(data[:2]) == b"II" else ">"
    big = 43 in (data[2], data[3])
    count_form, field, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    word = struct.calcsize(field)
    at = int(struct.unpack_from(order + field, data, word)[0])
    count = int(struct.unpack_from(order + count_form, data, at)[0])
    values: dict[int, int] = {}
    for index in range(min(count, 100)):
        where = at + struct.calcsize(count_form) + entry * index
        tag, kind = struct.unpack_from(order + "HH", data, where)
        number = int(struct.unpack_from(order + field, data, where + 4)[0])
        form = {3: "H", 4: "I", 16: "Q"}.get(kind)
        if form is None or tag not in _TAGS:
            continue
        offset = where + 4 + word
        if number * struct.calcsize(form) > word:  # too many to stand in the entry itself
            offset = int(struct.unpack_from(order + field, data, offset)[0])
        values[tag] = int(struct.unpack_from(order + form, data, offset)[0])
    return values


_READ = {"JPEG": _jpeg, "PNG": _png, "TIFF": _tiff, "WebP": _webp, "BMP": _bmp}
