"""Labelled images in folders: CamVid's layout, and any ``images/`` + ``labels/`` pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.types import UNLABELLED

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


class DatasetError(TrustSegError):
    """A data set that is missing, empty, or holds what its layout does not allow."""


@dataclass(frozen=True)
class Sample:
    """One labelled image on disk.

    Attributes:
        image: path of the image.
        labels: path of the label image, one class id per pixel.
        drive: name of the recording the image comes from ("" when the layout does not tell).
    """

    image: Path
    labels: Path
    drive: str = ""

    @property
    def name(self) -> str:
        """File name without its suffix."""
        return self.image.stem


@dataclass(frozen=True)
class LabelledFolder:
    """Samples of one split, and how their label values become class ids.

    Attributes:
        samples: the images, in order of their names.
        classes: number of classes q; label values 0..q-1.
        ignore: label values that mean "no class"; they are read as 255, as is 255 itself.

    Raises:
        DatasetError: an ignored value is the id of a class, or negative.
    """

    samples: tuple[Sample, ...]
    classes: int
    ignore: tuple[int, ...] = (UNLABELLED,)

    def __post_init__(self) -> None:
        wrong = sorted(value for value in self.ignore if value < self.classes)
        if wrong:
            raise DatasetError(
                f"ignored label values {wrong}: 0..{self.classes - 1} are the {self.classes} classes; "
                f"expected values from {self.classes} on. Leave ignore away to ignore what the label set says"
            )

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and labels (H, W) uint8, 255 = no class.

        Raises:
            DatasetError: a file cannot be read, sizes differ, or a label value is neither a class nor ignored.
        """
        image = read_image(sample.image)
        labels = cv2.imread(str(sample.labels), cv2.IMREAD_UNCHANGED)
        if labels is None or labels.ndim != 2:
            raise DatasetError(f"{sample.labels}: expected a readable one-channel label image")
        if labels.shape != image.shape[:2]:
            raise DatasetError(
                f"{sample.labels}: labels are {labels.shape[1]}x{labels.shape[0]}, "
                f"the image {sample.image.name} is {image.shape[1]}x{image.shape[0]}"
            )
        for value in self.ignore:  # before 16-bit labels become bytes: 256 is not 0
            labels[labels == value] = UNLABELLED
        foreign = np.unique(labels[(labels >= self.classes) & (labels != UNLABELLED)])
        if foreign.size:
            raise DatasetError(
                f"{sample.labels}: label values {foreign.tolist()} are outside 0..{self.classes - 1} "
                f"and not among the ignored {list(self.ignore)}"
            )
        return image, labels.astype(np.uint8)


def read_image(path: Path) -> np.ndarray:
    """An image file as (H, W, 3) uint8 RGB; raises DatasetError when it cannot be read."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)  # labels know nothing of EXIF
    if image is None:
        raise DatasetError(f"{path}: not a readable image ({'exists' if path.exists() else 'no such file'})")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def paired_folder(root: Path, classes: int, ignore: tuple[int, ...] = (UNLABELLED,)) -> LabelledFolder:
    """``root/images/*`` with ``root/labels/<same stem>.png``; drive = name up to the first underscore.

    Raises:
        DatasetError: a folder is missing or empty, an image has no labels, or ``ignore`` names a class.
    """
    images, labels = root / "images", root / "labels"
    for folder in (images, labels):
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder; expected images/ and labels/ below {root}")
    files = sorted(p for p in images.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DatasetError(f"{images}: no images (looked for {', '.join(IMAGE_SUFFIXES)})")
    samples = []
    for file in files:
        label = labels / f"{file.stem}.png"
        if not label.is_file():
            raise DatasetError(f"{file}: no labels; expected {label}")
        samples.append(Sample(file, label, file.stem.split("_")[0]))
    return LabelledFolder(tuple(samples), classes, ignore)


def camvid(root: Path, split: str) -> LabelledFolder:
    """CamVid in the 480x360, 11-class arrangement: ``root/<split>/images`` and ``labels``, 11 = void.

    Source: Brostow, Fauqueur, Cipolla, Pattern Recognition Letters 2009; split of the SegNet tutorial.
    """
    if split not in ("train", "val", "test"):
        raise DatasetError(f"CamVid has no split {split!r}; expected train, val or test")
    return paired_folder(root / split, 11, (11, UNLABELLED))
