"""Settings of a replay: its input and its outputs, fixed before the first frame."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trust_seg_ros.messages.output_size import AS_IMAGE
from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.messages.summary import SUMMARY
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.recordings.replay.errors import ReplayError
from trust_seg_ros.thresholds import ThresholdSettings

NODE = "trust_seg"
"""Name of the node whose topics are written."""
LABELS_TOPIC = "label_info"
TOPICS = (*OUTPUTS, SUMMARY)
"""Outputs that a replay can write, besides ``label_info``, which it always writes."""

KEEP = ("images", "all", "none")
STORAGES = ("mcap", "sqlite3")
COMPRESSIONS = ("zstd", "none")


@dataclass(frozen=True)
class ReplayOptions:
    """Settings of a replay.

    Attributes:
        pipeline: the network and its models.
        thresholds: threshold settings, the same for every frame.
        topics: outputs to write, of ``TOPICS``; ``label_info`` is always written.
        entropy_encoding, gradient_label, every_segment, overlay_alpha, output_size: as in ``MessageOptions``.
        max_pixels: larger images are refused.
        image_bits: bits in use of 16-bit images; 0 = found in their values.
        strict_jpeg: refuse damaged JPEGs.
        keep: topics of the input to copy: ``images`` (the replayed ones), ``all``, ``none``.
        storage: ``mcap`` or ``sqlite3``.
        compression: ``zstd`` (MCAP: its chunks; sqlite3: each message) or ``none``.
        chunk_frames: mean number of frames in a chunk, >= 1; each is a file of the bag, and what a crash may cost.
        segments: whether to write a table of the segments.
        pictures: number of evenly spread frames kept as pictures for the report; 0 = no material for a report.
        start_s, duration_s: section of the recording in seconds; None = to its end.

    Raises:
        ReplayError: a value is out of range; the text names it and what was expected.
    """

    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    thresholds: ThresholdSettings = field(default_factory=ThresholdSettings)
    topics: tuple[str, ...] = TOPICS
    entropy_encoding: str = "mono8"
    gradient_label: str = "onehot"
    every_segment: bool = False
    overlay_alpha: float = 0.5
    output_size: str = AS_IMAGE
    max_pixels: int = 40_000_000
    image_bits: int = 0
    strict_jpeg: bool = True
    keep: str = "images"
    storage: str = "mcap"
    compression: str = "zstd"
    chunk_frames: int = 32
    segments: bool = False
    pictures: int = 0
    start_s: float = 0.0
    duration_s: float | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.topics if name not in TOPICS]
        if unknown:
            raise ReplayError(f"there is no output {unknown[0]!r}; there are: {', '.join(TOPICS)}")
        for name, choices in (("keep", KEEP), ("storage", STORAGES), ("compression", COMPRESSIONS)):
            if getattr(self, name) not in choices:
                raise ReplayError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(choices)}")
        if self.chunk_frames < 1 or self.pictures < 0:
            raise ReplayError(
                f"chunk_frames is {self.chunk_frames} and pictures {self.pictures}; expected at least 1, and at least 0"
            )
        if not 0 <= self.start_s < math.inf:
            raise ReplayError(f"the start is {self.start_s:g} s; expected 0 or more")
        if self.duration_s is not None and not 0 < self.duration_s < math.inf:
            raise ReplayError(f"the duration is {self.duration_s:g} s; expected more than 0, or none for all")

    @property
    def sequential(self) -> bool:
        """Whether chunks must be done in order, because thresholds or tracks remember earlier frames."""
        return self.thresholds.remembers or self.pipeline.tracking.on

    def fingerprint(self) -> dict[str, Any]:
        """Everything the output depends on, as JSON."""
        return _plain(asdict(self))


@dataclass(frozen=True)
class SourceSpec:
    """A recording.

    Attributes:
        path: bag, folder of images, or video.
        rate: images per second of a folder without numbers.
        number_rate: rate at which the numbers in a folder's image names count frames.
    """

    path: Path
    rate: float | None = None
    number_rate: float | None = None


@dataclass(frozen=True)
class CameraTopic:
    """One camera of a recording.

    Attributes:
        topic: topic of its images.
        namespace: prefix of its outputs' names, "" or "/front".
    """

    topic: str
    namespace: str = ""

    def output(self, name: str) -> str:
        """Full name of an output."""
        return f"{self.namespace}/{NODE}/{name}"


def cameras_of(topics: tuple[str, ...], chosen: Mapping[str, str] | None = None) -> tuple[CameraTopic, ...]:
    """Cameras with their namespaces: "" for a single camera, otherwise the part that distinguishes their topics.

    ``/front/image_raw`` and ``/rear/image_raw`` become ``/front`` and ``/rear``; where that is not unique, the whole
    topic is the namespace.

    Args:
        topics: image topics.
        chosen: topic -> namespace chosen by the user.

    Raises:
        ReplayError: two cameras share a namespace, or a namespace is not a valid ROS name.
    """
    wanted = chosen or {}
    above = {topic: "" if len(topics) == 1 else topic.rpartition("/")[0] for topic in topics}
    unique = len(set(above.values())) == len(topics)
    names = {t: f"/{wanted[t].strip('/')}" if t in wanted else (above[t] if unique else t) for t in topics}
    names = {topic: name.rstrip("/") for topic, name in names.items()}
    for name in names.values():
        if not re.fullmatch(r"(/[A-Za-z_][A-Za-z0-9_]*)*", name):
            raise ReplayError(
                f"the namespace {name!r} is no name in ROS; expected letters, digits and underscores between slashes, "
                "as in front/left; choose another: NAMESPACE=TOPIC"
            )
    if len(set(names.values())) < len(topics):
        raise ReplayError(f"the cameras {', '.join(topics)} share a namespace; give each its own: NAMESPACE=TOPIC")
    return tuple(CameraTopic(topic, names[topic]) for topic in topics)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
