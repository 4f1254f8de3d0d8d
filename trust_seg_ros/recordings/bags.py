"""Frames from a bag: rosbag2 (SQLite or MCAP) and ROS 1, read without ROS; pixels exactly as the node reads them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from trust_seg_ros.bags.errors import SourceError
from trust_seg_ros.bags.kinds import is_bag_file, is_storage_file
from trust_seg_ros.bags.reader import BagReader
from trust_seg_ros.bags.types import IMAGE_TYPES
from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.messages.image_bytes import ImageError, read_compressed, read_image
from trust_seg_ros.messages.image_pixels import frame_of
from trust_seg_ros.recordings.refusals import Refusals, refuse
from trust_seg_ros.recordings.section import Section
from trust_seg_ros.support.reading import lfs_pointer
from trust_seg_ros.types import Frame

_COMPRESSED = IMAGE_TYPES[1]
_MAX_PIXELS = 1 << 30
"""OpenCV's own limit; the node's lower one protects it from unknown senders, but users choose their recordings."""

_log = logging.getLogger(__name__)


def is_bag(path: Path) -> bool:
    """Whether a path is a bag: a folder with metadata.yaml or storage files of rosbag2, or a storage file."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or any(map(is_storage_file, path.iterdir()))
    return is_bag_file(path)


def refuse_pointer(path: Path) -> None:
    """Refuse what Git LFS left in place of a recording.

    Raises:
        SourceError: the path is such a pointer.
    """
    if pointer := lfs_pointer(path):
        raise SourceError(f"{path}: {pointer}")


@dataclass(frozen=True)
class BagSource:
    """The images of one topic of a bag, with the stamps of their headers (recorder's time if a header has none).

    Attributes:
        path: the bag.
        topic: the topic to read.
        type_name: its message type, Image or CompressedImage.
        rate: mean frames per second over the recording, 10 for a single frame.
        frames: number of messages of the topic in the whole bag.
        start_s: where playing begins, in seconds of recorded time after the bag's beginning.
        duration_s: seconds of recorded time that are played; None plays to the end.
        damage: which parts of the bag cannot be read; "" if no loss is known.
        refusals: takes images that cannot be read; None = the first one is an error.
    """

    path: Path
    topic: str
    type_name: str
    rate: float
    frames: int
    live: bool = False
    start_s: float = 0.0
    duration_s: float | None = None
    damage: str = ""
    refusals: Refusals | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        topic: str | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        refusals: Refusals | None = None,
    ) -> BagSource:
        """Find the image topic.

        Args:
            path: the bag.
            topic: its name; None selects the first image topic by name.
            start_s: see the class.
            duration_s: see the class.
            refusals: see the class.

        Raises:
            MissingLibrary: ``rosbags`` is not installed.
            NoImageTopic: no such topic, or none with images; the text lists the bag's topics.
            SourceError: the bag cannot be read, or ends before ``start_s``.
        """
        Section(start_s, duration_s)  # checks the numbers
        with BagReader.open(path) as reader:
            images = reader.camera_topics()
            (chosen,) = reader.require_images([topic] if topic is not None else images[:1])
            about, damage = reader.topics[chosen], reader.damage
            seconds = (reader.end_ns - reader.start_ns) * 1e-9
        if start_s and start_s >= seconds:
            raise SourceError(f"playing from {start_s:g} s, but {path} lasts {seconds:.3f} s; start earlier")
        frames = about.messages
        rate = (frames - 1) / seconds if frames > 1 and seconds > 0 else 10.0
        return cls(path, chosen, about.type_name, rate, frames, False, start_s, duration_s, damage, refusals)

    @property
    def description(self) -> str:
        """One line for users."""
        damaged = f"; damaged: {self.damage}" if self.damage else ""
        return f"{self.topic} of {self.path} ({self.frames} frames, about {self.rate:.3g} Hz{damaged})"

    def __iter__(self) -> Iterator[Frame]:
        with BagReader.open(self.path) as reader:
            start = reader.start_ns + round(self.start_s * 1e9)
            stop = None if self.duration_s is None else start + round(self.duration_s * 1e9)
            bits = BitRange()
            for index, message in enumerate(reader.messages([self.topic], start, stop)):
                before = bits.remarks
                try:
                    frame = self._frame(message.data, message.recorded_ns, bits)
                except ImageError as error:
                    refuse(self.refusals, f"message {index} of {self.topic} in {self.path}: {error}")
                    continue
                for text in set(bits.remarks) - set(before):
                    _log.warning("%s of %s: %s", self.topic, self.path, text)
                yield frame
            if reader.damage != self.damage:
                _log.warning("%s is damaged: %s", self.path, reader.damage)

    def _frame(self, data: bytes, recorded_ns: int, bits: BitRange) -> Frame:
        message = read_compressed(data) if self.type_name == _COMPRESSED else read_image(data)
        header, frame = frame_of(message, _MAX_PIXELS, bits)
        return replace(frame, stamp_ns=header.stamp_ns or recorded_ns)
