"""Export of a bag for the Rerun viewer (``rerun FILE.rrd``). Nothing is sent anywhere, no viewer is started."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trust_seg_ros.bags.errors import SourceError
from trust_seg_ros.bags.reader import BagMessage, BagReader
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, is_plain
from trust_seg_ros.recordings.export.bag_topics import LABEL_INFO, SEGMENTS, BagTopics, CameraFinder, sort_topics
from trust_seg_ros.recordings.replay.message_types import type_store
from trust_seg_ros.support.libraries import how_to_install

if TYPE_CHECKING:
    from trust_seg_ros.recordings.export.rerun_entities import Entity

STAMP, RECORDED = "stamp", "recorded"
"""Timelines: when the camera took the image (recording time if it has no stamp), and when it was recorded."""


class ExportError(TrustSegError):
    """A recording for a viewer cannot be written."""


def write_rrd(bag: Path, out: Path, progress: Callable[[int], None] | None = None) -> str:
    """Write camera images and outputs of this package's nodes in a bag as a Rerun recording.

    Entities are named as the topics: camera images, and below each node its overlay, classes (with names and colours),
    entropy, flags as masks, flagged segments as labelled boxes, and under ``numbers`` curves of the mean entropy, the
    flagged shares of the image, the numbers of segments and the thresholds. Times are header stamps (``stamp``)
    and recording times (``recorded``). An image that cannot be read becomes a line of text at its topic.

    Args:
        bag: with outputs of ``trust-seg replay`` or of the node.
        out: the file, ending in .rrd; it gets this name only when it is complete.
        progress: called after every message with the number of messages done so far, out of :func:`count_messages`.

    Returns:
        What a damaged bag has lost (the readable part is exported); "" for an intact one.

    Raises:
        ExportError: rerun-sdk is not installed, or the file cannot be written.
        SourceError: the bag cannot be read, or holds neither images nor outputs.
    """
    rr = load_rerun()
    with BagReader.open(bag) as reader:
        topics = _topics(reader)
        part = out.with_name(f".{out.name}.part")
        stream = rr.RecordingStream("trust_seg", send_properties=False)
        if not stream.is_enabled():
            raise ExportError("Rerun is switched off by the environment variable RERUN; unset it to write a recording")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            part.touch()  # Rerun itself only warns if it cannot write
            stream.set_log_time_enabled(False)
            stream.set_log_tick_enabled(False)
            stream.save(part)
            _Export(stream, topics, reader).run(progress)
            stream.disconnect()
            part.replace(out)
            return reader.damage
        except OSError as error:
            raise ExportError(f"{out}: the recording cannot be written there ({error.strerror})") from error
        finally:
            stream.disconnect()
            with suppress(OSError):
                part.unlink(missing_ok=True)


def count_messages(bag: Path) -> int:
    """Number of messages in a bag that :func:`write_rrd` reads.

    Raises:
        SourceError: the bag cannot be read, or holds neither images nor outputs.
    """
    with BagReader.open(bag) as reader:
        return sum(reader.topics[name].messages for name in _wanted(_topics(reader)))


class _Export:
    """Logs messages one by one."""

    def __init__(self, stream: Any, topics: BagTopics, reader: BagReader) -> None:
        from trust_seg_ros.recordings.export import rerun_entities

        self._stream, self._topics, self._reader, self._entities = stream, topics, reader, rerun_entities
        self._cameras = CameraFinder()
        self._shown: set[str] = set()

    def run(self, progress: Callable[[int], None] | None) -> None:
        """Log all messages, then the layout of the viewer."""
        for node in self._topics.nodes:
            for entity in self._entities.fixed_entities(node):
                self._stream.log(entity.path, entity.what, static=True, strict=True)
        for done, message in enumerate(self._reader.messages(_wanted(self._topics)), 1):
            try:
                header, entities = self._message(message)
            except ImageError as error:
                header, entities = HeaderFields(), [self._entities.refusal(message.topic, error)]
            self._log(entities, header, message.recorded_ns)
            if progress is not None:
                progress(done)
        self._arrange()

    def _message(self, recorded: BagMessage) -> tuple[HeaderFields, list[Entity]]:
        e, topic, data = self._entities, recorded.topic, recorded.data
        if not is_plain(data):
            raise ImageError(f"message refused: representation {data[:2].hex() or 'empty'}, expected plain CDR")
        (node, output), type_name = self._topics.outputs.get(topic, ("", "")), self._reader.topics[topic].type_name
        if not node:
            if topic in self._topics.diagnostics:
                return self._diagnostics(_deserialise(topic, type_name, data))
            header, entities = e.camera_entities(topic, type_name, data)
            self._cameras.saw(topic, header.stamp_ns, header.frame_id)
            return header, entities
        if output in (SEGMENTS, LABEL_INFO):
            message = _deserialise(topic, type_name, data)
            make = e.detection_entities if output == SEGMENTS else e.label_entities
            return _header(message), make(node, message)
        header, entities = e.output_entities(node, output, data)
        self._cameras.saw(node, header.stamp_ns, header.frame_id)
        return header, entities

    def _diagnostics(self, message: Any) -> tuple[HeaderFields, list[Entity]]:
        entities, cameras = self._entities.diagnostic_entities(message, self._topics.nodes)
        for node, camera in cameras.items():
            self._cameras.told(node, camera)
        return _header(message), entities

    def _log(self, entities: list[Entity], header: HeaderFields, recorded_ns: int) -> None:
        self._stream.reset_time()
        self._stream.set_time(RECORDED, timestamp=np.datetime64(recorded_ns, "ns"))
        # a message on one timeline only would be missing in views of the other
        self._stream.set_time(STAMP, timestamp=np.datetime64(header.stamp_ns or recorded_ns, "ns"))
        for entity in entities:
            self._shown.add(entity.path)
            self._stream.log(entity.path, entity.what, static=entity.static, strict=True)

    def _arrange(self) -> None:
        from trust_seg_ros.recordings.export.rerun_layout import layout

        cameras = {node: self._cameras.camera_of(node, self._topics.cameras) for node in self._topics.nodes}
        others = [c for c in self._topics.cameras if c not in cameras.values()]
        self._stream.send_blueprint(layout(cameras, others, self._shown, STAMP))


def load_rerun() -> Any:
    """The module ``rerun``.

    Raises:
        ExportError: rerun-sdk is not installed.
    """
    try:
        import rerun
    except ImportError as error:
        raise ExportError(
            "a recording for the Rerun viewer is written by rerun-sdk, which is not installed; install it: "
            f"{how_to_install('rerun')}"
        ) from error
    return rerun


def _topics(reader: BagReader) -> BagTopics:
    types = {name: topic.type_name for name, topic in reader.topics.items()}
    topics = sort_topics(types)
    if not topics.outputs and not topics.cameras:
        there = ", ".join(f"{name} ({kind})" for name, kind in sorted(types.items())) or "none"
        raise SourceError(f"{reader.path} holds neither images nor outputs of trust_seg; its topics: {there}")
    return topics


def _wanted(topics: BagTopics) -> set[str]:
    from trust_seg_ros.recordings.export.rerun_entities import SHOWN

    shown = {topic for topic, (_, output) in topics.outputs.items() if output in SHOWN}
    return shown | set(topics.cameras) | set(topics.diagnostics)


def _deserialise(topic: str, type_name: str, data: bytes) -> Any:
    try:
        return type_store().deserialize_cdr(data, type_name)
    except Exception as error:  # generated code: may raise anything that slicing or unpacking wrong bytes raises
        raise ImageError(f"message refused: {len(data)} bytes of {topic} are not a {type_name}: {error}") from error


def _header(message: Any) -> HeaderFields:
    stamp = message.header.stamp
    return HeaderFields(stamp.sec, stamp.nanosec, message.header.frame_id)
