"""Opens every kind of frame source: the shipped clip, the synthetic drive, folders, videos, bags, cameras."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2

from trust_seg_ros.bags.errors import NothingThere, SourceError
from trust_seg_ros.recordings.bags import BagSource, is_bag, refuse_pointer
from trust_seg_ros.recordings.files import NANOSECONDS, CameraSource, FolderSource
from trust_seg_ros.recordings.refusals import Refusals
from trust_seg_ros.recordings.section import WHOLE, Section
from trust_seg_ros.recordings.videos import VideoSource
from trust_seg_ros.types import Frame

SYNTHETIC = "synthetic"
MOTORWAY = "motorway"
"""Name of the shipped clip, nine seconds of a motorway; its licence lies beside it."""
_CLIP = Path(__file__).parent / "clips" / "motorway.mp4"
VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts")


@runtime_checkable
class FrameSource(Protocol):
    """A stream of frames with increasing stamps. Each iteration starts from the beginning.

    Attributes:
        rate: nominal frames per second.
        live: True for a camera, which sets its own pace.
    """

    @property
    def rate(self) -> float:
        """Nominal frames per second."""

    @property
    def live(self) -> bool:
        """Whether the source sets its own pace."""

    @property
    def description(self) -> str:
        """One line for users."""

    def __iter__(self) -> Iterator[Frame]: ...


@dataclass(frozen=True)
class SyntheticSource:
    """The embedded synthetic drive, which has no end.

    Attributes:
        size: (height, width).
        seed: selects the drive.
        rate: frames per second.
        weather: one of the drive's weathers, or None to let the seed draw one.
    """

    size: tuple[int, int] = (360, 480)
    seed: int = 0
    rate: float = 15.0
    weather: str | None = None
    live: bool = False

    @property
    def description(self) -> str:
        """One line for users."""
        weather = f", {self.weather}" if self.weather else ""
        return f"synthetic drive {self.size[1]}x{self.size[0]}, seed {self.seed}{weather}, at {self.rate:g} Hz"

    def __iter__(self) -> Iterator[Frame]:
        from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive

        drive = SyntheticDrive(DriveSettings(self.size, self.seed, self.rate, self.weather))
        index = 0
        while True:
            yield Frame(drive.frame(index).image, stamp_ns=round(index * NANOSECONDS / self.rate))
            index += 1


@dataclass(frozen=True)
class Derived:
    """A source derived from another by one change; everything else is as in the other source."""

    source: FrameSource

    @property
    def rate(self) -> float:
        """Nominal frames per second."""
        return self.source.rate

    @property
    def live(self) -> bool:
        """Whether the source sets its own pace."""
        return self.source.live

    @property
    def description(self) -> str:
        """One line for users."""
        return f"{self.source.description}, {self.change}"

    @property
    def change(self) -> str:
        """The change, in words."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError


@dataclass(frozen=True)
class Resized(Derived):
    """Another source's frames at one size (height, width)."""

    size: tuple[int, int]

    @property
    def change(self) -> str:
        """The change, in words."""
        return f"resized to {self.size[1]}x{self.size[0]}"

    def __iter__(self) -> Iterator[Frame]:
        height, width = self.size
        for frame in self.source:
            image = frame.image
            if image.shape[:2] != self.size:
                shrinks = height * width < image.shape[0] * image.shape[1]
                image = cv2.resize(
                    image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
                )
            yield replace(frame, image=image)


@dataclass(frozen=True)
class Looped(Derived):
    """Repeats another source for ever.

    Attributes:
        source: the source to repeat.
        jump: stamps start again with each round, so time jumps back, as in ``ros2 bag play --loop``; otherwise they
            keep increasing, and each round starts one period after the last.
    """

    jump: bool = False

    @property
    def change(self) -> str:
        """The change, in words."""
        return "looped"

    def __iter__(self) -> Iterator[Frame]:
        offset = 0
        while True:
            first = last = None
            for frame in self.source:
                first = frame.stamp_ns if first is None else first
                last = frame.stamp_ns
                yield replace(frame, stamp_ns=frame.stamp_ns + offset)
            if first is None or last is None:
                raise NothingThere(f"{self.source.description} delivers no frames, so there is nothing to loop")
            if not self.jump:
                offset += last - first + round(NANOSECONDS / self.rate)


@dataclass(frozen=True)
class Restamped(Derived):
    """Another source's frames with even stamps from 0 at ``hertz`` frames per second."""

    hertz: float

    @property
    def rate(self) -> float:
        """Nominal frames per second."""
        return self.hertz

    @property
    def change(self) -> str:
        """The change, in words."""
        return f"played at {self.hertz:g} Hz"

    def __iter__(self) -> Iterator[Frame]:
        for index, frame in enumerate(self.source):
            yield replace(frame, stamp_ns=round(index * NANOSECONDS / self.hertz))


def check_speed(speed: float, source: FrameSource) -> float:
    """Check and return ``speed``: how many times as fast as recorded the source is to be played.

    Raises:
        SourceError: zero, negative, not finite; or the source is a camera, which sets its own pace.
    """
    if not (math.isfinite(speed) and speed > 0):
        raise SourceError(f"the speed is {speed:g}; expected a factor above 0: 0.5 plays at half speed, 2 at double")
    if source.live and speed != 1:
        raise SourceError(f"{source.description} sets its own pace, so that it has no speed; leave the speed out")
    return speed


def open_source(
    spec: str | Path,
    *,
    size: tuple[int, int] | None = None,
    rate: float | None = None,
    loop: bool = False,
    topic: str | None = None,
    seed: int = 0,
    weather: str | None = None,
    number_rate: float | None = None,
    section: Section = WHOLE,
    jump: bool = False,
    refusals: Refusals | None = None,
) -> FrameSource:
    """Open the source named by ``spec``; headers are read here, so most mistakes show before the first frame.

    Args:
        spec: "motorway" (the shipped clip), "synthetic", a folder of images, one image, a video file, a rosbag2 folder
            or storage file, or a camera (``/dev/video0``).
        size: (height, width) of the frames; None keeps the source's own.
        rate: frames per second; None keeps the recording's own (10 for folders, 15 for the synthetic drive).
        loop: start again at the end.
        topic: image topic of a bag; None selects the first.
        seed: seed of the synthetic drive.
        weather: weather of the synthetic drive; None lets the seed draw it.
        number_rate: folders only, see :class:`FolderSource`.
        section: part of a recording to play; with ``loop``, repeatedly. In a bag it counts recording time, in other
            sources their stamps before ``rate`` changes them.
        jump: with ``loop``, stamps start again with each round, see :class:`Looped`.
        refusals: takes images of a recording that cannot be read, which are left out; None = the first one is an error.

    Returns:
        The source; iterate over it for :class:`~trust_seg_ros.types.Frame`.

    Raises:
        SourceError: a value is out of range, the path is missing, empty or of an unknown kind, a library is missing,
            the section begins beyond the end, or the source has neither beginning nor end.
    """
    if size is not None and min(size) < 1:
        raise SourceError(f"the size is {size[1]}x{size[0]}; expected width and height above zero")
    for name, value in (("rate", rate), ("number rate", number_rate)):
        if value is not None and not 0 < value <= 1000:
            raise SourceError(f"the {name} is {value:g} Hz; expected more than 0 and at most 1000")
    if not section.whole and (str(spec) == SYNTHETIC or _is_camera(Path(spec))):
        raise SourceError(f"start and duration cut a recording; {spec} has neither beginning nor end: leave them out")
    if str(spec) == SYNTHETIC:
        return SyntheticSource(size or SyntheticSource.size, seed, rate or SyntheticSource.rate, weather)
    if str(spec) == MOTORWAY:
        source: FrameSource = VideoSource.open(_CLIP, section, refusals)
    elif _is_camera(Path(spec)):
        source = _open_camera(Path(spec), rate, size)
    else:
        source = _open_recording(Path(spec), rate, topic, number_rate, section, refusals)
    if size is not None:
        source = Resized(source, size)
    if source.live:
        return source
    if rate is not None and source.rate != rate:
        source = Restamped(source, rate)
    return Looped(source, jump) if loop else source


def _is_camera(path: Path) -> bool:
    return re.fullmatch(r"/dev/video\d+", str(path)) is not None


def _open_camera(path: Path, rate: float | None, size: tuple[int, int] | None) -> FrameSource:
    if not path.exists():
        there = sorted(str(p) for p in Path("/dev").glob("video[0-9]*"))
        raise NothingThere(f"there is no camera {path}; cameras of this machine: {', '.join(there) or 'none'}")
    return CameraSource(path, rate or CameraSource.rate, size)


def _open_recording(
    path: Path,
    rate: float | None,
    topic: str | None,
    number_rate: float | None,
    section: Section,
    refusals: Refusals | None,
) -> FrameSource:
    if not path.exists():
        raise NothingThere(
            f"{path} does not exist; a source is {MOTORWAY!r}, {SYNTHETIC!r}, a folder of images, a video file, a "
            "rosbag2 folder or a camera such as /dev/video0"
        )
    refuse_pointer(path)
    if is_bag(path):
        return BagSource.open(path, topic, section.start_s, section.duration_s, refusals)
    if path.is_dir() or (path.suffix.lower() not in VIDEO_SUFFIXES and cv2.haveImageReader(str(path))):
        source = FolderSource(path, rate or FolderSource.rate, number_rate, section, refusals)
        source.chosen()
        return source
    return VideoSource.open(path, section, refusals)
