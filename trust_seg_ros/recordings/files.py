"""Frames from folders of images and from cameras."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from trust_seg_ros.bags.errors import NothingThere, SourceError, UnreadableFrame
from trust_seg_ros.datasets.folders import IMAGE_SUFFIXES, DatasetError, read_image
from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.recordings.refusals import Refusals, refuse
from trust_seg_ros.recordings.section import WHOLE, Section
from trust_seg_ros.support.natural_order import natural_key
from trust_seg_ros.types import Frame

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class FolderSource:
    """The images of one folder in natural order of their names.

    Attributes:
        folder: the folder, or one image.
        rate: frames per second of the stamps; with ``number_rate``, used only for names without a number.
        number_rate: the last number of each name counts frames at this rate, so stamps keep a recording's gaps
            (CamVid: 30). A name that does not continue the same recording follows one period later.
        section: the part to play, by these stamps.
        refusals: takes images that cannot be read; None = the first one is an error.
    """

    folder: Path
    rate: float = 10.0
    number_rate: float | None = None
    section: Section = WHOLE
    refusals: Refusals | None = None
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
                refuse(self.refusals, str(error))
            else:
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
