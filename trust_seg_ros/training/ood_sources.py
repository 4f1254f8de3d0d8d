"""Image sources of fine-tuning: labelled images, and images with out-of-distribution (OoD) objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from trust_seg_ros.datasets.folders import DatasetError, LabelledFolder, pair_up
from trust_seg_ros.datasets.label_map import LabelMap
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.datasets.pasted import PREFIX as PASTED
from trust_seg_ros.datasets.pasted import parse_pasted_set
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.synthetic import CLASS_NAMES, SyntheticSet, parse_synthetic_set
from trust_seg_ros.synthetic.sets import PREFIX
from trust_seg_ros.training.ood_losses import OOD
from trust_seg_ros.types import UNLABELLED

_KEPT_BYTES = 512 << 20
"""Memory per synthetic set for caching scenes: drawing one costs about as much as training on it."""


class LabelledSource(Protocol):
    """Images with classes."""

    @property
    def name(self) -> str:
        """For people."""

    def __len__(self) -> int:
        """Number of images."""

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and class ids (H, W) uint8, 255 = no class."""


@dataclass(frozen=True)
class OodImage:
    """An image with objects of no class.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) uint8; 1 = out of distribution, 255 = void, 0 = anything else.
        classes: (H, W) uint8 class ids of the other pixels, 255 = no class; None if they are not annotated.
    """

    image: np.ndarray
    truth: np.ndarray
    classes: np.ndarray | None = None

    def codes(self, keep_rest: bool) -> np.ndarray:
        """Training codes (H, W) uint8: ``OOD`` on OoD pixels, else the class if ``keep_rest``, else 255 = ignored."""
        rest = self.classes if keep_rest and self.classes is not None else np.full_like(self.truth, UNLABELLED)
        return np.where(self.truth == 1, np.uint8(OOD), rest)


@dataclass(frozen=True)
class OodSource:
    """Images of a folder, or scenes of the synthetic drive.

    Attributes:
        name: the text that the source was opened with.
        count: number of images.
        read: index -> image; raises DatasetError when a file is wrong.
        has_classes: pixels around OoD objects have classes of the network.
    """

    name: str
    count: int
    read: Callable[[int], OodImage]
    has_classes: bool = False

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True)
class FolderSource:
    """A labelled folder as a ``LabelledSource``."""

    name: str
    folder: LabelledFolder

    def __len__(self) -> int:
        return len(self.folder)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """See ``LabelledSource``; raises DatasetError when a file is wrong."""
        return self.folder.read(self.folder.samples[index])


@dataclass(frozen=True)
class SyntheticSource:
    """Scenes of the synthetic drive without unknown objects as a ``LabelledSource``."""

    name: str
    scenes: SyntheticSet
    read: Callable[[int], tuple[np.ndarray, np.ndarray]]

    def __len__(self) -> int:
        return len(self.scenes)


def _kept(scenes: SyntheticSet) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """``scenes.read`` with a cache; the arrays returned are read-only."""

    @lru_cache(max(1, _KEPT_BYTES // (4 * scenes.size[0] * scenes.size[1])))
    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        image, labels = scenes.read(index)
        image.setflags(write=False)
        labels.setflags(write=False)
        return image, labels

    return read


def open_labelled(
    text: str,
    split: str,
    labels: LabelSet,
    ignore: tuple[int, ...] | None = None,
    label_map: LabelMap | None = None,
) -> LabelledSource:
    """In-distribution images: a folder of any layout of ``datasets.layouts``, or ``synthetic:seeds=...``.

    Raises:
        DatasetError: no such data set, or its classes are not the network's.
        SyntheticDriveError: the text after ``synthetic:`` is wrong.
    """
    if not text.startswith(PREFIX):
        return FolderSource(text, open_dataset(Path(text), split, labels, ignore, label_map))
    scenes = parse_synthetic_set(text)
    if scenes.kinds:
        raise DatasetError(f"{text}: kinds={','.join(scenes.kinds)} are out of distribution; leave kinds out here")
    if labels.names != CLASS_NAMES:
        raise DatasetError(
            f"{text}: the synthetic drive has the classes of camvid11, the network has {labels.name!r}; "
            "expected data labelled for this network"
        )
    return SyntheticSource(text, scenes, _kept(scenes))


def open_ood(text: str, labels: LabelSet) -> OodSource:
    """Images with OoD objects, as ``datasets.ood_layouts`` finds them; for LostAndFound the split train.

    Pixels around the objects have classes in labelled street scenes with pasted objects (``pasted:...``), and in the
    synthetic drive, drawn or on disk (``unknown/`` beside ``labels/``), if the network has the drive's classes.

    Raises:
        DatasetError: no such data, no known layout, or an image of ``labels/`` is missing.
        SyntheticDriveError: the text after ``synthetic:`` is wrong.
    """
    if text.startswith(PASTED):
        scenes = parse_pasted_set(text, labels)
        return OodSource(text, len(scenes), lambda index: OodImage(*scenes.read(index)), True)
    images = open_ood_images(text, "train")
    if text.startswith(PREFIX):
        return _drawn(text, parse_synthetic_set(text), labels)
    root = Path(text).expanduser()
    if (root / "unknown").is_dir() and (root / "labels").is_dir() and labels.names == CLASS_NAMES:
        return _with_classes(text, images, root, labels)
    return OodSource(text, len(images), lambda index: OodImage(*images.read(index)))


def _drawn(text: str, scenes: SyntheticSet, labels: LabelSet) -> OodSource:
    draw, known = _kept(scenes), labels.names == CLASS_NAMES

    def read(index: int) -> OodImage:
        image, classes = draw(index)
        return OodImage(image, (classes == UNLABELLED).astype(np.uint8), classes if known else None)

    return OodSource(text, len(scenes), read, known)


def _with_classes(text: str, images: OodImages, root: Path, labels: LabelSet) -> OodSource:
    folder = LabelledFolder(pair_up(root / "images", root / "labels"), len(labels), labels.without_class)
    samples = {sample.name: sample for sample in folder}

    def read(index: int) -> OodImage:
        image, truth = images.read(index)
        return OodImage(image, truth, folder.read(samples[images.names[index]])[1])

    return OodSource(text, len(images), read, True)
