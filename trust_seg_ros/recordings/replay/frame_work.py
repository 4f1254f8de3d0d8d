"""Work on one recorded image: judges it, writes its outputs and computes its table row, as the node does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from trust_seg_ros.bags.reader import BagMessage
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.messages.bit_range import BITS, BitRange
from trust_seg_ros.messages.fields import HeaderFields, LabelFields, MessageOptions
from trust_seg_ros.messages.image_bytes import peek_header, read_compressed, read_image
from trust_seg_ros.messages.image_pixels import frame_of
from trust_seg_ros.messages.label_info import LabelInfo
from trust_seg_ros.messages.outputs import OUTPUTS, unfillable, wanted
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.messages.summary import SUMMARY
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.pipeline.following import FollowingState
from trust_seg_ros.pipeline.state import PipelineState
from trust_seg_ros.recordings.replay.flagged_tracks import FlaggedTrack
from trust_seg_ros.recordings.replay.frame_numbers import frame_numbers
from trust_seg_ros.recordings.replay.message_types import COMPRESSED
from trust_seg_ros.recordings.replay.options import LABELS_TOPIC, CameraTopic, ReplayOptions
from trust_seg_ros.recordings.replay.serialise import diagnostics_cdr, labels_cdr, output_cdr
from trust_seg_ros.recordings.replay.summary import summary_status
from trust_seg_ros.recordings.replay.tracked_objects import OpenObjects
from trust_seg_ros.support.encoded_image import jpeg_remark
from trust_seg_ros.types import Frame, TrustFrame, Wanted

Write = Callable[[str, bytes | bytearray], None]
"""Called with the name of an output and its bytes."""


@dataclass(frozen=True)
class CameraMemory:
    """State of a camera between frames.

    Attributes:
        last_stamp: stamp of the last stamped frame; None before the first.
        pipeline: state of the pipeline; None before the first frame.
        objects: with tracking, OoD objects for the report that may go on; None without a report.
        flagged: with tracking, track -> flagged segment for the report that may go on; None without a report.
    """

    last_stamp: int | None = None
    pipeline: PipelineState | None = None
    objects: OpenObjects | None = None
    flagged: Mapping[int, FlaggedTrack] | None = None


@dataclass(frozen=True)
class Judged:
    """A frame that has been through the pipeline.

    Attributes:
        view: its result, ready to be rendered into messages.
        numbers: its columns of the frame table.
        following: the tracks that the next frame may continue; None with tracking off.
    """

    view: Rendering
    numbers: dict[str, float | int | bool | str]
    following: FollowingState | None = None

    @property
    def result(self) -> TrustFrame:
        """Result of the pipeline."""
        return self.view.frame


def read_frame(
    raw: bytes, type_name: str, max_pixels: int, bits: BitRange | None = None, strict_jpeg: bool = True
) -> tuple[HeaderFields, Frame]:
    """A recorded message as header and RGB frame; the arguments are those of :func:`frame_of`.

    Raises:
        ImageError: the message cannot be used; the text says why.
    """
    message = read_compressed(raw) if type_name == COMPRESSED else read_image(raw)
    return frame_of(message, max_pixels, bits, strict_jpeg)


class FrameWork:
    """Works on the frames of one camera, one after another.

    Args:
        pipeline: the loaded pipeline; may serve several cameras.
        options: options of the replay.
        camera: the camera.
        type_name: type of its messages.
        memory: its state after earlier frames; used if thresholds or tracks remember earlier frames.
        bits: bits in use of its 16-bit images, as far as known.
    """

    def __init__(
        self,
        pipeline: TrustPipeline,
        options: ReplayOptions,
        camera: CameraTopic,
        type_name: str,
        memory: CameraMemory | None = None,
        bits: int = BITS[0],
    ) -> None:
        self._pipeline, self._options, self._camera, self._type = pipeline, options, camera, type_name
        self._memory, self._bits = memory or CameraMemory(), BitRange(options.image_bits, bits)
        outputs = tuple(topic for topic in options.topics if topic in OUTPUTS)
        lacking = unfillable(outputs, pipeline.unavailable, options.gradient_label)
        self.topics = tuple(topic for topic in outputs if topic not in lacking)
        self._summary = SUMMARY in options.topics
        self.unfilled = "; ".join(f"{topic} is not written: {reason}" for topic, reason in lacking.items())
        self._fields = MessageOptions.of(pipeline.labels.names, pipeline.labels.palette, options)
        self._wanted = wanted(self.topics, options.gradient_label)
        if options.pictures or options.segments or self._summary:
            self._wanted = Wanted(scores=self._wanted.scores)
        self._labels = LabelInfo(pipeline.labels.names, self._send_labels)
        self._labels_told = False
        self._now = HeaderFields()
        self._write: Write = lambda *_: None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be known about how the images were read."""
        doubt = jpeg_remark(self._options.strict_jpeg) if self._type == COMPRESSED else ""
        return (*self._bits.remarks, *([doubt] if doubt else []))

    @property
    def memory(self) -> CameraMemory:
        """State for the next frame."""
        return self._memory

    def __call__(self, message: BagMessage, write: Write) -> Judged:
        """Judge one message and write its outputs.

        Raises:
            ImageError: the message cannot be used; nothing was written.
            TrustSegError: the pipeline refuses the frame.
        """
        started = time.perf_counter()
        self._keep_time(peek_header(message.data).stamp_ns)
        options = self._options
        header, frame = read_frame(message.data, self._type, options.max_pixels, self._bits, options.strict_jpeg)
        self._now, self._write = header, write
        settings = self._options.thresholds
        try:
            result = self._pipeline(frame, settings, self._wanted)
        finally:
            self._memory = replace(self._memory, pipeline=self._pipeline.state())
        view = Rendering(result, self._fields)
        self._tell_labels()
        for name in self.topics:
            write(name, output_cdr(OUTPUTS[name].build(view), header))
        if self._summary:
            write(SUMMARY, diagnostics_cdr(summary_status(result, self._camera, options.sequential), header))
        numbers = frame_numbers(result, score_map(result, settings.pixel_score))
        numbers["processing_ms"] = (time.perf_counter() - started) * 1e3
        state = self._memory.pipeline
        return Judged(view, numbers, None if state is None else state.following)

    def _keep_time(self, stamp: int) -> None:
        """Check the stamp before a frame is read, as in the node: a jump back forgets earlier frames; 0 is ignored."""
        past = self._memory
        if self._options.sequential and past.pipeline is not None:
            self._pipeline.load_state(self._options.thresholds, past.pipeline)
        jumped = bool(stamp) and past.last_stamp is not None and stamp < past.last_stamp
        if past.pipeline is None:  # tracks are counted from 1, whatever other cameras the pipeline has served
            self._pipeline.start_anew()
        elif jumped:
            self._pipeline.reset()
        state = self._pipeline.state() if jumped else past.pipeline
        self._memory = replace(past, last_stamp=stamp or past.last_stamp, pipeline=state)

    def _tell_labels(self) -> None:
        if not self._labels_told:
            self._labels_told = True
            settings = self._pipeline.resolved(self._options.thresholds)
            self._labels.settings_changed(settings, self._pipeline.constants(settings).get("pixel"))

    def _send_labels(self, fields: LabelFields) -> None:
        self._write(LABELS_TOPIC, labels_cdr(fields, HeaderFields(self._now.sec, self._now.nanosec)))


def refusal(error: Exception) -> str:
    """Why a frame has no result, as text for the table."""
    if isinstance(error, TrustSegError):
        return str(error)
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"


def score_map(result: TrustFrame, name: str) -> np.ndarray | None:
    """float32 map of a pixel score, on the grid, if it was computed."""
    plane = result.on_grid.scores.get(name, getattr(result.on_grid.maps, name, None))
    return None if plane is None else plane.numpy(force=True)
