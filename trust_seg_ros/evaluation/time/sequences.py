"""Sequences to judge over time: synthetic drives, drives of a labelled folder, recordings without truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from trust_seg_ros.datasets.folders import LabelledFolder, Sample
from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES, read_image, read_values
from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.recordings.files import NANOSECONDS
from trust_seg_ros.recordings.sources import FrameSource
from trust_seg_ros.synthetic import UNKNOWN_KINDS, DriveObject, DriveSettings, SyntheticDrive
from trust_seg_ros.synthetic.running import RunningNumbers
from trust_seg_ros.synthetic.settings import CLASS_NAMES, NO_CLASS
from trust_seg_ros.synthetic.words import drive_words
from trust_seg_ros.types import Frame

FORM = "synthetic:seeds=FIRST-LAST[:hz=N][:seconds=N][:kinds=KIND,KIND][:rate=N][:size=WIDTHxHEIGHT][:weather=NAME]"
START_NS = NANOSECONDS
"""Stamp of the first frame; 0 would say that frames are not stamped."""
UNKNOWN = 254
"""In ``Shot.truth``: an unknown object, of no class, where 255 says that the class is not known."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame of a sequence, with what is known of it.

    Attributes:
        frame: image and stamp, > 0.
        truth: (H, W) uint8 class ids; ``UNKNOWN`` on unknown objects, 255 = not known. None = nothing known.
        objects: (H, W) int32, 0 = none, else number of the object, the same over the sequence; None = not known.
    """

    frame: Frame
    truth: np.ndarray | None = None
    objects: np.ndarray | None = None


class Sequence(Protocol):
    """Frames in order of time."""

    @property
    def name(self) -> str:
        """For tables and files."""

    @property
    def text(self) -> str:
        """Everything that decides the frames, in one line."""

    @property
    def frames(self) -> int:
        """Number of frames; 0 = not known."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes of the truth; () = those of the network."""

    def shots(self, objects: list[DriveObject]) -> Iterator[Shot]:
        """The frames; objects are appended to the list as they are first seen, number i at ``objects[i - 1]``."""


@dataclass(frozen=True)
class DriveSequence:
    """A stretch of a synthetic drive, from its beginning."""

    settings: DriveSettings
    seconds: float
    class_names: tuple[str, ...] = CLASS_NAMES

    @property
    def name(self) -> str:
        """``drive1000_10hz``."""
        return f"drive{self.settings.seed}_{self.settings.fps:g}hz"

    @property
    def text(self) -> str:
        """Everything that decides the frames, in one line."""
        s = self.settings
        words = [f"seeds={s.seed}-{s.seed}", f"hz={s.fps:g}", f"seconds={self.seconds:g}", f"kinds={','.join(s.kinds)}"]
        words += [f"rate={s.unknown_rate:g}", f"size={s.size[1]}x{s.size[0]}"]
        return ":".join(["synthetic", *words, *([f"weather={s.weather}"] if s.weather else [])])

    @property
    def frames(self) -> int:
        """Number of frames."""
        return round(self.seconds * self.settings.fps)

    def shots(self, objects: list[DriveObject]) -> Iterator[Shot]:
        """The frames; see :class:`Sequence`."""
        drive, numbers = SyntheticDrive(replace(self.settings, objects=True)), RunningNumbers()
        for index in range(self.frames):
            frame = drive.frame(index)
            found = numbers.map(frame)
            objects.extend(numbers.objects[len(objects) :])
            truth = np.where(frame.labels == NO_CLASS, np.uint8(UNKNOWN), frame.labels)
            yield Shot(Frame(frame.image, START_NS + round(index * NANOSECONDS / self.settings.fps)), truth, found)


@dataclass(frozen=True, eq=False)
class FolderSequence:
    """One drive of a labelled folder, in order; the last number of a name counts frames at ``number_hz``."""

    folder: LabelledFolder
    samples: tuple[Sample, ...]
    label: str
    number_hz: float
    class_names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``camvid_test_Seq05VD``."""
        return f"{self.label}_{self.samples[0].drive}".replace("/", "_")

    @property
    def text(self) -> str:
        """Everything that decides the frames, in one line."""
        first, last = self.samples[0].name, self.samples[-1].name
        return f"{self.name}: {len(self.samples)} images, {first} to {last}, numbered at {self.number_hz:g} Hz"

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.samples)

    def shots(self, objects: list[DriveObject]) -> Iterator[Shot]:
        """The frames; see :class:`Sequence`."""
        first = _number(self.samples[0])
        for sample in self.samples:
            image, truth = self.folder.read(sample)
            stamp = START_NS + round((_number(sample) - first) * NANOSECONDS / self.number_hz)
            yield Shot(Frame(image, stamp), truth)


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording without truth."""

    source: FrameSource
    name: str
    class_names: tuple[str, ...] = ()
    frames: int = 0

    @property
    def text(self) -> str:
        """Everything that decides the frames, in one line."""
        return f"{self.name}: {self.source.description}"

    def shots(self, objects: list[DriveObject]) -> Iterator[Shot]:
        """The frames; see :class:`Sequence`."""
        for frame in self.source:
            yield Shot(replace(frame, stamp_ns=frame.stamp_ns + START_NS))


def folder_sequences(
    folder: LabelledFolder, label: str, number_hz: float, longest_step_s: float = 5.0
) -> list[FolderSequence]:
    """The drives of a labelled folder, each in order; a step of more than ``longest_step_s`` begins another sequence.

    Raises:
        EvaluationError: a name holds no number.
    """
    drives: dict[str, list[Sample]] = {}
    for sample in folder.samples:
        drives.setdefault(sample.drive, []).append(sample)
    found = []
    for samples in drives.values():
        samples.sort(key=_number)
        ends = [
            k + 1
            for k in range(len(samples) - 1)
            if _number(samples[k + 1]) - _number(samples[k]) > longest_step_s * number_hz
        ]
        for start, end in zip([0, *ends], [*ends, len(samples)], strict=True):
            found.append(FolderSequence(folder, tuple(samples[start:end]), label, number_hz))
    return found


@dataclass(frozen=True, eq=False)
class ObjectSequence:
    """Images with the mask of one object whose class the network knows; nothing else is known of them."""

    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    name: str
    hz: float
    class_names: tuple[str, ...] = ("known object",)

    @property
    def text(self) -> str:
        """Everything that decides the frames, in one line."""
        return (
            f"{self.name}: {len(self.images)} images at {self.hz:g} Hz, {self.images[0].name} to {self.images[-1].name}"
        )

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.images)

    def shots(self, objects: list[DriveObject]) -> Iterator[Shot]:
        """The frames; see :class:`Sequence`."""
        objects.append(DriveObject(1, "known object", 0))
        for k, (image, mask) in enumerate(zip(self.images, self.masks, strict=True)):
            shown = (read_values(mask) == 1).astype(np.int32)
            yield Shot(Frame(read_image(image), START_NS + round(k * NANOSECONDS / self.hz)), None, shown)


def object_sequences(folder: Path, hz: float) -> list[ObjectSequence]:
    """The sequences of a folder with images/ and labels/, one per folder in them; label 1 = the object.

    Raises:
        EvaluationError: an image has no label file.
    """
    drives: dict[Path, list[Path]] = {}
    for path in sorted((folder / "images").rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            drives.setdefault(path.parent, []).append(path)
    if not drives:
        raise EvaluationError(f"{folder}: no images in images/; expected images/ and labels/ beside each other")
    found = []
    for place, images in drives.items():
        beside = place.relative_to(folder / "images")
        masks = [folder / "labels" / beside / f"{path.stem}.png" for path in images]
        missing = next((mask for mask in masks if not mask.is_file()), None)
        if missing is not None:
            raise EvaluationError(f"{missing}: no such file; expected a label image for each image, 1 = the object")
        found.append(ObjectSequence(tuple(images), tuple(masks), beside.as_posix().replace("/", "_"), hz))
    return found


def _number(sample: Sample) -> int:
    digits = re.findall(r"\d+", Path(sample.name).name)
    if not digits:
        raise EvaluationError(
            f"{sample.image}: its name holds no number of the frame; expected names like 0001TP_008550.png, whose last "
            "number counts the frames of the drive"
        )
    return int(digits[-1])


def drive_sequences(text: str) -> list[DriveSequence]:
    """One synthetic drive per seed, of a text of ``FORM``; 20 s at 10 Hz with all kinds of unknown objects by default.

    Raises:
        EvaluationError: another form, or an unknown word.
        SyntheticDriveError: a value is out of range.
    """
    said = drive_words(text, {"hz": 10.0, "seconds": 20.0, "rate": 3.0}, ("kinds", "weather"), FORM, EvaluationError)
    numbers, kinds = said.numbers, said.texts.get("kinds", "all")
    settings = DriveSettings(
        said.size,
        fps=numbers["hz"],
        weather=said.texts.get("weather"),
        unknowns={"all": UNKNOWN_KINDS, "none": ()}.get(kinds, tuple(kinds.split(","))),
        unknown_rate=numbers["rate"],
    )
    if not numbers["seconds"] * numbers["hz"] >= 1:
        raise EvaluationError(f"{text!r}: {numbers['seconds']:g} s at {numbers['hz']:g} Hz hold no frame")
    return [DriveSequence(replace(settings, seed=seed), numbers["seconds"]) for seed in said.seeds]
