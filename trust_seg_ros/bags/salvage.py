"""What walks through storage files that were not closed or are damaged have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from trust_seg_ros.bags.chunks import Chunk, Entry

FoundChunk = tuple[Chunk, Counter[int]]
"""A chunk that can be read, and how many messages of which channel it holds."""


def found_chunk(at: int, entries: Iterable[Entry], cut: bool) -> FoundChunk:
    """Go through the messages of the chunk at byte ``at``; only their times and channels are kept."""
    start_ns, last_ns = 1 << 64, -1
    counts: Counter[int] = Counter()
    for time_ns, number, _ in entries:
        start_ns, last_ns = min(start_ns, time_ns), max(last_ns, time_ns)
        counts[number] += 1
    return Chunk(start_ns, last_ns, at, frozenset(counts), cut), counts


def settle(
    name: str, found: Iterable[FoundChunk], channels: Collection[int], total: Counter[int], remarks: list[str]
) -> list[Chunk]:
    """Keep the chunks that hold messages, all of channels that are described somewhere in the file; count them."""
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
    """One clause on a file that was walked through because it has no usable index.

    Args:
        name: of the file.
        reason: where it ends, or what is wrong with its index.
        messages: how many can be read.
        seconds: time of the last one after the first.
    """
    return f"{name}: {reason}: {messages} messages, its first {seconds:.1f} s, can be read"
