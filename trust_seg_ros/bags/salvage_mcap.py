"""Scan of MCAP files without a usable index, record by record.

Offsets are remembered, not data. Every chunk is decompressed and checked once, so every message counted can be read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from trust_seg_ros.bags.chunks import Contents, Entry, LooseMessages
from trust_seg_ros.bags.kinds import MCAP
from trust_seg_ros.bags.mcap_records import (
    CHANNEL,
    CHUNK,
    DATA_END,
    FOOTER,
    LARGEST_CHUNK,
    MESSAGE,
    MESSAGE_HEAD,
    RECORD,
    SCHEMA,
    Registry,
    message_entry,
    read_chunk,
    records,
)
from trust_seg_ros.bags.salvage import FoundChunk, ended_early, found_chunk, settle
from trust_seg_ros.bags.types import DamagedBag

_FIRST_PRIVATE, _LAST_KNOWN = 0x80, DATA_END


@dataclass
class _Walk:
    """State of a scan."""

    name: str
    size: int
    registry: Registry = field(default_factory=Registry)
    found: list[FoundChunk] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    times: array = field(default_factory=lambda: array("Q"))
    offsets: array = field(default_factory=lambda: array("Q"))
    sizes: array = field(default_factory=lambda: array("Q"))
    numbers: array = field(default_factory=lambda: array("H"))


def walk_mcap(name: str, file: BinaryIO, reason: str) -> tuple[Contents, LooseMessages | None]:
    """Scan the records of a file.

    Args:
        name: of the file, for remarks.
        file: opened for reading.
        reason: why its index is not used; "" if a missing index is no fault.

    Returns:
        Its contents, with remarks where something was lost, and its messages outside of chunks.
    """
    walk = _Walk(name, file.seek(0, 2))
    ending = _records_of_file(walk, file)
    registry = walk.registry
    chunks = settle(name, walk.found, registry.channels, registry.counts, walk.remarks)
    spans, loose = [(chunk.start_ns, chunk.last_ns) for chunk in chunks], None
    if walk.times:
        columns = (walk.times, walk.offsets, walk.sizes, walk.numbers)
        loose = LooseMessages(*(np.frombuffer(column, column.typecode) for column in columns))
        spans.append((int(loose.times.min()), int(loose.times.max())))
        registry.counts.update(walk.numbers)
    start_ns, last_ns = (min(first for first, _ in spans), max(last for _, last in spans)) if spans else (0, -1)
    if reason or ending:
        seconds = max(last_ns - start_ns, 0) * 1e-9
        lost = ending or f"its data are complete, but {reason}"
        walk.remarks.insert(0, ended_early(name, lost, sum(registry.counts.values()), seconds))
    contents = Contents(registry.topics(), registry.channels, tuple(chunks), start_ns, last_ns + 1, tuple(walk.remarks))
    return contents, loose


def _records_of_file(walk: _Walk, file: BinaryIO) -> str:
    """Scan to the end of the data; returns where they end too early, or "" if they are complete."""
    at = len(MCAP)
    while True:
        file.seek(at)
        head = file.read(RECORD.size)
        if len(head) < RECORD.size:
            return f"it is cut off after {walk.size} bytes"
        op, size = RECORD.unpack(head)
        if op in (DATA_END, FOOTER):
            return ""
        if op == 0 or _LAST_KNOWN < op < _FIRST_PRIVATE:
            return f"it is damaged after {at} of {walk.size} bytes"
        end = at + RECORD.size + size
        cut = end > walk.size
        if op == CHUNK:
            _take_chunk(walk, at, file.read(min(size, LARGEST_CHUNK)), cut)
        elif not cut:
            _take_record(walk, file, op, at + RECORD.size, size)
        if cut:
            return f"it is cut off after {walk.size} bytes"
        at = end


def _take_record(walk: _Walk, file: BinaryIO, op: int, at: int, size: int) -> None:
    try:
        if op in (SCHEMA, CHANNEL):
            walk.registry.add(op, memoryview(file.read(size)))
        elif op == MESSAGE:
            time_ns, number, _ = message_entry(memoryview(file.read(min(size, MESSAGE_HEAD.size))))
            if number not in walk.registry.channels:
                raise DamagedBag(f"it is of channel {number}, which the file does not describe before it")
            columns = (walk.times, walk.offsets, walk.sizes, walk.numbers)
            values = (time_ns, at + MESSAGE_HEAD.size, size - MESSAGE_HEAD.size, number)
            for column, value in zip(columns, values, strict=True):
                column.append(value)
    except DamagedBag as error:
        walk.remarks.append(f"{walk.name}: the record at byte {at - RECORD.size} is left out: {error}")


def _take_chunk(walk: _Walk, at: int, content: bytes, cut: bool) -> None:
    try:
        walk.found.append(found_chunk(at, _entries(walk.registry, read_chunk(content, cut), cut), cut))
    except DamagedBag as error:
        if not cut:
            walk.remarks.append(f"{walk.name}: the chunk at byte {at} is left out: {error}")


def _entries(registry: Registry, data: memoryview, cut: bool) -> Iterator[Entry]:
    for op, inner in records(data, cut):
        if op in (SCHEMA, CHANNEL):
            registry.add(op, inner)
        elif op == MESSAGE:
            yield message_entry(inner)
