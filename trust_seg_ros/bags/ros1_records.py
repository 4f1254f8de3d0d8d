"""Records of a ROS 1 bag (version 2.0), used by the index and by the scan of a damaged file.

Format: https://wiki.ros.org/Bags/Format/2.0. ``rosbags`` reads the headers.
"""

from __future__ import annotations

import bz2
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

import lz4.frame
from rosbags.interfaces import MessageDefinition
from rosbags.rosbag1.reader import Header, ReaderError, read_uint32

from trust_seg_ros.bags.chunks import Channel, Entry
from trust_seg_ros.bags.definitions import LATCHED, describe_topic, from_ros1, ros1_type_name
from trust_seg_ros.bags.types import BagTopic, DamagedBag

MESSAGE, BAG_HEADER, CHUNK, CHUNK_INFO, CONNECTION = 2, 3, 5, 6, 7
LARGEST_CHUNK = 1 << 30
"""Largest plausible chunk in bytes; a greater length is treated as damage instead of filling the memory."""

_LENGTH = struct.Struct("<I")


def record_head(file: BinaryIO) -> tuple[Header, int]:
    """Header of the record at the current position of the file, and the length of the data after it.

    Raises:
        DamagedBag: there is no record here.
    """
    try:
        at = file.tell()
        length = read_uint32(file)
        if length > 1 << 24:
            raise DamagedBag(f"a record's header has {length} bytes")
        file.seek(at)
        return Header.read(file), read_uint32(file)
    except (ReaderError, UnicodeDecodeError) as error:
        raise DamagedBag(str(error)) from error


@dataclass
class Registry:
    """Connections found so far, with the number of messages of each."""

    channels: dict[int, Channel] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)
    _described: dict[int, tuple[str, MessageDefinition, bool]] = field(default_factory=dict)

    def add(self, head: Header, data: bytes) -> None:
        """Add a connection record; the first record of a number is kept.

        Raises:
            DamagedBag: a field is missing.
        """
        try:
            number, topic = head.get_uint32("conn"), head.get_string("topic")
            if number in self.channels:
                return
            inner = Header.read(BytesIO(_LENGTH.pack(len(data)) + data))
            name = ros1_type_name(inner.get_string("type"))
            definition, convert = from_ros1(name, inner.get_string("message_definition"))
        except (ReaderError, UnicodeDecodeError) as error:
            raise DamagedBag(f"a connection cannot be read: {error}") from error
        topic = ("/" if topic.startswith("/") else "") + "/".join(part for part in topic.split("/") if part)
        self.channels[number] = Channel(topic, name, convert)
        self._described[number] = (name, definition, inner.get("latching") == b"1")

    def topics(self) -> tuple[BagTopic, ...]:
        """The topics; connections of the same topic and type count as one."""
        found: dict[tuple[str, str], BagTopic] = {}
        for number, (name, definition, latched) in sorted(self._described.items()):
            topic = self.channels[number].topic
            earlier = found.get((topic, name))
            count = self.counts[number] + (earlier.messages if earlier else 0)
            qos = LATCHED if latched else earlier.qos if earlier else ()
            found[topic, name] = describe_topic(topic, name, count, definition, "", qos)
        return tuple(found.values())


def expect(file: BinaryIO, op: int) -> tuple[Header, int]:
    """Header of the next record of the index, and the length of its data.

    Raises:
        DamagedBag: the record is not of kind ``op``, or implausibly long.
    """
    head, size = record_head(file)
    if head.get_uint8("op") != op or size > LARGEST_CHUNK:
        raise DamagedBag("its index is damaged")
    return head, size


def read_chunk(head: Header, data: bytes, cut: bool = False) -> BytesIO:
    """The records in a chunk, decompressed; for a ``cut`` chunk, those that can be read.

    Raises:
        DamagedBag: wrong size or compression.
    """
    try:
        compression, size = head.get_string("compression"), head.get_uint32("size")
        if compression not in ("none", "bz2", "lz4"):
            raise DamagedBag(f"its compression is {compression!r}, expected 'none', 'bz2' or 'lz4'")
        if cut:
            return BytesIO(_prefix(compression, data))
        if compression != "none":
            data = bz2.decompress(data) if compression == "bz2" else lz4.frame.decompress(data)
    except (ReaderError, OSError, ValueError, RuntimeError, EOFError, MemoryError) as error:
        raise DamagedBag(f"it cannot be decompressed: {error}") from error
    if len(data) != size:
        raise DamagedBag(f"it has {len(data)} bytes instead of {size}")
    return BytesIO(data)


def _prefix(compression: str, data: bytes) -> bytes:
    """Decompress as much of the beginning of a buffer as possible."""
    if compression == "none":
        return data
    decompressor = bz2.BZ2Decompressor() if compression == "bz2" else lz4.frame.LZ4FrameDecompressor()
    found = []
    for at in range(0, len(data), 1 << 16):
        try:
            found.append(decompressor.decompress(data[at : at + (1 << 16)]))
        except (OSError, RuntimeError, EOFError):
            break
    return b"".join(found)


def entries(chunk: BytesIO, registry: Registry | None = None, cut: bool = False) -> Iterator[Entry]:
    """The messages among the records of a chunk; connections are added to the registry.

    Raises:
        DamagedBag: the records do not fill the chunk, unless it is known to be ``cut``.
    """
    view = chunk.getbuffer()
    while chunk.tell() < len(view):
        try:
            head, size = record_head(chunk)
            start = chunk.tell()
            if start + size > len(view):
                raise DamagedBag("its records do not fill it")
            chunk.seek(start + size)
            op = head.get_uint8("op")
            if op == MESSAGE:
                yield head.get_time("time"), head.get_uint32("conn"), view[start : start + size]
            elif op == CONNECTION and registry is not None:
                registry.add(head, bytes(view[start : start + size]))
        except (ReaderError, DamagedBag) as error:
            if cut:
                return
            raise DamagedBag(str(error)) from error
