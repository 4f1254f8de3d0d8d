"""The work on one chunk of a recording: read, judge, write. Every worker does this, here or on another machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from trust_seg_ros.bags.reader import BagMessage, BagTopic
from trust_seg_ros.bags.types import is_node_output
from trust_seg_ros.grid import Size
from trust_seg_ros.messages.bit_range import BITS
from trust_seg_ros.messages.image_bytes import ImageError, peek_header
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.recordings.replay.background import BackgroundWriter
from trust_seg_ros.recordings.replay.bag_parts import PartWriter, can_declare, part_metadata
from trust_seg_ros.recordings.replay.chunk_highlights import Evidence
from trust_seg_ros.recordings.replay.chunk_record import ChunkRecord, Row
from trust_seg_ros.recordings.replay.errors import NoMemoryError, explained, is_out_of_memory
from trust_seg_ros.recordings.replay.frame_work import CameraMemory, FrameWork, Judged, refusal
from trust_seg_ros.recordings.replay.inputs import Recording
from trust_seg_ros.recordings.replay.job import DONE, SEGMENTS_TABLE, Job
from trust_seg_ros.recordings.replay.output_topics import LIVE_OUTPUTS, output_topics
from trust_seg_ros.recordings.replay.plan import Chunk
from trust_seg_ros.recordings.replay.segment_rows import segment_rows
from trust_seg_ros.recordings.replay.segment_tables import SegmentTableWriter
from trust_seg_ros.remarks import remarks
from trust_seg_ros.segmentation.protocol import network_remarks
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.resumable import whole_folder

_EVERYTHING_BUT_A_FRAME = (KeyboardInterrupt, SystemExit, OSError)


class ChunkWork:
    """The work on one chunk.

    Args:
        job: the job of the chunk.
        chunk: the chunk to do.
        recording: the opened recording.
        pipeline: loaded with the job's settings, and warmed up.
        memory: camera -> state left by the chunk before.
    """

    def __init__(
        self,
        job: Job,
        chunk: Chunk,
        recording: Recording,
        pipeline: TrustPipeline,
        memory: Mapping[str, CameraMemory] | None = None,
    ) -> None:
        self._job, self._chunk, self._recording, self._pipeline = job, chunk, recording, pipeline
        self._cameras = {camera.topic: camera for camera in job.cameras}
        past = memory or {}
        self._work = {
            topic: FrameWork(
                pipeline,
                job.options,
                camera,
                recording.topics[topic].type_name,
                past.get(topic),
                job.bits.get(topic, BITS[0]),
            )
            for topic, camera in self._cameras.items()
        }
        self._outputs = {topic: output_topics(camera) for topic, camera in self._cameras.items()}
        self._seconds = {"read": 0.0, "judge": 0.0, "write": 0.0, "gather": 0.0}
        self._notes: dict[str, None] = {work.unfilled: None for work in self._work.values() if work.unfilled}
        self._copied = self._choose_copied()
        self._frames: list[Row] = []
        self._grids: set[Size] = set()
        self._latency: dict[str, list[tuple[int, float]]] = {}
        self._evidence = Evidence(job, pipeline.labels.names, past)
        # damage found in other chunks is reported by those chunks; damage found at opening by the first chunk
        self._known_damage = frozenset(_remarks(recording)) if chunk.index else frozenset()

    def _choose_copied(self) -> set[str]:
        """Input topics to copy, without outputs of a node that ran live, because the new outputs use their names."""
        keep = self._job.options.keep
        chosen = {"all": set(self._recording.topics), "images": set(self._cameras), "none": set()}[keep]
        chosen -= {topic.name for outputs in self._outputs.values() for topic in outputs.values()}
        unknown = sorted(name for name in chosen if not can_declare(self._recording.topics[name]))
        for name in unknown:
            kind = self._recording.topics[name].type_name
            self._notes[f"{name} is not copied: the recording does not say what a {kind} is"] = None
        return chosen.difference(unknown)

    def run(self, folder: Path, tick: Callable[[], None] = lambda: None) -> ChunkRecord:
        """Do the chunk, writing into an empty folder.

        Args:
            folder: for the file of the bag and the tables.
            tick: called after every frame.

        Raises:
            ReplayError: the disk is full, or cannot be written to.
            SourceError: the recording cannot be read.
        """
        options = self._job.options
        writer = BackgroundWriter(lambda: PartWriter(folder, self._chunk.index, options.storage, options.compression))
        table: SegmentTableWriter | None = None
        try:
            if options.segments:
                table = SegmentTableWriter(folder / SEGMENTS_TABLE, {})
            for message in self._messages():
                self._take(message, writer, table)
                if message.topic in self._cameras:
                    tick()
            started = time.perf_counter()
            if table is not None:
                table.close()
            file = writer.close()
            self._seconds["write"] += time.perf_counter() - started
        except BaseException:
            writer.abort()
            raise
        metadata = part_metadata(file.parent)
        return self._record(file.name if metadata["message_count"] else "", metadata)

    def _messages(self) -> Iterator[BagMessage]:
        """Messages of the topics needed; measures the time that reading takes."""
        options, kept = self._job.options, self._recording.topics
        topics = set(self._cameras) | (self._copied if options.keep == "all" else set())
        topics |= {name for name, topic in kept.items() if _is_live_output(topic)} if options.pictures else set()
        messages = self._recording.messages(topics, self._chunk.start_ns, self._chunk.stop_ns)
        while True:
            started = time.perf_counter()
            message = next(messages, None)
            self._seconds["read"] += time.perf_counter() - started
            if message is None:
                return
            yield message

    def _take(self, message: BagMessage, writer: BackgroundWriter, table: SegmentTableWriter | None) -> None:
        topic = self._recording.topics[message.topic]
        if _is_live_output(topic):
            self._note_latency(message)
        if topic.name in self._copied:
            self._copy(message, topic, writer)
        if topic.name not in self._cameras:
            return
        spent = 0.0

        def write(name: str, data: bytes | bytearray) -> None:
            nonlocal spent
            started = time.perf_counter()
            writer.write(self._outputs[topic.name][name], message.recorded_ns, data)
            spent += time.perf_counter() - started

        started = time.perf_counter()
        row: Row = {"camera": topic.name, "recorded_ns": message.recorded_ns, "stamp_ns": _stamp(message.data)}
        try:
            judged = self._work[topic.name](message, write)
        except _EVERYTHING_BUT_A_FRAME:
            raise
        except Exception as error:  # one frame that the network fails on must not end a drive
            writer.check()
            if is_out_of_memory(error):
                raise NoMemoryError(
                    f"{self._recording.path}: no memory left for a frame of {topic.name} ({refusal(error)}); free "
                    "some, take fewer --workers, or refuse such images (max_image_pixels), then run the same command "
                    "again (finished chunks are kept)"
                ) from error
            self._frames.append(row | {"refused": refusal(error)})
        else:
            self._frames.append(row | {"refused": "", **self._shape(judged), **judged.numbers})
            self._seconds["judge"] += time.perf_counter() - started - spent
            self._gather(judged, topic.name, message.recorded_ns, table)
        self._seconds["write"] += spent

    @staticmethod
    def _shape(judged: Judged) -> Row:
        height, width = judged.result.frame.image.shape[:2]
        return {"width": width, "height": height}

    def _gather(self, judged: Judged, camera: str, recorded_ns: int, table: SegmentTableWriter | None) -> None:
        started = time.perf_counter()
        if table is not None:
            table.add(segment_rows(judged.result, self._pipeline.labels.names, camera, recorded_ns))
        self._evidence.add(judged, camera, recorded_ns)
        self._grids.add(judged.result.on_grid.size)
        self._seconds["gather"] += time.perf_counter() - started

    def _copy(self, message: BagMessage, topic: BagTopic, writer: BackgroundWriter) -> None:
        started = time.perf_counter()
        writer.write(topic, message.recorded_ns, message.data)
        self._seconds["write"] += time.perf_counter() - started

    def _note_latency(self, message: BagMessage) -> None:
        stamp = _stamp(message.data)
        if stamp:
            pair = message.recorded_ns, (message.recorded_ns - stamp) / 1e6
            self._latency.setdefault(message.topic, []).append(pair)

    def _all_notes(self) -> list[str]:
        found = [text for text in _remarks(self._recording) if text not in self._known_damage]
        # only from this chunk's images: the chunks a worker did before must not have an influence
        found += [f"{topic}: {text}" for topic, work in self._work.items() for text in work.remarks]
        noted = network_remarks(self._pipeline.network)
        return [
            *found,
            *self._notes,
            *noted,
            *remarks(self._pipeline, self._job.options.thresholds, sorted(self._grids)),
        ]

    def _record(self, file: str, metadata: dict) -> ChunkRecord:
        for row in self._frames:
            row["file"] = file
        found = self._evidence
        labels = self._pipeline.labels
        handed_on = self._work if self._job.options.sequential else {}
        return ChunkRecord(
            file=file,
            metadata=metadata,
            frames=self._frames,
            classes=found.classes,
            objects=found.objects,
            objects_total=found.objects_total,
            spread=found.spread,
            worst=found.worst.kept(),
            latency=self._latency,
            memory={topic: found.handed_on(topic, work.memory) for topic, work in handed_on.items()},
            seconds=self._seconds,
            notes=self._all_notes(),
            names=labels.names,
            palette=labels.palette,
            facts=list(pipeline_facts(self._pipeline).items()),
            tracked=found.tracked,
            tracked_total=found.tracked_total,
            flagged=found.flagged,
        )


def pipeline_facts(pipeline: TrustPipeline) -> dict[str, str]:
    """Facts about the network and its models for the report."""
    return {
        "network": f"{pipeline.network.name}, {len(pipeline.labels.names)} classes ({pipeline.labels.name})",
        "network's sha256": network_sha256(pipeline.network) or "not known",
        "meta model": "none" if pipeline.meta is None else "loaded",
        "OoD meta model": "none" if pipeline.ood_model is None else f"of {pipeline.ood_model.score}",
        "calibration": "none" if pipeline.calibration is None else pipeline.calibration.describe(),
        "grid": str(pipeline.grid),
        "tracking": str(pipeline.tracking),
        "device": str(pipeline.network.device),
    }


def finish_chunk(work: ChunkWork, job: Job, index: int, tick: Callable[[], None] = lambda: None) -> ChunkRecord:
    """Run a chunk in a temporary folder beside its own, which is renamed when everything is written.

    Raises:
        ReplayError, SourceError: as :meth:`ChunkWork.run`.
    """
    final = job.chunk_folder(index)
    with explained(final), whole_folder(final, final.with_name(f"{final.name}.part{time.time_ns()}")) as folder:
        record = work.run(folder, tick)
        record.write(folder / DONE)
    return record


def _remarks(recording: Recording) -> list[str]:
    """Known damage, one text each; grows while a recording is read."""
    return [text for text in recording.damage.split("; ") if text]


def _is_live_output(topic: BagTopic) -> bool:
    return is_node_output(topic.name) and LIVE_OUTPUTS.get(topic.name.rpartition("/")[2]) == topic.type_name


def _stamp(data: bytes) -> int:
    try:
        return peek_header(data).stamp_ns
    except ImageError:
        return 0
