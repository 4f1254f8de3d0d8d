"""Samples of a data set and how they are read, and the layout ``images/`` beside ``labels/``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES, LABEL_SUFFIX, read_image, read_values
from trust_seg_ros.types import UNLABELLED

__all__ = ["IMAGE_SUFFIXES", "DatasetError", "LabelledFolder", "Sample", "camvid", "paired_folder", "read_image"]

LABEL_ENDINGS = ("", "_label", "_labels", "_labelTrainIds", "_train_id", "_gt", "_mask")
"""A label file has the name of its image plus one of these endings."""
_FOREIGN = 254  # never a class: label sets have at most 254


@dataclass(frozen=True)
class Sample:
    """One labelled image on disk.

    Attributes:
        image: path of the image.
        labels: path of the label image, one class id per pixel.
        drive: name of the recording the image comes from ("" if the layout does not say).
        name: name of the image, unique in its split; by default the file name without suffix.
    """

    image: Path
    labels: Path
    drive: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.image.stem)


@dataclass(frozen=True)
class LabelledFolder:
    """Samples of one split, and the mapping from label values to class ids.

    Attributes:
        samples: the images, in order of their names.
        classes: number of classes q; ids 0..q-1.
        ignore: values in label files that mean "no class"; they are read as 255. 255 itself always means that.
        table: class id of every value in label files, 255 = no class; () = values are class ids.

    Raises:
        DatasetError: an ignored value stands for a class, or is negative; two samples have one name.
    """

    samples: tuple[Sample, ...]
    classes: int
    ignore: tuple[int, ...] = (UNLABELLED,)
    table: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        ids = self._ids()
        wrong = sorted(value for value in self.ignore if value < 0 or (value < len(ids) and ids[value] != UNLABELLED))
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
        foreign = np.unique(values[labels == _FOREIGN]).tolist()
        if foreign:
            listed = f"[{', '.join(map(str, foreign[:10]))}{', …' if len(foreign) > 10 else ''}]"
            raise DatasetError(
                f"{sample.labels}: label values {listed} are outside 0..{len(self._ids()) - 1} and not among the "
                f"ignored {sorted({*self.ignore, UNLABELLED})}: {self._known()}. Name values without a class with "
                "--ignore, or the label set of these files with --labels"
            )
        return image, labels

    def _ids(self) -> tuple[int, ...]:
        return self.table or tuple(range(self.classes))

    def _known(self) -> str:
        if not self.table:
            return f"0..{self.classes - 1} are the {self.classes} classes"
        return f"0..{len(self.table) - 1} are ids, of which {self.classes} stand for classes"

    def _lookup(self, kind: np.dtype) -> np.ndarray:
        """Class id, 255 or _FOREIGN of every value that ``kind`` (uint8 or uint16) can hold."""
        ids, lookup = self._ids(), np.full(np.iinfo(kind).max + 1, _FOREIGN, np.uint8)
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


def pair_up(images: Path, labels: Path) -> tuple[Sample, ...]:
    """Pair every image below one folder with the label file at the same place below another.

    An image in a sub-folder is named by its path below ``images``, and its first sub-folder is the drive; the drive of
    other images is their name up to the first underscore.

    Args:
        images: folder with files of ``IMAGE_SUFFIXES``.
        labels: folder with PNG files, named like the images plus one of ``LABEL_ENDINGS``.

    Raises:
        DatasetError: no images, an image without labels, or a folder that cannot be listed.
    """
    found = [path for path in _files(images) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise DatasetError(f"{images}: no images (looked for {', '.join(IMAGE_SUFFIXES)})")
    there = {path for path in _files(labels) if path.suffix == LABEL_SUFFIX}
    samples, without = [], []
    for path in found:
        options = (path.with_name(f"{path.stem}{ending}{LABEL_SUFFIX}") for ending in LABEL_ENDINGS)
        label = next((option for option in options if option in there), None)
        if label is None:
            without.append(path)
            continue
        drive = path.parts[0] if len(path.parts) > 1 else path.stem.split("_")[0]
        samples.append(Sample(images / path, labels / label, drive, path.with_suffix("").as_posix()))
    if without:
        raise DatasetError(
            f"{images / without[0]}: no labels ({len(without)} of {len(found)} images have none); expected "
            f"{labels / without[0].with_suffix(LABEL_SUFFIX)}, or with one of {', '.join(LABEL_ENDINGS[1:])} at the "
            "end of the name"
        )
    return tuple(samples)


def _files(folder: Path) -> list[Path]:
    """Files below a folder, relative to it and sorted; hidden ones are left out, links are followed."""

    def refuse(error: OSError) -> None:
        raise DatasetError(f"{error.filename}: the folder cannot be listed ({error.strerror})") from error

    found = []
    for place, below, names in os.walk(folder, onerror=refuse, followlinks=True):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [Path(place, name).relative_to(folder) for name in names if not name.startswith(".")]
    return sorted(found)


def camvid(root: Path, split: str) -> LabelledFolder:
    """CamVid at 480x360 with 11 classes: ``root/<split>/images`` and ``labels``, 11 = void.

    Source: Brostow, Fauqueur, Cipolla, Pattern Recognition Letters 2009; split of the SegNet tutorial.
    """
    if split not in ("train", "val", "test"):
        raise DatasetError(f"CamVid has no split {split!r}; expected train, val or test")
    return paired_folder(root / split, 11, (11, UNLABELLED))
