"""Samples of a data set and how they are read, and the layout ``images/`` beside ``labels/``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES, LABEL_SUFFIX, read_image, read_values
from trust_seg_ros.datasets.label_map import FROM_ONE, UNMAPPED, LabelMap
from trust_seg_ros.datasets.names import NamedFiles, listed, plain
from trust_seg_ros.types import UNLABELLED

__all__ = ["IMAGE_SUFFIXES", "DatasetError", "LabelledFolder", "Sample", "camvid", "paired_folder", "read_image"]

LABEL_ENDINGS = ("", "_label", "_labels", "_labelTrainIds", "_train_id", "_gt", "_mask")
"""A label file has the name of its image plus one of these endings."""
_MOST_VALUES = 1 << 16
_INSTANCES = 1000  # Cityscapes' instanceIds are label id x 1000 + number


@dataclass(frozen=True)
class Sample:
    """One labelled image on disk.

    Attributes:
        image: path of the image.
        labels: path of the label image, one class id per pixel.
        drive: name of the recording the image comes from ("" if the layout does not say).
        name: name of the image, unique in its split; by default the file name without suffix, letters in
            composed form (NFC).
    """

    image: Path
    labels: Path
    drive: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", PurePath(plain(self.image.name)).stem)


@dataclass(frozen=True)
class LabelledFolder:
    """Samples of one split, and the mapping from label values to class ids.

    Attributes:
        samples: the images, in order of their names.
        classes: number of classes q; ids 0..q-1.
        ignore: values in label files that mean "no class"; they are read as 255. 255 itself always means that.
        table: class id of every value in label files, 255 = no class; () = values are class ids.
        label_map: from these class ids to those of the network, where they differ.

    Raises:
        DatasetError: an ignored value stands for a class, or is negative; two samples have one name.
    """

    samples: tuple[Sample, ...]
    classes: int
    ignore: tuple[int, ...] = (UNLABELLED,)
    table: tuple[int, ...] = ()
    label_map: LabelMap | None = None

    def __post_init__(self) -> None:
        ids = self._ids()
        wrong = sorted(value for value in self.ignore if value < 0 or (value < len(ids) and ids[value] < UNMAPPED))
        if wrong:
            raise DatasetError(
                f"ignored label values {wrong}: {self._known()}; "
                "expected values without a class. Without ignore, the label set's own value is ignored"
            )
        name, count = next(iter(Counter(sample.name for sample in self.samples).most_common(1)), ("", 0))
        if count > 1:
            same = [str(sample.image) for sample in self.samples if sample.name == name]
            raise DatasetError(f"{count} images are called {name!r} ({', '.join(same[:3])}); expected different names")

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and labels (H, W) uint8, 255 = no class.

        Raises:
            DatasetError: a file cannot be read, sizes differ, or a label value is neither a class nor ignored.
        """
        image, values = read_image(sample.image), read_values(sample.labels)
        if values.shape != image.shape[:2]:
            raise DatasetError(
                f"{sample.labels}: labels are {values.shape[1]}x{values.shape[0]}, "
                f"the image {sample.image.name} is {image.shape[1]}x{image.shape[0]}"
            )
        labels = self._lookup(values.dtype)[values]
        foreign = np.unique(values[labels == UNMAPPED]).tolist()
        if foreign:
            raise DatasetError(f"{sample.labels}: {self._foreign(foreign)}")
        return image, labels

    def _foreign(self, values: list[int]) -> str:
        """Error text for label values that are neither classes nor ignored."""
        listed = f"[{', '.join(map(str, values[:10]))}{', …' if len(values) > 10 else ''}]"
        ignored = sorted({*self.ignore, UNLABELLED})
        if self.label_map is not None:
            return (
                f"label values {listed} are not in the label map {self.label_map.name}, and not among the ignored "
                f"{ignored}; add them to it, as 'ignore' if they have no class, or 'default: ignore' for all others"
            )
        text = (
            f"label values {listed} are outside 0..{len(self._ids()) - 1} and not among the ignored {ignored}: "
            f"{self._known()}. Name values without a class with --ignore, the label set of these files with --labels, "
            "or map them to the network's classes with --label-map"
        )
        if values == [self.classes]:
            text += f". If ids count from 1 and 0 is no class: --label-map {FROM_ONE}"
        if values[-1] >= _INSTANCES:
            text += ". Values of 1000 and more look like Cityscapes' instanceIds: take labelIds or labelTrainIds"
        return text

    def _ids(self) -> tuple[int, ...]:
        """Class id of the values 0, 1, …: 255 = no class, ``UNMAPPED`` = refused."""
        ids = self.table or tuple(range(self.classes))
        if self.label_map is None:
            return ids
        mapped = self.label_map.lookup(_MOST_VALUES)
        return tuple(mapped[list(self.table)].tolist() if self.table else mapped.tolist())

    def _known(self) -> str:
        if self.label_map is not None:
            return f"{self.label_map.name} gives label values their classes"
        if not self.table:
            return f"0..{self.classes - 1} are the {self.classes} classes"
        return f"0..{len(self.table) - 1} are ids, of which {self.classes} stand for classes"

    def _lookup(self, kind: np.dtype) -> np.ndarray:
        """Class id, 255 or ``UNMAPPED`` of every value that ``kind`` (uint8 or uint16) can hold."""
        size = np.iinfo(kind).max + 1
        ids, lookup = self._ids()[:size], np.full(size, UNMAPPED, np.uint8)
        lookup[: len(ids)] = ids
        lookup[[value for value in (*self.ignore, UNLABELLED) if value < len(lookup)]] = UNLABELLED
        return lookup


def paired_folder(root: Path, classes: int, ignore: tuple[int, ...] = (UNLABELLED,)) -> LabelledFolder:
    """``root/images/`` with ``root/labels/``, see :func:`pair_up`.

    Raises:
        DatasetError: a folder is missing or empty, an image has no labels, or ``ignore`` names a class.
    """
    images, labels = root / "images", root / "labels"
    for folder in (images, labels):
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder; expected images/ and labels/ below {root}")
    return LabelledFolder(pair_up(images, labels), classes, ignore)


def pair_up(images: Path, labels: Path, *, some: bool = False) -> tuple[Sample, ...]:
    """Pair every image below one folder with the label file at the same place below another.

    An image in a sub-folder is named by its path below ``images``, and its first sub-folder is the drive; the drive of
    other images is their name up to the first underscore. The case of suffixes and the Unicode form of names do not
    matter (``names.plain``).

    Args:
        images: folder with files of ``IMAGE_SUFFIXES``.
        labels: folder with PNG files, named like the images plus one of ``LABEL_ENDINGS``.
        some: leave out images without labels, as long as there are others.

    Raises:
        DatasetError: no images, an image without labels, two label files for one image, or a folder that cannot be
            listed.
    """
    found = [path for path in listed(images) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise DatasetError(f"{images}: no images (looked for {', '.join(IMAGE_SUFFIXES)})")
    there = NamedFiles(labels)
    samples, without = [], []
    for path in found:
        options = (there.find(path.with_name(f"{path.stem}{ending}{LABEL_SUFFIX}")) for ending in LABEL_ENDINGS)
        label = next((option for option in options if option is not None), None)
        if label is None:
            without.append(path)
            continue
        name = PurePath(plain(path)).with_suffix("")
        drive = name.parts[0] if len(name.parts) > 1 else name.name.split("_")[0]
        samples.append(Sample(images / path, label, drive, name.as_posix()))
    if without and not (some and samples):
        raise DatasetError(_unlabelled(images / without[0], there, without[0], f"{len(without)} of {len(found)}"))
    return tuple(samples)


def _unlabelled(image: Path, there: NamedFiles, name: Path, share: str) -> str:
    """Error text for an image without labels."""
    text = (
        f"{image}: no labels ({share} images have none); expected "
        f"{there.folder / name.with_suffix(LABEL_SUFFIX)}, or with one of {', '.join(LABEL_ENDINGS[1:])} at the end of "
        "the name"
    )
    lossy = (there.find(name.with_suffix(suffix)) for suffix in (".jpg", ".jpeg"))
    other = next((path for path in lossy if path is not None), None)
    return text if other is None else f"{text}. {other.name} is no label image: JPEG changes ids, expected a PNG file"


def camvid(root: Path, split: str) -> LabelledFolder:
    """CamVid at 480x360 with 11 classes: ``root/<split>/images`` and ``labels``, 11 = void.

    Source: Brostow, Fauqueur, Cipolla, Pattern Recognition Letters 2009; split of the SegNet tutorial.
    """
    if split not in ("train", "val", "test"):
        raise DatasetError(f"CamVid has no split {split!r}; expected train, val or test")
    return paired_folder(root / split, 11, (11, UNLABELLED))
