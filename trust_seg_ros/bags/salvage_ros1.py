"""Scan of ROS 1 bags without a usable index, chunk by chunk."""

from __future__ import annotations

from typing import BinaryIO

from trust_seg_ros.bags.chunks import Contents
from trust_seg_ros.bags.kinds import ROS1
from trust_seg_ros.bags.ros1_records import (
    CHUNK,
    CONNECTION,
    LARGEST_CHUNK,
    Registry,
    entries,
    read_chunk,
    record_head,
)
from trust_seg_ros.bags.salvage import ended_early, found_chunk, settle
from trust_seg_ros.bags.types import DamagedBag


def walk_ros1(name: str, file: BinaryIO, reason: str) -> Contents:
    """Scan the records of a bag; every chunk is decompressed once, none is kept.

    Args:
        name: of the file, for remarks.
        file: opened for reading.
        reason: why its index is not used.

    Returns:
        Its contents, with remarks about lost data.
    """
    size, at = file.seek(0, 2), len(ROS1)
    ending = f"its data are complete, but {reason}"
    registry, found, remarks = Registry(), [], []
    while at < size:
        file.seek(at)
        try:
            head, length = record_head(file)
        except DamagedBag:
            ending = f"it is cut off or damaged after {at} of {size} bytes"
            break
        op, start = head.get("op"), file.tell()
        cut = start + length > size
        if op == bytes([CHUNK]):
            data = file.read(min(length, LARGEST_CHUNK))
            try:
                found.append(found_chunk(at, entries(read_chunk(head, data, cut), registry, cut), cut))
            except DamagedBag as error:
                remarks.append(f"{name}: the chunk at byte {at} is left out: {error}")
        elif op == bytes([CONNECTION]) and not cut:
            try:
                registry.add(head, file.read(min(length, LARGEST_CHUNK)))
            except DamagedBag as error:
                remarks.append(f"{name}: {error}")
        if op is None or cut:
            ending = f"it is cut off after {size} bytes" if cut else f"it is damaged after {at} of {size} bytes"
            break
        at = start + length
    chunks = settle(name, found, registry.channels, registry.counts, remarks)
    start_ns, last_ns = (min(c.start_ns for c in chunks), max(c.last_ns for c in chunks)) if chunks else (0, -1)
    seconds = max(last_ns - start_ns, 0) * 1e-9
    remarks.insert(0, ended_early(name, ending, sum(registry.counts.values()), seconds))
    return Contents(registry.topics(), registry.channels, tuple(chunks), start_ns, last_ns + 1, tuple(remarks))
