"""One door for everything that can play the camera: the synthetic drive, folders, videos, bags, cameras."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2

from trust_seg_ros.recordings.bags import BagSource, is_bag
from trust_seg_ros.recordings.errors import NothingThere, SourceError
from trust_seg_ros.recordings.files import NANOSECONDS, CameraSource, FolderSource, VideoSource
from trust_seg_ros.types import Frame

SYNTHETIC = "synthetic"
VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts")


@runtime_checkable
class FrameSource(Protocol):
    """A stream of frames with increasing stamps. Iterating again starts again.

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
        """One line for people."""

    def __iter__(self) -> Iterator[Frame]: ...


@dataclass(frozen=True)
class SyntheticSource:
    """The embedded synthetic drive, without end.

    Attributes:
        size: (height, width).
        seed: which drive.
        rate: frames per second.
        weather: one of the drive's weathers, or None for the one the seed draws.
    """

    size: tuple[int, int] = (384, 640)
    seed: int = 0
    rate: float = 15.0
    weather: str | None = None
    live: bool = False

    @property
    def description(self) -> str:
        """One line for people."""
        weather = f", {self.weather}" if self.weather else ""
        return f"synthetic drive {self.size[1]}x{self.size[0]}, seed {self.seed}{weather}, at {self.rate:g} Hz"

    def __iter__(self) -> Iterator[Frame]:
        from trust_seg_ros.datasets.synthetic import DriveSettings, SyntheticDrive

        drive = SyntheticDrive(DriveSettings(self.size, self.seed, self.rate, self.weather))
        index = 0
        while True:
            yield Frame(drive.frame(index).image, stamp_ns=round(index * NANOSECONDS / self.rate))
            index += 1


@dataclass(frozen=True)
class Resized:
    """Another source's frames at one size."""

    source: FrameSource
    size: tuple[int, int]

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
        """One line for people."""
        return f"{self.source.description}, resized to {self.size[1]}x{self.size[0]}"

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
class Looped:
    """Another source over and over; stamps go on increasing, one period after the last."""

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
        """One line for people."""
        return f"{self.source.description}, looped"

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
            offset += last - first + round(NANOSECONDS / self.rate)


@dataclass(frozen=True)
class Restamped:
    """Another source's frames, stamped evenly at a rate of one's own."""

    source: FrameSource
    rate: float

    @property
    def live(self) -> bool:
        """Whether the source sets its own pace."""
        return self.source.live

    @property
    def description(self) -> str:
        """One line for people."""
        return f"{self.source.description}, played at {self.rate:g} Hz"

    def __iter__(self) -> Iterator[Frame]:
        for index, frame in enumerate(self.source):
            yield replace(frame, stamp_ns=round(index * NANOSECONDS / self.rate))


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
) -> FrameSource:
    """Open whatever ``spec`` names; headers are read here, so most mistakes show before the first frame.

    Args:
        spec: "synthetic", a folder of images, one image, a video file, a rosbag2 folder or storage file, or a camera
            (``/dev/video0``).
        size: (height, width) of the frames; None keeps the source's own.
        rate: frames per second; None keeps the recording's own (10 for folders, 15 for the synthetic drive).
        loop: start again at the end.
        topic: image topic of a bag; None takes the first.
        seed: seed of the synthetic drive.
        weather: weather of the synthetic drive, None = as the seed draws it.
        number_rate: folders only, see :class:`FolderSource`.

    Returns:
        The source; iterate over it for :class:`~trust_seg_ros.types.Frame`.

    Raises:
        SourceError: a value is out of range, the path is missing, empty or of an unknown kind, or a library is missing.
    """
    if size is not None and min(size) < 1:
        raise SourceError(f"the size is {size[1]}x{size[0]}; expected width and height above zero")
    for name, value in (("rate", rate), ("number rate", number_rate)):
        if value is not None and not 0 < value <= 1000:
            raise SourceError(f"the {name} is {value:g} Hz; expected more than 0 and at most 1000")
    if str(spec) == SYNTHETIC:
        return SyntheticSource(size or SyntheticSource.size, seed, rate or SyntheticSource.rate, weather)
    source = _open_path(Path(spec), rate, topic, number_rate, size)
    if size is not None:
        source = Resized(source, size)
    if rate is not None and not source.live and source.rate != rate:
        source = Restamped(source, rate)
    return Looped(source) if loop and not source.live else source


def _open_path(
    path: Path, rate: float | None, topic: str | None, number_rate: float | None, size: tuple[int, int] | None
) -> FrameSource:
    if re.fullmatch(r"/dev/video\d+", str(path)):
        if not path.exists():
            there = sorted(str(p) for p in Path("/dev").glob("video[0-9]*"))
            raise NothingThere(f"there is no camera {path}; cameras of this machine: {', '.join(there) or 'none'}")
        return CameraSource(path, rate or CameraSource.rate, size)
    if not path.exists():
        raise NothingThere(
            f"{path} does not exist; a source is {SYNTHETIC!r}, a folder of images, a video file, a rosbag2 folder "
            "or a camera such as /dev/video0"
        )
    if is_bag(path):
        return BagSource.open(path, topic)
    if path.is_dir() or (path.suffix.lower() not in VIDEO_SUFFIXES and cv2.haveImageReader(str(path))):
        source = FolderSource(path, rate or FolderSource.rate, number_rate)
        source.paths()
        return source
    return VideoSource.open(path)
