"""Frames from folders of images, video files and cameras."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.bags.errors import NothingThere, SourceError, UnreadableFrame
from trust_seg_ros.datasets.folders import IMAGE_SUFFIXES, DatasetError, read_image
from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.recordings.section import WHOLE, Section
from trust_seg_ros.types import Frame

NANOSECONDS = 1_000_000_000


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which ``frame2`` comes before ``frame10``."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts]


@dataclass(frozen=True)
class FolderSource:
    """The images of one folder in natural order of their names.

    Attributes:
        folder: the folder, or one image.
        rate: frames per second of the stamps; with ``number_rate``, used only for names without a number.
        number_rate: the last number of each name counts frames at this rate, so stamps keep a recording's gaps
            (CamVid: 30). A name that does not continue the same recording follows one period later.
        section: the part to play, by these stamps.
    """

    folder: Path
    rate: float = 10.0
    number_rate: float | None = None
    section: Section = WHOLE
    live: bool = False

    @property
    def description(self) -> str:
        """One line for users."""
        return f"{len(self.paths())} images of {self.folder} at {self.rate:g} Hz"

    def paths(self) -> list[Path]:
        """The images in order.

        Raises:
            NothingThere: no file with an image suffix.
        """
        if self.folder.is_file():
            return [self.folder]
        found = [p for p in self.folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
        if not found:
            below = sorted(p.name for p in self.folder.iterdir() if p.is_dir())
            hint = f"; its folders are {', '.join(below[:8])}: name one of them" if below else ""
            raise NothingThere(
                f"{self.folder} holds no images ({' '.join(IMAGE_SUFFIXES)}) and is no rosbag2 folder, which has a "
                f"metadata.yaml{hint}"
            )
        return sorted(found, key=lambda p: natural_key(p.name))

    def chosen(self) -> list[tuple[Path, int]]:
        """Images of the section and their stamps (ns); reads no image.

        Raises:
            SourceError: the section begins beyond the last image.
            NothingThere: no file with an image suffix, or none in the section.
        """
        paths = self.paths()
        stamps = self._stamps(paths)
        self.section.check_start(stamps[-1], self.folder)
        inside = [not (self.section.before(stamp) or self.section.after(stamp)) for stamp in stamps]
        if not any(inside):
            raise self.section.nothing(self.folder)
        return [pair for pair, wanted in zip(zip(paths, stamps, strict=True), inside, strict=True) if wanted]

    def __iter__(self) -> Iterator[Frame]:
        bits = BitRange()
        for path, stamp in self.chosen():
            try:
                image = read_image(path, bits)
            except DatasetError as error:
                raise UnreadableFrame(str(error)) from error
            yield Frame(image, stamp_ns=stamp)

    def _stamps(self, paths: list[Path]) -> list[int]:
        period = round(NANOSECONDS / self.rate)
        if self.number_rate is None:
            return [index * period for index in range(len(paths))]
        stamps: list[int] = []
        last = ("", 0)
        for path in paths:
            prefix, number = _split_number(path.stem)
            gap = round((number - last[1]) * NANOSECONDS / self.number_rate)
            step = gap if prefix == last[0] and gap > 0 else period
            stamps.append(stamps[-1] + step if stamps else 0)
            last = (prefix, number)
        return stamps


def _split_number(stem: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.*?)(\d+)\D*", stem)
    return (match[1], int(match[2])) if match else (stem, 0)


@dataclass(frozen=True)
class VideoSource:
    """A video file, decoded by OpenCV, with even stamps from 0.

    Attributes:
        path: the file.
        rate: frames per second as the file states (25 if it states none).
        frames: number of frames as the file states, 0 if it states none.
        section: the part to play.
    """

    path: Path
    rate: float
    frames: int
    section: Section = WHOLE
    live: bool = False

    @classmethod
    def open(cls, path: Path, section: Section = WHOLE) -> VideoSource:
        """Read the file's header.

        Raises:
            SourceError: OpenCV cannot read it, or the section begins beyond its end.
        """
        capture = _capture(path)
        try:
            rate = capture.get(cv2.CAP_PROP_FPS)
            frames = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        finally:
            capture.release()
        rate = rate if 0 < rate < 1000 else 25.0
        if frames:
            section.check_start(round((frames - 1) * NANOSECONDS / rate), path)
        return cls(path, rate, frames, section)

    @property
    def description(self) -> str:
        """One line for users."""
        return f"{self.path} ({self.frames} frames at {self.rate:g} Hz)"

    def __iter__(self) -> Iterator[Frame]:
        capture = _capture(self.path)
        index = sent = 0
        try:
            # Grab every frame instead of seeking: with B-frames or a varying rate, a seek may miss by a frame.
            while capture.grab():
                stamp = round(index * NANOSECONDS / self.rate)
                if self.section.after(stamp):
                    break
                index += 1
                if self.section.before(stamp):
                    continue
                readable, image = capture.retrieve()
                if not readable:
                    break
                sent += 1
                yield Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), stamp_ns=stamp)
        finally:
            capture.release()
        if index == 0:
            raise UnreadableFrame(f"{self.path}: not one frame could be decoded; is the file complete?")
        if sent == 0:
            self.section.check_start(stamp, f"what can be decoded of {self.path}")
            raise self.section.nothing(self.path)


class VideoReel:
    """A video file decoded once from beginning to end, however many consecutive sections are read.

    Attributes:
        index: number of the next frame.
        ended: whether the file ends before it.
    """

    def __init__(self, path: Path) -> None:
        self._open = _capture(path)
        self.index, self.ended = 0, False

    def skip(self) -> bool:
        """Advance by one frame; False at the end."""
        self.ended = self.ended or not self._open.grab()
        self.index += not self.ended
        return not self.ended

    def pixels(self) -> np.ndarray | None:
        """(H, W, 3) uint8 RGB of the current frame; None if it cannot be decoded."""
        readable, image = self._open.retrieve()
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if readable else None

    def close(self) -> None:
        """Close the file."""
        self._open.release()


def _capture(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        capture.release()
        raise SourceError(
            f"{path} is not a video OpenCV can read; convert it, for example: ffmpeg -i {path.name} out.mp4"
        )
    return capture


@dataclass(frozen=True)
class CameraSource:
    """A camera of this machine (Video4Linux); frames are stamped when they are read.

    Attributes:
        device: ``/dev/videoN``.
        rate: frames per second requested from the camera; it may deliver another.
        size: (height, width) requested from the camera, or None for its default.
    """

    device: Path
    rate: float = 30.0
    size: tuple[int, int] | None = None
    live: bool = True

    @property
    def description(self) -> str:
        """One line for users."""
        return f"camera {self.device}"

    def __iter__(self) -> Iterator[Frame]:
        capture = cv2.VideoCapture(str(self.device), cv2.CAP_V4L2)
        try:
            if not capture.isOpened():
                raise SourceError(
                    f"camera {self.device} cannot be opened; is it used by another program, and may you read it "
                    "(group video)?"
                )
            capture.set(cv2.CAP_PROP_FPS, self.rate)
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # better to drop a frame than to deliver a stale one
            if self.size is not None:
                capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.size[0])
                capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.size[1])
            while True:
                readable, image = capture.read()
                if not readable:
                    raise UnreadableFrame(f"camera {self.device} stopped delivering frames; was it unplugged?")
                yield Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), stamp_ns=time.time_ns())
        finally:
            capture.release()
