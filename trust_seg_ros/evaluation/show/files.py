"""Files of ``trust-seg show``: images, their ground truth, and the pictures to write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

import cv2
import numpy as np

from trust_seg_ros.datasets.cityscapes import CITYSCAPES_TRAIN_IDS
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.folders import IMAGE_SUFFIXES, LABEL_ENDINGS, LabelledFolder, Sample
from trust_seg_ros.datasets.image_files import LABEL_SUFFIX
from trust_seg_ros.datasets.label_map import LabelMap
from trust_seg_ros.datasets.names import NamedFiles, plain
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.resumable import whole_file

ENDING = ".trust.png"
_PACKED = (cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED)
_CITYSCAPES_IMAGE = "_leftImg8bit"
_CITYSCAPES_TRUTH = ("_gtFine_labelTrainIds", "_gtFine_labelIds")


class ShowError(TrustSegError):
    """Images cannot be shown as asked."""


def find_images(given: Sequence[Path]) -> list[Path]:
    """The named images and the images in named folders, without pictures written by this command.

    Raises:
        DatasetError: a file or folder does not exist, or a folder has no images.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += _images_in(path)
        elif path.is_file():
            found.append(path)
        else:
            raise DatasetError(f"{path}: no such file or folder; expected an image, or a folder of images")
    return list(dict.fromkeys(found))


def _images_in(folder: Path) -> list[Path]:
    found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    found = sorted(p for p in found if not p.name.endswith(ENDING) and not p.name.startswith("."))
    if not found:
        below = sorted(p.name for p in folder.iterdir() if p.is_dir())
        hint = f"; it holds the folders {', '.join(below[:8])}: name one of them" if below else ""
        raise DatasetError(f"{folder}: no images in this folder (looked for {', '.join(IMAGE_SUFFIXES)}){hint}")
    return found


def find_truth(images: Sequence[Path], truth: Path) -> list[Path]:
    """The label file of each image: ``truth`` itself, or the file in the folder ``truth`` named like the image.

    Raises:
        DatasetError: an image has no label file, or ``truth`` is one file for several images.
    """
    if truth.is_dir():
        there = NamedFiles(truth, deep=False)
        return [_truth_in(there, image) for image in images]
    if not truth.is_file():
        raise DatasetError(f"--truth {truth}: no such file or folder; expected a label image or a folder of them")
    if len(images) > 1:
        raise DatasetError(f"--truth {truth} is one file for {len(images)} images; expected a folder of label images")
    return [truth]


def _truth_in(there: NamedFiles, image: Path) -> Path:
    stem = PurePath(plain(image.name)).stem
    names = [stem + ending for ending in LABEL_ENDINGS]
    if stem.endswith(_CITYSCAPES_IMAGE):
        names = [stem.removesuffix(_CITYSCAPES_IMAGE) + ending for ending in _CITYSCAPES_TRUTH] + names
    for name in names:
        path = there.find(name + LABEL_SUFFIX)
        if path is not None and path.resolve() != image.resolve():
            return path
    raise DatasetError(f"{image}: no ground truth in {there.folder}; expected a label image {names[0]}{LABEL_SUFFIX}")


def label_readers(
    images: Sequence[Path],
    truths: Sequence[Path],
    classes: int,
    ignore: tuple[int, ...],
    label_map: LabelMap | None = None,
) -> tuple[LabelledFolder, ...]:
    """Readers for images with their ground truth; label ids of Cityscapes become its 19 classes.

    Returns:
        One reader for label ids of Cityscapes, one for other label files, where there are both; each image is a sample
        of one of them, with its path as the name.

    Raises:
        DatasetError: an ignored value is a class, or label ids of Cityscapes for a network with other classes.
    """
    pairs: dict[tuple[int, ...], list[Sample]] = {}
    for image, truth in zip(images, truths, strict=True):
        ids = plain(truth.stem).endswith(_CITYSCAPES_TRUTH[1])
        if ids and classes != 19 and label_map is None:
            raise DatasetError(
                f"{truth}: label ids of Cityscapes stand for 19 classes; the network has {classes}: map them to its "
                "classes with --label-map"
            )
        pairs.setdefault(CITYSCAPES_TRAIN_IDS if ids else (), []).append(Sample(image, truth, name=str(image)))
    return tuple(LabelledFolder(tuple(s), classes, ignore, table, label_map) for table, s in pairs.items())


def places(images: Sequence[Path], out: Path | None) -> list[Path]:
    """Path of each image's picture: NAME.trust.png in a folder, made if needed, or the file ``out`` itself.

    Raises:
        ShowError: two pictures would have the same path; one file for several images; a file of another type.
    """
    if out is not None and out.suffix and not out.is_dir():
        if out.suffix.lower() != ".png":
            raise ShowError(f"--out {out}: pictures are PNG files; expected a name that ends in .png, or a folder")
        if len(images) > 1:
            raise ShowError(f"--out {out} is one file for {len(images)} images; expected a folder")
        found = [out]
    else:
        if out is not None and out.exists() and not out.is_dir():
            raise ShowError(f"--out {out} is a file; expected a folder, or a file that ends in .png")
        found = [(out or Path()) / (image.stem + ENDING) for image in images]
    taken: dict[Path, Path] = {}
    for image, place in zip(images, found, strict=True):
        if place in taken:
            raise ShowError(f"{taken[place]} and {image} would both be written to {place}; show one at a time")
        taken[place] = image
    return found


def keep_inputs(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Refuse to overwrite input files.

    Raises:
        ShowError: a file would be both read and written.
    """
    read = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in read:
            raise ShowError(f"{path} is an input file, and would be overwritten; choose another output path")


def make_folder(path: Path) -> None:
    """Make the folder for an output file.

    Raises:
        ShowError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ShowError(f"{path}: the folder {path.parent} cannot be made ({error.strerror})") from error


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB as PNG, atomically.

    Raises:
        ShowError: it cannot be written.
    """
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _PACKED)
    write_file(path, data.tobytes())


def write_file(path: Path, data: bytes) -> None:
    """Write a file, atomically.

    Raises:
        ShowError: it cannot be written.
    """
    try:
        with whole_file(path, path.with_name(f".{path.name}.part")) as place:
            place.write_bytes(data)
    except OSError as error:
        raise ShowError(f"{path}: cannot be written ({error.strerror})") from error
