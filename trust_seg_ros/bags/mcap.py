"""MCAP files, read through the index at their end, or by a scan of all records if there is none.

``rosbags`` reads intact files, too, but drops chunks without message indexes, refuses chunkless files that are out of
order, and cannot read files without a footer.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trust_seg_ros.bags.chunks import Chunk, ChunkedFile, Contents, Entry, LooseMessages
from trust_seg_ros.bags.kinds import MCAP
from trust_seg_ros.bags.mcap_records import (
    CHANNEL,
    CHUNK,
    CHUNK_INDEX,
    FOOTER,
    LARGEST_CHUNK,
    RECORD,
    SCHEMA,
    STATISTICS,
    Fields,
    Registry,
    entries,
    read_chunk,
    records,
)
from trust_seg_ros.bags.merge import Part
from trust_seg_ros.bags.salvage_mcap import walk_mcap
from trust_seg_ros.bags.types import BagMessage, DamagedBag

_FOOTER_BYTES = 9 + 20 + len(MCAP)
_CHUNK_INDEX_HEAD = struct.Struct("<QQQQ")
_STATISTICS = struct.Struct("<QHIIIIQQ")


def read_index(file: BinaryIO) -> Contents | None:
    """The contents according to the summary at the end of the file; None if there is no complete summary.

    Raises:
        DamagedBag: the file does not end as it should, or the summary contradicts itself.
    """
    size = file.seek(0, 2)
    file.seek(max(size - _FOOTER_BYTES, 0))
    footer = file.read()
    if len(footer) < _FOOTER_BYTES or footer[-8:] != MCAP or RECORD.unpack_from(footer) != (FOOTER, 20):
        raise DamagedBag("it has no footer")
    summary_start, _, checksum = struct.unpack_from("<QQI", footer, 9)
    if summary_start == 0:
        return None
    if not len(MCAP) <= summary_start <= size - _FOOTER_BYTES:
        raise DamagedBag(f"its footer puts the summary at byte {summary_start}")
    file.seek(summary_start)
    summary = file.read(size - _FOOTER_BYTES - summary_start)
    if checksum and zlib.crc32(footer[: 9 + 16], zlib.crc32(summary)) != checksum:
        raise DamagedBag("the checksum of its summary is wrong")
    contents = _from_summary(summary)
    if contents is not None and any(chunk.offset > size for chunk in contents.chunks):
        raise DamagedBag("its summary points behind the end of the file")
    return contents


def _from_summary(summary: bytes) -> Contents | None:
    registry, chunks, statistics = Registry(), [], None
    for op, content in records(memoryview(summary)):
        if op in (SCHEMA, CHANNEL):
            registry.add(op, content)
        elif op == CHUNK_INDEX:
            chunks.append(_chunk_index(Fields(content)))
        elif op == STATISTICS:
            fields = Fields(content)
            statistics = fields.unpack(_STATISTICS)
            registry.counts.update(dict(struct.iter_unpack("<HQ", fields.block())))
    if statistics is None:
        return None
    messages, schemas, channels, _, _, chunk_count, start_ns, last_ns = statistics
    # A writer may leave out any of these; messages outside of chunks have no index at all.
    there = (len(registry.schemas), len(registry.channels), len(chunks))
    if there != (schemas, channels, chunk_count) or (messages and not chunks):
        return None
    spans = [c for c in chunks if c.channels or (c.channels is None and c.last_ns)]
    if messages and spans:
        start_ns, last_ns = min([start_ns, *(c.start_ns for c in spans)]), max([last_ns, *(c.last_ns for c in spans)])
    return Contents(
        registry.topics(), registry.channels, tuple(chunks), start_ns if messages else 0, last_ns + 1 if messages else 0
    )


def _chunk_index(fields: Fields) -> Chunk:
    start_ns, last_ns, offset, _ = fields.unpack(_CHUNK_INDEX_HEAD)
    indexed = frozenset(number for number, _ in struct.iter_unpack("<HQ", fields.block()))
    # Message indexes are optional. Without them the channels of a chunk are unknown, except that
    # a chunk of rosbags without messages ends before it starts.
    return Chunk(start_ns, last_ns, offset, indexed if indexed or start_ns > last_ns else None)


class McapFile(ChunkedFile):
    """An MCAP file; see :func:`open_mcap`."""

    def __init__(self, path: Path, contents: Contents, loose: LooseMessages | None = None) -> None:
        super().__init__(path, contents)
        self._loose = loose

    def load(self, file: BinaryIO, chunk: Chunk) -> list[Entry]:
        """See the base class."""
        file.seek(chunk.offset)
        head = file.read(RECORD.size)
        op, size = RECORD.unpack(head) if len(head) == RECORD.size else (0, 0)
        if op != CHUNK:
            raise DamagedBag("there is no chunk")
        content = file.read(min(size, LARGEST_CHUNK))
        if len(content) < size and not chunk.cut:
            raise DamagedBag(f"{len(content)} of its {size} bytes can be read")
        return list(entries(read_chunk(content, chunk.cut), chunk.cut))

    def loose_parts(self, file: BinaryIO, wanted: Collection[int], start_ns: int, stop_ns: int) -> list[Part]:
        """See the base class."""
        loose = self._loose
        if loose is None:
            return []
        inside = np.isin(loose.channels, list(wanted)) & (loose.times >= max(start_ns, 0)) & (loose.times < stop_ns)
        chosen = np.flatnonzero(inside)
        chosen = chosen[np.argsort(loose.times[chosen], kind="stable")]
        return (
            [Part(int(loose.times[chosen[0]]), partial(self._read_loose, file, loose, chosen))] if len(chosen) else []
        )

    def _read_loose(self, file: BinaryIO, loose: LooseMessages, chosen: np.ndarray) -> Iterator[BagMessage]:
        for index in chosen:
            file.seek(int(loose.offsets[index]))
            data = file.read(int(loose.sizes[index]))
            message = self.message(int(loose.times[index]), int(loose.channels[index]), data)
            if message is not None:
                yield message


def open_mcap(path: Path) -> McapFile:
    """Open an MCAP file through the index at its end, or by a scan of the whole file if it has none.

    Raises:
        DamagedBag: nothing in it can be read.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        if file.read(len(MCAP)) != MCAP:
            raise DamagedBag("it does not begin like an MCAP file")
        reason = ""
        try:
            contents = read_index(file)
        except DamagedBag as error:
            contents, reason = None, str(error)
        except struct.error as error:
            contents, reason = None, f"its summary is damaged: {error}"
        if contents is not None:
            return McapFile(path, contents)
        return McapFile(path, *walk_mcap(path.name, file, reason))
