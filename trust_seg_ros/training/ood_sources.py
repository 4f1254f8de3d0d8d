"""Where fine-tuning takes images from: labelled ones, and ones that show what the network must not know.

Out-of-distribution (OoD) folders lie on disk in one of three ways::

    ROOT/images/* + ROOT/labels/*.png         0 = not annotated or in distribution, 1 = OoD, 255 = void
    ROOT/images/* + ROOT/labels_masks/*.png   the same, the layout of SegmentMeIfYouCan (*_labels_semantic.png)
    ROOT/images/* + ROOT/unknown/*.png        above 0 = OoD, with the class ids of the rest in ROOT/labels:
                                              what `trust-seg synthetic` writes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from trust_seg_ros.datasets.folders import IMAGE_SUFFIXES, DatasetError, LabelledFolder, pair_up, read_image
from trust_seg_ros.datasets.image_files import read_values
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.datasets.synthetic import CLASS_NAMES, SyntheticSet, parse_synthetic_set
from trust_seg_ros.datasets.synthetic.sets import PREFIX
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.training.ood_losses import OOD
from trust_seg_ros.types import UNLABELLED

OOD_LAYOUTS = (
    "images/ with labels/ or labels_masks/ (PNG: 0 not annotated, 1 out of distribution, 255 void), or images/ with "
    "unknown/ as trust-seg synthetic writes them"
)
_MASK_ENDINGS = ("", "_labels_semantic")


_KEPT_BYTES = 512 << 20
"""Memory per synthetic set for scenes drawn already: drawing one costs about as much as training on it."""


class LabelledSource(Protocol):
    """Images with classes.

    Attributes:
        name: for people.
    """

    name: str

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
        classes: (H, W) uint8 class ids of the rest, 255 = no class; None when nobody annotated it.
    """

    image: np.ndarray
    truth: np.ndarray
    classes: np.ndarray | None = None

    def codes(self, keep_rest: bool) -> np.ndarray:
        """Training codes (H, W) uint8: ``OOD`` where it is, else the class if ``keep_rest``, else 255 = ignored."""
        rest = self.classes if keep_rest and self.classes is not None else np.full_like(self.truth, UNLABELLED)
        return np.where(self.truth == 1, np.uint8(OOD), rest)


@dataclass(frozen=True)
class OodSource:
    """Images of a folder, or scenes of the synthetic drive.

    Attributes:
        name: what it was asked for by.
        count: number of images.
        read: index -> image; raises DatasetError when a file is wrong.
        scenes: the synthetic set behind it, if there is one.
    """

    name: str
    count: int
    read: Callable[[int], OodImage]
    scenes: SyntheticSet | None = None

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
    """``scenes.read`` that remembers; what it gives is read-only."""

    @lru_cache(max(1, _KEPT_BYTES // (4 * scenes.size[0] * scenes.size[1])))
    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        image, labels = scenes.read(index)
        image.setflags(write=False)
        labels.setflags(write=False)
        return image, labels

    return read


def open_labelled(text: str, split: str, labels: LabelSet, ignore: tuple[int, ...] | None = None) -> LabelledSource:
    """In-distribution images: a folder of any layout of ``datasets.layouts``, or ``synthetic:seeds=...``.

    Raises:
        DatasetError: no such data set, or its classes are not the network's.
        SyntheticDriveError: the text after ``synthetic:`` is wrong.
    """
    if not text.startswith(PREFIX):
        return FolderSource(text, open_dataset(Path(text), split, labels, ignore))
    scenes = parse_synthetic_set(text)
    if scenes.kinds:
        raise DatasetError(f"{text}: kinds={','.join(scenes.kinds)} are out of distribution; leave kinds away here")
    if labels.names != CLASS_NAMES:
        raise DatasetError(
            f"{text}: the synthetic drive has the classes of camvid11, the network those of {labels.name!r}; "
            "expected data labelled for this network"
        )
    return SyntheticSource(text, scenes, _kept(scenes))


def open_ood(text: str, labels: LabelSet) -> OodSource:
    """Out-of-distribution images: a folder, see the module, or ``synthetic:seeds=...:kinds=...``.

    Args:
        text: what the user typed.
        labels: the network's; class ids of the rest are taken only where they are its own.

    Raises:
        DatasetError: no such folder or no known layout; the text lists the layouts.
        SyntheticDriveError: the text after ``synthetic:`` is wrong.
    """
    if text.startswith(PREFIX):
        return _drawn(text, parse_synthetic_set(text), labels)
    root = Path(text)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; expected out-of-distribution data: {OOD_LAYOUTS}, or {PREFIX}...")
    images = root / "images"
    if not images.is_dir():
        raise DatasetError(f"{root}: no images/ in it; expected {OOD_LAYOUTS}")
    if (root / "unknown").is_dir():
        return _numbered(text, root, labels)
    for name in ("labels_masks", "labels"):
        if (root / name).is_dir():
            return _masked(text, images, root / name)
    raise DatasetError(f"{root}: images/ but no labels; expected {OOD_LAYOUTS}")


def _drawn(text: str, scenes: SyntheticSet, labels: LabelSet) -> OodSource:
    if not scenes.kinds or scenes.rate == 0:
        raise DatasetError(f"{text}: no unknown objects; expected kinds=KIND,KIND (or kinds=all) and a rate above 0")

    draw, known = _kept(scenes), labels.names == CLASS_NAMES

    def read(index: int) -> OodImage:
        image, classes = draw(index)
        return OodImage(image, (classes == UNLABELLED).astype(np.uint8), classes if known else None)

    return OodSource(text, len(scenes), read, scenes)


def _numbered(text: str, root: Path, labels: LabelSet) -> OodSource:
    samples = pair_up(root / "images", root / "unknown")
    known = LabelledFolder(pair_up(root / "images", root / "labels"), len(labels)) if _has_labels(root) else None

    def read(index: int) -> OodImage:
        numbers = read_values(samples[index].labels)
        image, classes = (read_image(samples[index].image), None) if known is None else known.read(known.samples[index])
        _same_size(samples[index].labels, numbers, image)
        return OodImage(image, (numbers > 0).astype(np.uint8), classes)

    return OodSource(text, len(samples), read)


def _has_labels(root: Path) -> bool:
    return (root / "labels").is_dir()


def _masked(text: str, images: Path, masks: Path) -> OodSource:
    files = sorted(p for p in images.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    # the benchmarks publish more images than masks
    pairs = [(file, mask) for file in files if (mask := _mask_of(file, masks)) is not None]
    if not pairs:
        raise DatasetError(f"{images}: {len(files)} images, none of which has a mask NAME.png in {masks}")

    def read(index: int) -> OodImage:
        file, path = pairs[index]
        image, truth = read_image(file), read_values(path)
        _same_size(path, truth, image)
        if truth.max(initial=0) > 1:
            foreign = np.unique(truth[(truth > 1) & (truth != UNLABELLED)])
            if foreign.size:
                raise DatasetError(
                    f"{path}: label values {foreign[:10].tolist()}; expected 0 (not annotated), 1 (out of "
                    "distribution) and 255 (void): class ids or other codes must be rewritten to these"
                )
        return OodImage(image, truth.astype(np.uint8))

    return OodSource(text, len(pairs), read)


def _mask_of(image: Path, masks: Path) -> Path | None:
    return next((p for end in _MASK_ENDINGS if (p := masks / f"{image.stem}{end}.png").is_file()), None)


def _same_size(path: Path, values: np.ndarray, image: np.ndarray) -> None:
    if values.shape != image.shape[:2]:
        raise DatasetError(
            f"{path}: labels are {values.shape[1]}x{values.shape[0]}, the image {image.shape[1]}x{image.shape[0]}"
        )
