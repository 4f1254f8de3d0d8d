"""Frames of video files, decoded by OpenCV, at the times that the file gives them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.bags.errors import SourceError, UnreadableFrame
from trust_seg_ros.recordings.files import NANOSECONDS
from trust_seg_ros.recordings.refusals import Refusals, refuse
from trust_seg_ros.recordings.section import WHOLE, Section
from trust_seg_ros.support.reading import lfs_pointer
from trust_seg_ros.types import Frame


class VideoReel:
    """A video file decoded once from beginning to end, however many consecutive sections are read.

    Attributes:
        rate: frames per second as the file states, 25 if it states none; varying rates have no meaningful number.
        stated: number of frames as the file states, 0 if it states none. Files with a varying rate often state their
            length times some rate instead.
        index: number of the next frame.
        stamp_ns: time of the next frame, counted from the first; known after ``ready``, the last frame's at the end.
        passed_ns: time of the frame before it, -1 before the first.
        ended: whether the end was reached.

    Raises:
        SourceError: OpenCV cannot read the file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._open = path, _capture(path)
        rate = self._open.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate <= NANOSECONDS else 25.0
        self.stated = max(0, int(self._open.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.index = self.stamp_ns = 0
        self.passed_ns = -1
        self.ended = self._grabbed = False
        self._longest_ns = 0

    @property
    def period_ns(self) -> int:
        """Nanoseconds from one frame to the next at the stated rate."""
        return round(NANOSECONDS / self.rate)

    def ready(self) -> bool:
        """Whether there is another frame, whose ``stamp_ns`` and ``pixels`` are known then."""
        # Grab every frame instead of seeking: with B-frames or a varying rate, a seek may miss by a frame.
        if not self._grabbed and not self.ended:
            self._grabbed = self._open.grab()
            self.ended = not self._grabbed
            if self._grabbed:
                self._take_stamp()
        return self._grabbed

    def step(self) -> None:
        """Go on to the frame after this one."""
        if self.ready():
            self._grabbed, self.passed_ns = False, self.stamp_ns
            self.index += 1

    def pixels(self) -> np.ndarray | None:
        """(H, W, 3) uint8 RGB of the next frame; None if it cannot be decoded."""
        readable, image = self._open.retrieve()
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if readable else None

    def lost(self) -> str:
        """Where the file ends, if earlier than it states; "" if it does not, or its end has not been reached."""
        stated_ns = (self.stated - 1) * self.period_ns
        early_ns = stated_ns - self.stamp_ns
        if not self.ended or self.index >= self.stated or early_ns <= self._longest_ns + self.period_ns:
            return ""
        return (
            f"{self.path.name} ends after {self.index} frames and {self.stamp_ns * 1e-9:.3f} s, although it states "
            f"{self.stated} frames and {stated_ns * 1e-9:.3f} s"
        )

    def close(self) -> None:
        """Close the file."""
        self._open.release()

    def _take_stamp(self) -> None:
        """Stamps always rise: a file without usable times gets even ones."""
        if not self.index:
            return
        stamp = round(self._open.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        if not self.stamp_ns < stamp < 1 << 62:
            stamp = self.stamp_ns + self.period_ns
        self._longest_ns = max(self._longest_ns, stamp - self.stamp_ns)
        self.stamp_ns = stamp


@dataclass(frozen=True)
class VideoSource:
    """A video file, with the times of its frames counted from the first.

    Attributes:
        path: the file.
        rate: frames per second as the file states (25 if it states none).
        frames: number of frames as the file states, 0 if it states none.
        section: the part to play.
        refusals: takes frames that cannot be decoded; None = the first one is an error.
    """

    path: Path
    rate: float
    frames: int
    section: Section = WHOLE
    refusals: Refusals | None = None
    live: bool = False

    @classmethod
    def open(cls, path: Path, section: Section = WHOLE, refusals: Refusals | None = None) -> VideoSource:
        """Read the file's header; all of it, to know its length, if the section begins later than the first frame.

        Raises:
            SourceError: OpenCV cannot read it, or the section begins beyond its end.
        """
        reel = VideoReel(path)
        try:
            if section.start_s:
                section.check_start(length(reel)[1], path)
        finally:
            reel.close()
        return cls(path, min(reel.rate, 1000.0), reel.stated, section, refusals)

    @property
    def description(self) -> str:
        """One line for users."""
        return f"{self.path} ({self.frames} frames at {self.rate:g} Hz)"

    def __iter__(self) -> Iterator[Frame]:
        reel, sent = VideoReel(self.path), False
        try:
            while reel.ready() and not self.section.after(reel.stamp_ns):
                if not self.section.before(reel.stamp_ns):
                    image, sent = reel.pixels(), True
                    if image is not None:
                        yield Frame(image, stamp_ns=reel.stamp_ns)
                    else:
                        refuse(self.refusals, f"{self.path}: frame {reel.index} cannot be decoded")
                reel.step()
            if not reel.ready() and reel.index == 0:
                raise UnreadableFrame(f"{self.path}: not one frame could be decoded; is the file complete?")
            if not sent:
                self.section.check_start(reel.stamp_ns, f"what can be decoded of {self.path}")
                raise self.section.nothing(self.path)
        finally:
            reel.close()


def length(reel: VideoReel) -> tuple[int, int]:
    """Number of frames and nanoseconds from the first to the last; decodes the rest of the file."""
    while reel.ready():
        reel.step()
    return reel.index, reel.stamp_ns


def _capture(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        capture.release()
        if pointer := lfs_pointer(path):
            raise SourceError(f"{path}: {pointer}")
        raise SourceError(
            f"{path} is not a video OpenCV can read; convert it, for example: ffmpeg -i {path.name} out.mp4"
        )
    return capture
