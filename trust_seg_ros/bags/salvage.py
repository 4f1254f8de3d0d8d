"""Shared parts of scanning storage files that were not closed or are damaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from trust_seg_ros.bags.chunks import Chunk, Entry

FoundChunk = tuple[Chunk, Counter[int]]
"""A readable chunk, with the number of its messages by channel."""


def found_chunk(at: int, entries: Iterable[Entry], cut: bool) -> FoundChunk:
    """Read the messages of the chunk at byte ``at``; only their times and channels are kept."""
    start_ns, last_ns = 1 << 64, -1
    counts: Counter[int] = Counter()
    for time_ns, number, _ in entries:
        start_ns, last_ns = min(start_ns, time_ns), max(last_ns, time_ns)
        counts[number] += 1
    return Chunk(start_ns, last_ns, at, frozenset(counts), cut), counts


def settle(
    name: str, found: Iterable[FoundChunk], channels: Collection[int], total: Counter[int], remarks: list[str]
) -> list[Chunk]:
    """Keep the chunks that hold messages and whose channels are all described in the file; count the messages."""
    kept = []
    for chunk, counts in found:
        unknown = sorted(number for number in counts if number not in channels)
        if unknown:
            remarks.append(
                f"{name}: the chunk at byte {chunk.offset} is left out: it holds messages of channel {unknown[0]}, "
                "which the file does not describe"
            )
        elif counts:
            kept.append(chunk)
            total.update(counts)
    return kept


def ended_early(name: str, reason: str, messages: int, seconds: float) -> str:
    """One clause about a file that was scanned because it has no usable index.

    Args:
        name: of the file.
        reason: where it ends, or what is wrong with its index.
        messages: number that can be read.
        seconds: from the first message to the last.
    """
    return f"{name}: {reason}: {messages} messages, its first {seconds:.1f} s, can be read"
