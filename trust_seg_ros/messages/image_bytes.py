"""The bytes of an image message, read in place.

A raw subscription hands over the message as the middleware serialised it. ROS 2 middlewares write plain CDR, whose
layout for ``sensor_msgs/Image`` and ``CompressedImage`` is fixed, so the pixel bytes are a view into that buffer: a
6 MB image costs microseconds here instead of two copies. Recordings hold the same bytes. Any other representation is
read by ``node/conversions.py`` through rclpy.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.messages.fields import HeaderFields

_BIG, _LITTLE = frozenset({0x0000, 0x0006}), frozenset({0x0001, 0x0007})
"""Encapsulation kinds of plain CDR (version 1, version 2), whose layout is the same for these messages."""


_SECOND = frozenset({0x0006, 0x0007})
"""Those of version 2, which aligns no number to more than 4 bytes."""


_Message = TypeVar("_Message")


class ImageError(TrustSegError):
    """An image message cannot be used; the text names the value and what was expected."""


@dataclass(frozen=True)
class RawImage:
    """sensor_msgs/Image; ``data`` is a read-only (n,) uint8 view into the message's buffer."""

    header: HeaderFields
    height: int
    width: int
    encoding: str
    is_bigendian: bool
    step: int
    data: np.ndarray


@dataclass(frozen=True)
class RawCompressed:
    """sensor_msgs/CompressedImage; ``data`` is a read-only (n,) uint8 view into the message's buffer."""

    header: HeaderFields
    format: str
    data: np.ndarray


@dataclass(frozen=True)
class RawPacket:
    """ffmpeg_image_transport_msgs/FFMPEGPacket without its sizes; ``data`` is a read-only (n,) uint8 view."""

    header: HeaderFields
    encoding: str
    pts: int
    flags: int
    data: np.ndarray


class _Reader:
    """Reads plain CDR: every number is aligned to its size, counted from the end of the 4-byte encapsulation."""

    def __init__(self, buffer: bytes) -> None:
        self.buffer = memoryview(buffer)
        self.at = 4
        kind = int.from_bytes(self.buffer[:2], "big")
        order = "<" if kind in _LITTLE else ">"
        self._unsigned, self._signed = struct.Struct(order + "I"), struct.Struct(order + "i")
        self._long, self._widest = struct.Struct(order + "Q"), 4 if kind in _SECOND else 8

    def word(self, signed: bool = False) -> int:
        start = self.at + (-self.at % 4)
        self.at = start + 4
        return int((self._signed if signed else self._unsigned).unpack_from(self.buffer, start)[0])

    def long(self) -> int:
        start = self.at + (-(self.at - 4) % self._widest)
        self.at = start + 8
        return int(self._long.unpack_from(self.buffer, start)[0])

    def byte(self) -> int:
        self.at += 1
        return self.buffer[self.at - 1]

    def block(self) -> memoryview:
        length = self.word()
        start, self.at = self.at, self.at + length
        if self.at > len(self.buffer):
            raise ImageError(
                f"image refused: the message ends after {len(self.buffer)} bytes, expected at least {self.at}"
            )
        return self.buffer[start : self.at]

    def text(self) -> str:
        return bytes(self.block()).rstrip(b"\0").decode("utf-8", "replace")

    def header(self) -> HeaderFields:
        sec, nanosec, frame_id = self.word(signed=True), self.word(), bytes(self.block()).rstrip(b"\0")
        try:
            return HeaderFields(sec, nanosec, frame_id.decode("utf-8"))
        except UnicodeDecodeError:  # outputs must carry it unchanged, which is impossible here
            raise ImageError(f"image refused: frame_id is {frame_id!r}, expected UTF-8") from None


def is_plain(buffer: bytes) -> bool:
    """Whether the message is plain CDR, which can be read in place."""
    return len(buffer) >= 4 and int.from_bytes(buffer[:2], "big") in _BIG | _LITTLE


def peek_header(buffer: bytes) -> HeaderFields:
    """The header of any stamped message from its first bytes, without touching the rest.

    Raises:
        ImageError: too short, or not plain CDR.
    """
    _require_plain(buffer)
    return _guard(buffer, _Reader.header)


def read_image(buffer: bytes) -> RawImage:
    """Read a serialised sensor_msgs/Image.

    Raises:
        ImageError: the bytes are not an Image message.
    """
    _require_plain(buffer)
    return _guard(buffer, _image)


def read_compressed(buffer: bytes) -> RawCompressed:
    """Read a serialised sensor_msgs/CompressedImage.

    Raises:
        ImageError: the bytes are not a CompressedImage message.
    """
    _require_plain(buffer)
    return _guard(buffer, _compressed)


def read_packet(buffer: bytes) -> RawPacket:
    """Read a serialised ffmpeg_image_transport_msgs/FFMPEGPacket.

    Raises:
        ImageError: the bytes are not an FFMPEGPacket message.
    """
    _require_plain(buffer)
    return _guard(buffer, _packet)


def _require_plain(buffer: bytes) -> None:
    if not is_plain(buffer):
        raise ImageError(f"image refused: representation {buffer[:2].hex() or 'empty'}, expected plain CDR")


def _image(reader: _Reader) -> RawImage:
    header = reader.header()
    height, width = reader.word(), reader.word()
    encoding, bigendian, step = reader.text(), reader.byte(), reader.word()
    return RawImage(header, height, width, encoding, bool(bigendian), step, np.frombuffer(reader.block(), np.uint8))


def _compressed(reader: _Reader) -> RawCompressed:
    return RawCompressed(reader.header(), reader.text(), np.frombuffer(reader.block(), np.uint8))


def _packet(reader: _Reader) -> RawPacket:
    header, *_ = reader.header(), reader.word(signed=True), reader.word(signed=True)
    encoding, pts, flags, _ = reader.text(), reader.long(), reader.byte(), reader.byte()
    return RawPacket(header, encoding, pts, flags, np.frombuffer(reader.block(), np.uint8))


def _guard(buffer: bytes, read: Callable[[_Reader], _Message]) -> _Message:
    try:
        return read(_Reader(buffer))
    except (struct.error, IndexError):
        raise ImageError(f"image refused: the message ends after {len(buffer)} bytes, inside its fields") from None
