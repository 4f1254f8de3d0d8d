"""Cityscapes: a folder per city, and label files of two kinds.

Source: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016, and the ids of its
public scripts.
"""

from __future__ import annotations

from pathlib import Path, PurePath

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.folders import LabelledFolder, Sample
from trust_seg_ros.datasets.image_files import LABEL_SUFFIX
from trust_seg_ros.datasets.names import NamedFiles, listed, plain
from trust_seg_ros.types import UNLABELLED

_JUDGED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
CITYSCAPES_TRAIN_IDS = tuple(_JUDGED_IDS.index(value) if value in _JUDGED_IDS else UNLABELLED for value in range(34))
"""Train id (0 road … 18 bicycle) of the label ids 0..33 of Cityscapes; 255 for ids that are not evaluated."""
_IMAGE_ENDING = "_leftImg8bit"


def open_cityscapes(images: Path, truth: Path, ignore: tuple[int, ...]) -> LabelledFolder:
    """The labelled images of one split.

    Args:
        images, truth: folders of images and labels, with a folder per city.
        ignore: label values without a class.

    Raises:
        DatasetError: no images, or images without labels.
    """
    files = [path for path in listed(images) if len(path.parts) == 2 and path.stem.endswith(_IMAGE_ENDING)]
    files = [path for path in files if path.suffix.lower() == LABEL_SUFFIX]
    if not files:
        raise DatasetError(f"{images}: no images; expected CITY/*{_IMAGE_ENDING}.png")
    there = NamedFiles(truth)
    without: list[list[Path]] = []
    for kind, table in (("labelTrainIds", ()), ("labelIds", CITYSCAPES_TRAIN_IDS)):
        samples = [_sample(images, file, there, kind) for file in files]
        missing = [file for file, sample in zip(files, samples, strict=True) if sample is None]
        if not missing:
            return LabelledFolder(tuple(filter(None, samples)), len(_JUDGED_IDS), ignore, table)
        without.append(missing)
    fewest = min(without, key=len)
    raise DatasetError(
        f"{images / fewest[0]}: no labels ({len(fewest)} of {len(files)} images have none); expected "
        f"{truth / _name(fewest[0])}_gtFine_labelTrainIds.png or ..._labelIds.png, one kind for all"
    )


def _sample(images: Path, file: Path, there: NamedFiles, kind: str) -> Sample | None:
    """Image and labels; None if there are no labels of this kind."""
    name = _name(file)
    labels = there.find(f"{name}_gtFine_{kind}{LABEL_SUFFIX}")
    return None if labels is None else Sample(images / file, labels, name.parent.name, name.name)


def _name(file: Path) -> PurePath:
    """``CITY/NAME`` of an image."""
    name = PurePath(plain(file))
    return name.with_name(name.stem.removesuffix(_IMAGE_ENDING))
