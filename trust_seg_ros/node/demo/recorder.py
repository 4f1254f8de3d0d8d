"""Draws matched results as panels, a film and one picture, in a thread of low priority."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rclpy.serialization import deserialize_message
from vision_msgs.msg import Detection2DArray

from trust_seg_ros.drawing.panels import PanelContent, PanelPainter
from trust_seg_ros.drawing.pictures import SEGMENT_FLAG, SIGNAL, UNKNOWN, FlagLabel
from trust_seg_ros.drawing.wording import not_class, unknown_object, unknown_score
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.messages.detections import OOD, OOD_SCORE
from trust_seg_ros.messages.image_bytes import RawImage
from trust_seg_ros.messages.image_pixels import to_rgb
from trust_seg_ros.node.conversions import read_image
from trust_seg_ros.node.demo.film import Film, open_film
from trust_seg_ros.node.demo.watch import CAMERA, FrameSet
from trust_seg_ros.node.slot import FrameSlot
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.support.paths import label_names

_LONGEST_GAP_S = 5.0
_MOST_LABELS = 6
_MAX_PIXELS = 1 << 28
_END = FrameSet(0, 0.0, {})


class RecorderError(TrustSegError):
    """The film or the picture cannot be written."""


@dataclass(frozen=True)
class Recording:
    """What was written.

    Attributes:
        film: the film, or None when no frame came.
        picture: the picture, or None.
        frames: frames of the film.
        seconds: its length.
        left_out: results that came while the recorder was busy.
    """

    film: Path | None
    picture: Path | None
    frames: int
    seconds: float
    left_out: int


class Recorder:
    """Writes ``demo.mp4`` and ``demo.png``.

    The film keeps the time between frames; results that arrive while the recorder is busy are left out.

    Args:
        folder: where to write.
        rate: frames per second of the film.
        names: returns the class names, called after the first result; empty means not known yet.
        threshold: returns the current threshold for the legend, called with every frame.
        width: width of the panels in pixels.
    """

    def __init__(
        self,
        folder: Path,
        rate: float,
        names: Callable[[], tuple[str, ...]],
        threshold: Callable[[], float | None] = lambda: None,
        width: int = 1600,
    ) -> None:
        self._film, self._picture = folder / "demo.mp4", folder / "demo.png"
        self._partial = folder / "demo.partial.mp4"
        self._rate, self._names, self._threshold, self._width = rate, names, threshold, width
        self._slot: FrameSlot[FrameSet] = FrameSlot(capacity=3)
        self._writer: Film | None = None
        self._painter: PanelPainter | None = None
        self._first_ns = self._written = self._left_out = 0
        self._last: np.ndarray | None = None
        self._best: tuple[float, PanelContent] | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def offer(self, frames: FrameSet) -> None:
        """Add a result; never waits."""
        self._left_out += self._slot.put(frames)

    def close(self, patience: float = 60.0) -> Recording:
        """Finish the film with the results added so far, and write the picture.

        Args:
            patience: seconds to wait for the remaining frames.

        Raises:
            RecorderError: they could not be written, or not in that time; the unfinished film then stays in
                ``demo.partial.mp4``.
        """
        self._left_out += self._slot.put(_END)
        self._thread.join(patience)
        if self._thread.is_alive():
            # The writer belongs to the thread as long as it runs: releasing it under a write would crash the process.
            self._slot.close()
            raise RecorderError(
                f"the film is not written after {patience:g} s; {self._partial} is incomplete (a slow or full disk?)"
            )
        if self._writer is not None:
            self._partial.replace(self._film)
        if self._error is not None:
            raise RecorderError(f"the recording broke off: {self._error}") from self._error
        picture = self._write_picture()
        film = self._film if self._writer is not None else None
        return Recording(film, picture, self._written, self._written / self._rate, self._left_out)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the encoder's threads inherit this one's priority
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        try:
            while frames := self._slot.take():  # _END is empty, too
                self._record(frames)
        except Exception as error:
            self._error = error
            self._slot.close()
        finally:
            self._end_film()

    def _end_film(self) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
        except Exception as error:
            self._error = self._error or error

    def _record(self, frames: FrameSet) -> None:
        content = self._content(frames)
        if self._painter is None:
            self._start(content, frames.stamp_ns)
        assert self._painter is not None
        score = interest(content)
        if self._best is None or score > self._best[0]:
            self._best = (score, content)
        self._write_until(self._painter.paint(content), frames.stamp_ns)

    def _content(self, frames: FrameSet) -> PanelContent:
        threshold = self._threshold()
        labels = flag_labels(deserialize_message(frames.raw["segments"], Detection2DArray), threshold)
        seconds = (frames.stamp_ns - (self._first_ns or frames.stamp_ns)) * 1e-9
        return PanelContent(
            image=to_rgb(read_image(frames.raw[CAMERA]), _MAX_PIXELS),
            classes=_plane(read_image(frames.raw["segmentation"])),
            entropy=_plane(read_image(frames.raw["entropy"])),
            unreliable=_plane(read_image(frames.raw["unreliable"])),
            ood=_plane(read_image(frames.raw["ood"])),
            labels=labels[:_MOST_LABELS],
            notes=(f"{seconds:.1f} s, answered after {frames.latency_ms:.0f} ms", f"{len(labels)} segments flagged"),
            threshold=threshold,
        )

    def _start(self, content: PanelContent, stamp_ns: int) -> None:
        labels = label_set(self._names() or tuple(f"class {i}" for i in range(int(_top(content.classes)) + 1)))
        self._painter = PanelPainter(content.image.shape[:2], labels.palette, labels.names, self._width)
        self._writer = open_film(self._partial, self._rate, self._painter.size)
        self._first_ns = stamp_ns

    def _write_until(self, picture: np.ndarray, stamp_ns: int) -> None:
        assert self._writer is not None
        due = round((stamp_ns - self._first_ns) * 1e-9 * self._rate)
        longest = self._written + round(_LONGEST_GAP_S * self._rate)
        if not self._written <= due <= longest:
            if due < self._written:  # two results for one frame of the film
                return
            self._first_ns += round((due - longest) / self._rate * 1e9)
            due = longest
        if self._last is not None:
            while self._written < due:
                self._write(self._last)
        self._last = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        self._write(self._last)

    def _write(self, bgr: np.ndarray) -> None:
        assert self._writer is not None
        self._writer.write(bgr)
        self._written += 1

    def _write_picture(self) -> Path | None:
        if self._best is None or self._painter is None:
            return None
        picture = cv2.cvtColor(self._painter.paint(self._best[1]), cv2.COLOR_RGB2BGR)
        if not cv2.imwrite(str(self._picture), picture):
            raise RecorderError(f"{self._picture} cannot be written; is the folder writable?")
        return self._picture


def interest(content: PanelContent) -> float:
    """Score for choosing the picture: flagged segments of some size, near the middle, in a scene otherwise trusted.

    Frames with both kinds of segments, wrong classes and unknown objects, score highest.
    """
    flags = content.unreliable if content.ood is None else cv2.max(content.unreliable, content.ood)
    flagged = (flags == SEGMENT_FLAG).astype(np.float32)
    small = cv2.resize(flagged, (48, 32), interpolation=cv2.INTER_AREA)
    rows, columns = np.mgrid[-1:1:32j, -1:1:48j]
    weight = np.exp(-1.5 * (columns**2 + (rows - 0.2) ** 2))
    share = float(small.mean())
    centred = float((small * weight).mean())
    variety = len(np.unique(content.classes)) / 40
    both_kinds = {SIGNAL, UNKNOWN} <= {label.colour for label in content.labels}
    labels = 0.1 * min(len(content.labels), 5) + 0.3 * both_kinds
    return min(centred, 0.05) / 0.05 + labels + variety - 4 * max(0.0, share - 0.15)


def flag_labels(message: Detection2DArray, threshold: float | None = None) -> list[FlagLabel]:
    """What to write beside each flagged segment, largest first.

    Args:
        message: the detections.
        threshold: P(wrong) from which a segment is flagged. Segments below it were published because they lie on an
            out-of-distribution segment; they get no label, since that segment has its own detection.

    Returns:
        "not class, P(wrong)" or, for out-of-distribution segments, "unknown, P(OoD)", with the box in pixels. Without
        a meta model it is "unknown, score" and the mean score.
    """
    found = []
    for detection in message.detections:
        scores = {r.hypothesis.class_id: r.hypothesis.score for r in detection.results}
        name = detection.results[0].hypothesis.class_id if detection.results else "?"
        centre, width, height = detection.bbox.center.position, detection.bbox.size_x, detection.bbox.size_y
        sides = (centre.x - width / 2, centre.y - height / 2, centre.x + width / 2, centre.y + height / 2)
        left, top, right, bottom = map(round, sides)
        wrong, unknown = scores.get("unreliable"), scores.get(OOD, scores.get(OOD_SCORE, 0.0))
        if wrong is not None and threshold is not None and wrong < threshold:
            continue
        if wrong is not None:
            text, colour = not_class(name, wrong), SIGNAL
        else:
            text, colour = (unknown_object if OOD in scores else unknown_score)(unknown), UNKNOWN
        found.append((width * height, FlagLabel((left, top, right, bottom), text, colour)))
    return [label for _, label in sorted(found, key=lambda item: -item[0])]


def label_set(names: tuple[str, ...]) -> LabelSet:
    """The shipped label set with these names, for its colours; else one with made-up colours."""
    for candidate in map(load_labels, label_names()):
        if candidate.names == names:
            return candidate
    return LabelSet("demo", names if len(names) > 1 else ("class 0", "class 1"))


def _plane(image: RawImage) -> np.ndarray:
    """A mono8 or 32FC1 image as an (H, W) array."""
    dtype = np.dtype("<f4" if image.encoding == "32FC1" else "u1")
    rows = image.data[: image.step * image.height].reshape(image.height, image.step)
    return np.ascontiguousarray(rows[:, : image.width * dtype.itemsize]).view(dtype)


def _top(classes: np.ndarray) -> int:
    known = classes[classes != 255]
    return int(known.max()) if known.size else 0
