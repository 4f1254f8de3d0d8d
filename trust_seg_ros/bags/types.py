"""Topics and messages of a bag, and the interface of every kind of storage file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trust_seg_ros.bags.errors import SourceError

if TYPE_CHECKING:
    from rosbags.interfaces import Qos

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


def is_node_output(topic: str) -> bool:
    """Whether a topic is an output of this package's node, judged by its usual name; such a topic is no camera."""
    return "/trust_seg/" in topic and not topic.endswith("/trust_seg/image")


LATEST_NS = (1 << 63) - 1
"""End of the times that ROS knows, in nanoseconds since the epoch."""


class DamagedBag(SourceError):  # noqa: N818  (reads as what it means)
    """A storage file, or a part of it, violates its format; the text says how, without the path."""


@dataclass(frozen=True)
class BagTopic:
    """One topic of a bag.

    Attributes:
        name: as recorded, e.g. "/camera/image_raw".
        type_name: its message type in the spelling of ROS 2 ("sensor_msgs/msg/Image"), for ROS 1 bags too.
        messages: number the bag states; in a salvaged bag, the number that can be read.
        definition: text of the message definition, for ``rosbags.rosbag2.Writer.add_connection(msgdef=)``;
            "" when unknown.
        digest: RIHS01 hash of the type, for ``add_connection(rihs01=)``; "" when unknown.
        qos: the QoS profiles its publishers offered; () when unknown.
    """

    name: str
    type_name: str
    messages: int
    definition: str = ""
    digest: str = ""
    qos: tuple[Qos, ...] = ()


@dataclass(frozen=True, slots=True)
class BagMessage:
    """One recorded message.

    Attributes:
        topic: its name.
        recorded_ns: when the recorder received it, nanoseconds since the epoch.
        data: the message as CDR; b"" where an empty message was recorded.
    """

    topic: str
    recorded_ns: int
    data: bytes


class Storage(Protocol):
    """One storage file of a bag.

    Attributes:
        path: the file.
        declared: its topics, one entry per name and type; message counts may be missing.
        topics: the same with message counts, which may need a scan of the file.
        total: number of messages of all topics.
        start_ns: time of its first message; 0 without messages.
        end_ns: time of its last message + 1; 0 without messages.
        remarks: damage found, by place; grows while messages are read.
    """

    path: Path
    declared: tuple[BagTopic, ...]
    total: int
    start_ns: int
    end_ns: int
    remarks: Remarks

    @property
    def topics(self) -> tuple[BagTopic, ...]:
        """See above."""

    def messages(self, topics: Collection[tuple[str, str]], start_ns: int, stop_ns: int) -> Iterator[BagMessage]:
        """Messages of these topics (name, type) recorded in [start, stop), in order of time, then of position."""


@dataclass
class Remarks:
    """Sentences about damage, one per place, in the order found."""

    by_place: dict[str, str] = field(default_factory=dict)

    def add(self, text: str, place: str | None = None) -> None:
        """Note damage; a second remark on the same place is dropped."""
        self.by_place.setdefault(place or text, text)

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_place.values())

    def __bool__(self) -> bool:
        return bool(self.by_place)
