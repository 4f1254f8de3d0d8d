"""Finds the cameras and the outputs of this package's nodes among the topics of a bag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.messages.summary import SUMMARY
from trust_seg_ros.recordings.replay.message_types import COMPRESSED, DIAGNOSTICS, IMAGE, LABELS

LABEL_INFO, SEGMENTS = "label_info", "segments"
_TYPES = {name: output.type for name, output in OUTPUTS.items()} | {LABEL_INFO: LABELS, SUMMARY: DIAGNOSTICS}
_TELLING = ("segmentation", SEGMENTS, LABEL_INFO)  # a camera driver may have a topic "overlay", but none of these
_MOST_HEADERS = 1000


@dataclass(frozen=True)
class BagTopics:
    """The topics of a bag by kind.

    Attributes:
        outputs: topic -> (node, output), for the outputs of every node; node is its full name, "/front/trust_seg".
        cameras: topics of other images.
        diagnostics: topics of diagnostics.
    """

    outputs: Mapping[str, tuple[str, str]]
    cameras: tuple[str, ...]
    diagnostics: tuple[str, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, sorted."""
        return tuple(sorted({node for node, _ in self.outputs.values()}))


def sort_topics(types: Mapping[str, str]) -> BagTopics:
    """Sort the topics into kinds by their names and types.

    Args:
        types: topic -> message type, such as "sensor_msgs/msg/Image".
    """
    fitting = {}
    for topic, kind in types.items():
        node, _, output = topic.rpartition("/")
        if _TYPES.get(output) == kind:
            fitting[topic] = (node, output)
    nodes = {node for node, output in fitting.values() if output in _TELLING}
    outputs = {topic: found for topic, found in fitting.items() if found[0] in nodes}
    images = (topic for topic, kind in types.items() if kind in (IMAGE, COMPRESSED) and topic not in outputs)
    diagnostics = (topic for topic, kind in types.items() if kind == DIAGNOSTICS and topic not in outputs)
    return BagTopics(outputs, tuple(sorted(images)), tuple(sorted(diagnostics)))


@dataclass
class CameraFinder:
    """Finds the camera of each node: an output carries the header of its image unchanged."""

    _headers: dict[str, set[tuple[int, str]]] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)

    def saw(self, source: str, stamp_ns: int, frame_id: str) -> None:
        """Add a header; one without a stamp is ignored.

        Args:
            source: name of a node, or topic of a camera.
            stamp_ns, frame_id: stamp and frame of the header.
        """
        seen = self._headers.setdefault(source, set())
        if stamp_ns and len(seen) < _MOST_HEADERS:
            seen.add((stamp_ns, frame_id))

    def told(self, node: str, camera: str) -> None:
        """Set the camera that a node names itself."""
        self._told[node] = camera

    def camera_of(self, node: str, cameras: tuple[str, ...]) -> str | None:
        """The camera that shares the most headers with a node; None if none shares any."""
        if self._told.get(node) in cameras:
            return self._told[node]
        own = self._headers.get(node, set())
        common = Counter({camera: len(own & self._headers.get(camera, set())) for camera in cameras})
        best = max(cameras, key=lambda camera: (common[camera], camera), default=None)
        return best if best is not None and common[best] else None
