"""ROS 1 bags (version 2.0), read through the index at their end.

The reader of ``rosbags`` needs a complete index and keeps all of it in memory.
"""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from rosbags.rosbag1.reader import Header, ReaderError, read_bytes

from trust_seg_ros.bags.chunks import Chunk, ChunkedFile, Contents, Entry
from trust_seg_ros.bags.kinds import ROS1
from trust_seg_ros.bags.ros1_records import (
    BAG_HEADER,
    CHUNK,
    CHUNK_INFO,
    CONNECTION,
    LARGEST_CHUNK,
    Registry,
    entries,
    expect,
    read_chunk,
    record_head,
)
from trust_seg_ros.bags.salvage_ros1 import walk_ros1
from trust_seg_ros.bags.types import DamagedBag


def read_index(file: BinaryIO) -> Contents:
    """The contents according to the index at the end of the file.

    Raises:
        DamagedBag: the file was not closed, or the index is incomplete.
    """
    size_of_file = file.seek(0, 2)
    file.seek(len(ROS1))
    head, _ = record_head(file)
    try:
        if head.get_uint8("op") != BAG_HEADER:
            raise DamagedBag("its first record is not a bag header")
        if head.get("encryptor"):
            raise DamagedBag(f"it is encrypted ({head['encryptor']!r}); decrypt it first")
        index_at, connections, chunks = (
            head.get_uint64("index_pos"), head.get_uint32("conn_count"), head.get_uint32("chunk_count")
        )  # fmt: skip
        if not index_at:
            raise DamagedBag("it has no index: its recorder did not finish")
        if index_at > size_of_file:
            raise DamagedBag(f"its index should be at byte {index_at}, behind the end of the file")
        file.seek(index_at)
        registry, found = Registry(), []
        for _ in range(connections):
            head, size = expect(file, CONNECTION)
            registry.add(head, read_bytes(file, size))
        for _ in range(chunks):
            head, size = expect(file, CHUNK_INFO)
            found.append(_chunk_info(head, read_bytes(file, size), registry.counts))
    except (ReaderError, struct.error) as error:
        raise DamagedBag(f"its index is damaged: {error}") from error
    if any(chunk.offset > size_of_file for chunk in found):
        raise DamagedBag("its index points behind the end of the file")
    spans = [chunk for chunk in found if chunk.channels]
    start_ns, end_ns = (min(c.start_ns for c in spans), max(c.last_ns for c in spans) + 1) if spans else (0, 0)
    return Contents(registry.topics(), registry.channels, tuple(found), start_ns, end_ns)


def _chunk_info(head: Header, data: bytes, counts: Counter[int]) -> Chunk:
    per_channel = dict(struct.iter_unpack("<II", data))
    counts.update(per_channel)
    used = frozenset(number for number, count in per_channel.items() if count)
    return Chunk(head.get_time("start_time"), head.get_time("end_time"), head.get_uint64("chunk_pos"), used)


class Ros1File(ChunkedFile):
    """A ROS 1 bag; see :func:`open_ros1`."""

    def load(self, file: BinaryIO, chunk: Chunk) -> list[Entry]:
        """See the base class."""
        file.seek(chunk.offset)
        head, size = record_head(file)
        if head.get("op") != bytes([CHUNK]):
            raise DamagedBag("there is no chunk")
        data = file.read(min(size, LARGEST_CHUNK))
        if len(data) < size and not chunk.cut:
            raise DamagedBag(f"{len(data)} of its {size} bytes can be read")
        return list(entries(read_chunk(head, data, chunk.cut), cut=chunk.cut))


def open_ros1(path: Path) -> Ros1File:
    """Open a bag through the index at its end, or by a scan of the whole file if it has none.

    Raises:
        DamagedBag: nothing in it can be read.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        if file.read(len(ROS1)) != ROS1:
            raise DamagedBag("it does not begin like a ROS 1 bag of version 2.0")
        try:
            contents = read_index(file)
        except DamagedBag as error:
            contents = walk_ros1(path.name, file, str(error))
        return Ros1File(path, contents)
