"""Records of MCAP files. Format: https://mcap.dev/spec."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import lz4.frame
from backports import zstd
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from trust_seg_ros.bags.chunks import Channel, Convert, Entry
from trust_seg_ros.bags.definitions import (
    NO_DEFINITION,
    as_recorded,
    describe_topic,
    from_ros1,
    full_type_name,
    qos_profiles,
    ros1_type_name,
)
from trust_seg_ros.bags.types import BagTopic, DamagedBag

HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, CHUNK_INDEX, STATISTICS, DATA_END = 1, 2, 3, 4, 5, 6, 8, 11, 15
LARGEST_CHUNK = 1 << 30
"""Largest plausible chunk in bytes; a greater length is treated as damage instead of filling the memory."""

_FORMATS = {
    "ros2msg": MessageDefinitionFormat.MSG,
    "ros2idl": MessageDefinitionFormat.IDL,
    "omgidl": MessageDefinitionFormat.IDL,
}

RECORD = struct.Struct("<BQ")
MESSAGE_HEAD = struct.Struct("<HIQQ")
_CHUNK_HEAD = struct.Struct("<QQQI")


class Fields:
    """Reads the fields of a record one after another; raises DamagedBag if the record ends too early."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data, self.at = memoryview(data), 0

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        """Several numbers in ``struct`` format."""
        return layout.unpack(self.take(layout.size))

    def number(self, size: int) -> int:
        """An unsigned integer of ``size`` bytes."""
        return int.from_bytes(self.take(size), "little")

    def take(self, size: int) -> memoryview:
        """The next bytes."""
        start, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise DamagedBag("a record ends inside its fields")
        return self.data[start : self.at]

    def block(self) -> memoryview:
        """Length-prefixed bytes."""
        return self.take(self.number(4))

    def text(self) -> str:
        """Length-prefixed text."""
        return bytes(self.block()).decode("utf-8", "replace")

    def pairs(self) -> dict[str, str]:
        """A map from text to text, prefixed by its length in bytes."""
        inner, found = Fields(self.block()), {}
        while inner.at < len(inner.data):
            key = inner.text()
            found[key] = inner.text()
        return found


def records(data: memoryview, cut: bool = False) -> Iterator[tuple[int, memoryview]]:
    """Operation code and content of consecutive records in a buffer.

    Raises:
        DamagedBag: the buffer ends inside a record, unless it is known to be ``cut``.
    """
    at = 0
    while at < len(data):
        if at + RECORD.size <= len(data):
            op, size = RECORD.unpack_from(data, at)
            start, at = at + RECORD.size, at + RECORD.size + size
            if at <= len(data):
                yield op, data[start:at]
                continue
        if not cut:
            raise DamagedBag("its records do not fill it")
        return


@dataclass
class Registry:
    """Schemas and channels found so far, with the number of messages of each channel."""

    schemas: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)
    _described: dict[int, tuple[str, MessageDefinition, Mapping[str, str]]] = field(default_factory=dict)

    def add(self, op: int, content: memoryview) -> None:
        """Add a schema or channel record; the first record of a number is kept."""
        fields = Fields(content)
        number = fields.number(2)
        if op == SCHEMA:
            self.schemas.setdefault(number, (fields.text(), fields.text(), fields.text()))
        elif number not in self.channels:
            schema, topic, encoding = fields.number(2), fields.text(), fields.text()
            name, kind, text = self.schemas.get(schema, ("", "", ""))
            definition = MessageDefinition(_FORMATS.get(kind, MessageDefinitionFormat.NONE), text)
            convert: Convert = as_recorded
            if encoding == "ros1":
                name = ros1_type_name(name)
                definition, convert = from_ros1(name, text)
            else:
                name = full_type_name(name)
            if definition.format == MessageDefinitionFormat.NONE:
                definition = NO_DEFINITION
            self.channels[number] = Channel(topic, name, convert)
            self._described[number] = (name, definition, fields.pairs())

    def topics(self) -> tuple[BagTopic, ...]:
        """The topics; channels of the same topic and type count as one."""
        found: dict[tuple[str, str], BagTopic] = {}
        for number, (name, definition, metadata) in sorted(self._described.items()):
            topic = self.channels[number].topic
            earlier = found.get((topic, name))
            count = self.counts[number] + (earlier.messages if earlier else 0)
            qos = (earlier.qos if earlier else ()) + qos_profiles(metadata.get("offered_qos_profiles", ""))
            digest = metadata.get("topic_type_hash", "")
            found[topic, name] = describe_topic(topic, name, count, definition, digest, qos)
        return tuple(found.values())


def read_chunk(content: bytes, cut: bool = False) -> memoryview:
    """The records in a chunk, decompressed and checked; for a ``cut`` chunk, those that can be read.

    Raises:
        DamagedBag: wrong sizes, checksum or compression.
    """
    fields = Fields(content)
    _, _, size, checksum = fields.unpack(_CHUNK_HEAD)
    compression = fields.text()
    stored = fields.number(8)
    if cut:
        return memoryview(_prefix(compression, bytes(fields.data[fields.at :])))
    packed = fields.take(stored)
    try:
        if compression == "zstd":
            packed = memoryview(zstd.decompress(packed))
        elif compression == "lz4":
            packed = memoryview(lz4.frame.decompress(packed))
        elif compression:
            raise DamagedBag(f"its compression is {compression!r}, expected none, 'zstd' or 'lz4'")
    except (zstd.ZstdError, RuntimeError, ValueError, MemoryError) as error:
        raise DamagedBag(f"it cannot be decompressed: {error}") from error
    if len(packed) != size:
        raise DamagedBag(f"it has {len(packed)} bytes instead of {size}")
    if checksum and zlib.crc32(packed) != checksum:
        raise DamagedBag("its checksum is wrong")
    return packed


def _prefix(compression: str, packed: bytes) -> bytes:
    """Decompress as much of the beginning of a buffer as possible."""
    if not compression:
        return packed
    if compression not in ("zstd", "lz4"):
        return b""
    decompressor = zstd.ZstdDecompressor() if compression == "zstd" else lz4.frame.LZ4FrameDecompressor()
    found = []
    for at in range(0, len(packed), 1 << 16):
        try:
            found.append(decompressor.decompress(packed[at : at + (1 << 16)]))
        except (zstd.ZstdError, RuntimeError, EOFError):
            break
    return b"".join(found)


def entries(data: memoryview, cut: bool = False) -> Iterator[Entry]:
    """The messages among the records of a chunk."""
    for op, content in records(data, cut):
        if op == MESSAGE:
            yield message_entry(content)


def message_entry(content: memoryview) -> Entry:
    """Time, channel and data of a message record."""
    if len(content) < MESSAGE_HEAD.size:
        raise DamagedBag("a message record ends inside its fields")
    number, _, recorded_ns, _ = MESSAGE_HEAD.unpack_from(content)
    return recorded_ns, number, content[MESSAGE_HEAD.size :]
