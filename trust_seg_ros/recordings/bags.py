"""Frames from a bag: rosbag2 (SQLite or MCAP) and ROS 1, read without ROS by the ``rosbags`` library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trust_seg_ros.recordings.decode import decode_compressed, decode_image
from trust_seg_ros.recordings.errors import MissingLibrary, NoImageTopic, SourceError, UnreadableFrame
from trust_seg_ros.types import Frame

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader

BAG_SUFFIXES = (".db3", ".mcap", ".bag")
_IMAGE = "sensor_msgs/msg/Image"
_COMPRESSED = "sensor_msgs/msg/CompressedImage"


def is_bag(path: Path) -> bool:
    """Whether a path looks like a bag: a rosbag2 folder, or one of its storage files."""
    return (path / "metadata.yaml").is_file() or path.suffix in BAG_SUFFIXES


@dataclass(frozen=True)
class BagSource:
    """The images of one topic of a bag, stamped by their headers (by the recorder where a header has no stamp).

    Attributes:
        path: the bag.
        topic: the topic to read.
        type_name: its message type, Image or CompressedImage.
        rate: mean frames per second over the recording, 10 for a single frame.
        frames: number of messages of the topic in the whole bag.
        start_s: seconds of recorded time after the bag's beginning where playing begins.
        duration_s: seconds of recorded time that are played; None plays to the end.
    """

    path: Path
    topic: str
    type_name: str
    rate: float
    frames: int
    live: bool = False
    start_s: float = 0.0
    duration_s: float | None = None

    @classmethod
    def open(
        cls, path: Path, topic: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> BagSource:
        """Find the image topic.

        Args:
            path: the bag.
            topic: its name; None takes the first image topic in order of names.
            start_s: see the class.
            duration_s: see the class.

        Raises:
            MissingLibrary: ``rosbags`` is not installed.
            NoImageTopic: no such topic, or none with images; lists the topics there are.
            SourceError: the bag cannot be read, or ends before ``start_s``.
        """
        if start_s < 0 or (duration_s is not None and not duration_s > 0):
            raise SourceError(f"playing from {start_s} s for {duration_s} s; expected at least 0 s and more than 0 s")
        with _reader(path) as reader:
            types = {c.topic: c.msgtype for c in reader.connections}
            images = sorted(name for name, kind in types.items() if kind in (_IMAGE, _COMPRESSED))
            present = ", ".join(f"{name} ({kind})" for name, kind in sorted(types.items())) or "none"
            if topic is not None and topic not in types:
                raise NoImageTopic(f"{path} has no topic {topic}; its topics: {present}")
            if topic is not None and topic not in images:
                raise NoImageTopic(f"{topic} in {path} holds {types[topic]}; expected {_IMAGE} or {_COMPRESSED}")
            if not images:
                raise NoImageTopic(f"{path} has no topic of {_IMAGE} or {_COMPRESSED}; its topics: {present}")
            chosen = topic or images[0]
            frames = sum(c.msgcount for c in reader.connections if c.topic == chosen)
            seconds = reader.duration * 1e-9
        if start_s and start_s >= seconds:
            raise SourceError(f"playing from {start_s:g} s, but {path} lasts {seconds:.3f} s; start earlier")
        rate = (frames - 1) / seconds if frames > 1 and seconds > 0 else 10.0
        return cls(path, chosen, types[chosen], rate, frames, start_s=start_s, duration_s=duration_s)

    @property
    def description(self) -> str:
        """One line for people."""
        return f"{self.topic} of {self.path} ({self.frames} frames, about {self.rate:.3g} Hz)"

    def __iter__(self) -> Iterator[Frame]:
        with _reader(self.path) as reader:
            for index, (recorded_ns, kind, raw) in enumerate(self._messages(reader)):
                try:
                    message = _deserialize(reader, raw, kind)
                    image = _pixels(message, self.type_name)
                except UnreadableFrame as error:
                    raise UnreadableFrame(f"message {index} of {self.topic} in {self.path}: {error}") from error
                stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
                yield Frame(image, stamp or recorded_ns, message.header.frame_id)

    def _messages(self, reader: AnyReader) -> Iterator[tuple[int, str, bytes]]:
        """Time of recording, type and bytes of every message of the topic."""
        connections = [c for c in reader.connections if c.topic == self.topic]
        start = reader.start_time + round(self.start_s * 1e9)
        stop = None if self.duration_s is None else start + round(self.duration_s * 1e9)
        try:
            for connection, recorded_ns, raw in reader.messages(connections, start, stop):
                yield recorded_ns, connection.msgtype, raw
        except Exception as error:  # each storage has errors of its own: SQLite, zstd, lz4, struct, the reader's
            raise SourceError(f"{self.path} is damaged: reading {self.topic} broke off: {error}") from error


def _deserialize(reader: AnyReader, raw: bytes, kind: str) -> Any:
    try:
        return reader.deserialize(raw, kind)
    except Exception as error:  # generated code: whatever a slice or an unpacking of wrong bytes raises
        raise UnreadableFrame(f"its {len(raw)} bytes are not a {kind}: {error}") from error


def _pixels(message: Any, type_name: str) -> np.ndarray:
    if type_name == _COMPRESSED:
        return decode_compressed(message.data)
    big = bool(message.is_bigendian)
    return decode_image(message.encoding, message.height, message.width, message.step, message.data, big)


def _reader(path: Path) -> AnyReader:
    try:
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise MissingLibrary(
            f"reading the bag {path} needs the library rosbags; install it: python -m pip install rosbags"
        ) from error
    # Bags of Humble and older do not carry their message definitions.
    store = get_typestore(Stores.ROS1_NOETIC if path.suffix == ".bag" else Stores.ROS2_HUMBLE)
    try:
        reader = AnyReader([path], default_typestore=store)
        reader.open()
        reader.close()
    except (AnyReaderError, OSError, ValueError, KeyError) as error:
        raise SourceError(f"{path} cannot be read as a bag: {error}") from error
    return reader
