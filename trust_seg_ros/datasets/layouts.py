"""Find out how a data set lies on disk: Cityscapes, CamVid, or any images/ + labels/ pair.

::

    ROOT/leftImg8bit/SPLIT/CITY/*_leftImg8bit.png      Cityscapes, with ROOT/gtFine/SPLIT/CITY/*_gtFine_labelTrainIds.png
                                                       or *_gtFine_labelIds.png
    ROOT/SPLIT/images/* + ROOT/SPLIT/labels/*.png      images/ + labels/, as CamVid in ../shared/data
    ROOT/images/SPLIT/* + ROOT/labels/SPLIT/*.png
    ROOT/images/*       + ROOT/labels/*.png            the same without splits
    ROOT/SPLIT/*        + ROOT/SPLITannot/*.png        CamVid as the SegNet tutorial has it
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.folders import DatasetError, LabelledFolder, Sample, pair_up
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.types import UNLABELLED

_FORMS = (
    "leftImg8bit/SPLIT/ with gtFine/SPLIT/ (Cityscapes), SPLIT/images/ with SPLIT/labels/, images/SPLIT/ with "
    "labels/SPLIT/, images/ with labels/ (no splits), or SPLIT/ with SPLITannot/ (CamVid)"
)
_TRAIN_IDS = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9}
_TRAIN_IDS |= {23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18}
"""Cityscapes' label ids of the 19 classes that are evaluated, and their train ids."""


def open_dataset(
    root: Path, split: str | None, labels: LabelSet, ignore: tuple[int, ...] | None = None
) -> LabelledFolder:
    """The labelled images of one split, whatever the layout.

    Args:
        root: folder of the data set.
        split: name of the split; None or "" for a data set without splits.
        labels: the classes; label values are positions in it.
        ignore: label values without a class; None = what the label set says, and 255.

    Raises:
        DatasetError: no known layout, no such split, an image without labels, or an ignored value is a class.
    """
    values = labels.without_class if ignore is None else tuple(ignore)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; expected a data set: {_FORMS}")
    if (root / "leftImg8bit").is_dir():
        return _cityscapes(root, _known(split, root / "leftImg8bit"), labels, values)
    for images, truth in _pairs(root, split):
        if images.is_dir() and truth.is_dir():
            return LabelledFolder(pair_up(images, truth), len(labels), values)
    raise DatasetError(_not_found(root, split))


def has_splits(root: Path) -> bool:
    """False for a data set whose images lie in ROOT/images themselves."""
    images = root / "images"
    return not (images.is_dir() and any(p.is_file() for p in images.iterdir()))


def _pairs(root: Path, split: str | None) -> list[tuple[Path, Path]]:
    plain = [(root / "images", root / "labels")]
    if not split:
        return plain
    found = [
        (root / split / "images", root / split / "labels"),
        (root / "images" / split, root / "labels" / split),
        (root / split, root / f"{split}annot"),
    ]
    return found if has_splits(root) else [*found, *plain]


def _not_found(root: Path, split: str | None) -> str:
    folders = sorted(p.name for p in root.iterdir() if p.is_dir())
    there = f"there are the folders {', '.join(folders)}" if folders else "it holds no folder"
    return f"{root}: no labelled images{f' of split {split!r}' if split else ''}; expected {_FORMS}; {there}"


def _known(split: str | None, folder: Path) -> str:
    splits = sorted(p.name for p in folder.iterdir() if p.is_dir())
    if not split or split not in splits:
        raise DatasetError(f"{folder}: no split {split!r}; there are: {', '.join(splits) or 'none'}")
    return split


def _cityscapes(root: Path, split: str, labels: LabelSet, ignore: tuple[int, ...]) -> LabelledFolder:
    """Cordts et al., CVPR 2016; drive = city."""
    if len(labels) != 19:
        raise DatasetError(
            f"{root}: Cityscapes' layout has 19 classes, the labels {labels.name!r} have {len(labels)}; "
            "use the labels cityscapes19, or write the label images yourself as images/ and labels/"
        )
    images = sorted((root / "leftImg8bit" / split).glob("*/*_leftImg8bit.*"))
    if not images:
        raise DatasetError(f"{root / 'leftImg8bit' / split}: no CITY/*_leftImg8bit.png below it")
    samples, by_id = [], False
    for image in images:
        name = image.stem.removesuffix("_leftImg8bit")
        truth = root / "gtFine" / split / image.parent.name
        train_ids, ids = (truth / f"{name}_gtFine_{kind}.png" for kind in ("labelTrainIds", "labelIds"))
        if not train_ids.is_file() and not ids.is_file():
            raise DatasetError(f"{image}: no labels; expected {train_ids} or {ids}")
        if samples and by_id != (not train_ids.is_file()):
            raise DatasetError(
                f"{train_ids.parent}: labelTrainIds for some images and only labelIds for others; expected one kind"
            )
        by_id = not train_ids.is_file()
        samples.append(Sample(image, ids if by_id else train_ids, image.parent.name, name))
    return LabelledFolder(tuple(samples), 19, ignore, _train_ids() if by_id else None)


def _train_ids() -> np.ndarray:
    """(256,) uint8: label id -> train id, 255 for those without."""
    table = np.full(256, UNLABELLED, np.uint8)
    for label, train in _TRAIN_IDS.items():
        table[label] = train
    return table
