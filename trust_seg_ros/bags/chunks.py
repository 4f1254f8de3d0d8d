"""Storage files that keep messages in chunks (MCAP, ROS 1): only the chunks a reader asks for are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trust_seg_ros.bags.merge import Part, merge_by_time
from trust_seg_ros.bags.types import LATEST_NS, BagMessage, BagTopic, DamagedBag, Remarks

Entry = tuple[int, int, memoryview]
"""Time of recording in ns, channel, bytes of the message."""

Convert = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Chunk:
    """Position of a chunk in the file, and its content as the file states it.

    Attributes:
        start_ns: time of its first message.
        last_ns: time of its last message.
        offset: first byte of its record.
        channels: the channels that have messages in it; None when unknown.
        cut: the file ends inside it, so that only its beginning can be read.
    """

    start_ns: int
    last_ns: int
    offset: int
    channels: frozenset[int] | None = None
    cut: bool = False


@dataclass(frozen=True)
class Channel:
    """Topic and type of messages; a message record refers to a channel by its number.

    Attributes:
        topic: name of the topic.
        type_name: type of its messages.
        convert: stored bytes → CDR; raises ValueError where they are no such message.
    """

    topic: str
    type_name: str
    convert: Convert


@dataclass(frozen=True)
class Contents:
    """Content of a file, from its index or from a scan of the whole file.

    Attributes:
        topics: its topics.
        channels: by number.
        chunks: in order of the file.
        start_ns: time of the first message, 0 without messages.
        end_ns: time of the last message + 1.
        remarks: sentences about lost data.
    """

    topics: tuple[BagTopic, ...]
    channels: Mapping[int, Channel]
    chunks: tuple[Chunk, ...]
    start_ns: int
    end_ns: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class LooseMessages:
    """Messages outside of chunks, as arrays in file order.

    Attributes:
        times: (n,) uint64 times of recording in nanoseconds.
        offsets: (n,) uint64 first byte of each message's data.
        sizes: (n,) uint64 bytes of data.
        channels: (n,) uint16.
    """

    times: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    channels: np.ndarray


class ChunkedFile:
    """A :class:`~trust_seg_ros.bags.types.Storage` that keeps its messages in chunks."""

    def __init__(self, path: Path, contents: Contents) -> None:
        self.path, self._contents = path, contents
        self.topics = self.declared = contents.topics
        self.total = sum(topic.messages for topic in contents.topics)
        self.end_ns = min(contents.end_ns, LATEST_NS)
        self.start_ns = min(contents.start_ns, self.end_ns)
        self.remarks = Remarks()
        for text in contents.remarks:
            self.remarks.add(text)
        if contents.end_ns > LATEST_NS:
            self.remarks.add(
                f"{path.name}: it has messages up to {contents.end_ns - 1} ns after 1970; ROS knows times up to "
                f"{LATEST_NS} ns (the year 2262), and later messages are left out"
            )

    def load(self, file: BinaryIO, chunk: Chunk) -> list[Entry]:
        """All messages of a chunk as they are stored.

        Raises:
            DamagedBag: the chunk is incomplete; for a chunk marked ``cut``, only if nothing can be read.
        """
        raise NotImplementedError

    def loose_parts(self, file: BinaryIO, wanted: Collection[int], start_ns: int, stop_ns: int) -> list[Part]:
        """Messages outside of chunks."""
        return []

    def messages(self, topics: Collection[tuple[str, str]], start_ns: int, stop_ns: int) -> Iterator[BagMessage]:
        """See :class:`~trust_seg_ros.bags.types.Storage`."""
        wanted = frozenset(number for number, c in self._contents.channels.items() if (c.topic, c.type_name) in topics)
        if not wanted:
            return
        with self.path.open("rb") as file:
            parts = [
                Part(chunk.start_ns, partial(self._of_chunk, file, chunk, wanted, start_ns, stop_ns))
                for chunk in self._contents.chunks
                if chunk.start_ns < stop_ns
                and chunk.last_ns >= start_ns
                and (chunk.channels is None or chunk.channels & wanted)
            ]
            yield from merge_by_time(parts + self.loose_parts(file, wanted, start_ns, stop_ns))

    def _of_chunk(
        self, file: BinaryIO, chunk: Chunk, wanted: frozenset[int], start_ns: int, stop_ns: int
    ) -> Iterator[BagMessage]:
        try:
            entries = self._checked(file, chunk)
        except DamagedBag as error:
            span = f"{self._seconds(chunk.start_ns)} to {self._seconds(chunk.last_ns)} of the file"
            self.remarks.add(
                f"{self.path.name}: the chunk at byte {chunk.offset} ({span}) is left out: {error}",
                f"chunk {chunk.offset}",
            )
            return
        inside = [e for e in entries if e[1] in wanted and start_ns <= e[0] < stop_ns]
        inside.sort(key=lambda e: e[0])
        for recorded_ns, number, data in inside:
            message = self.message(recorded_ns, number, data)
            if message is not None:
                yield message

    def message(self, recorded_ns: int, number: int, data: bytes | memoryview) -> BagMessage | None:
        """Convert a stored message for the reader; None, with a remark, if its bytes cannot be converted."""
        channel = self._contents.channels[number]
        try:
            return BagMessage(channel.topic, recorded_ns, channel.convert(bytes(data)))
        except ValueError as error:
            self.remarks.add(
                f"{self.path.name}: the message of {channel.topic} at {self._seconds(recorded_ns)} is left out: {error}"
            )
            return None

    def _checked(self, file: BinaryIO, chunk: Chunk) -> list[Entry]:
        entries = self.load(file, chunk)
        for recorded_ns, number, _ in entries:
            # A time outside the stated span would come out of order; the index or the chunk is wrong.
            if not chunk.start_ns <= recorded_ns <= chunk.last_ns:
                raise DamagedBag("it holds messages from outside this time")
            if number not in self._contents.channels:
                raise DamagedBag(f"it holds messages of channel {number}, which the file does not describe")
        return entries

    def _seconds(self, time_ns: int) -> str:
        return f"{(time_ns - self.start_ns) * 1e-9:.3f} s"
