"""Data sets with marked out-of-distribution (OoD) objects: layouts of the public benchmarks, and our own.

The rows of ``OOD_LAYOUTS`` say where the files of each layout are.

Sources: Chan et al., SegmentMeIfYouCan, NeurIPS 2021; Blum et al., Fishyscapes, IJCV 2021; Pinggera et al., Lost and
Found, IROS 2016; Lis et al., Detecting the Unexpected via Image Resynthesis, ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES, read_image, read_values
from trust_seg_ros.datasets.names import NamedFiles, listed, plain
from trust_seg_ros.datasets.ood_coding import LOST_AND_FOUND, MASKS, NUMBERS, ROAD_ANOMALY, Coding

_CAMERA, _FISHY = "_leftImg8bit", "_labels"


@dataclass(frozen=True)
class OodImages:
    """Images with OoD objects marked.

    Attributes:
        name: of the data set.
        layout: name of its layout on disk.
        names: one per image.
        read: index -> image (H, W, 3) uint8 RGB and truth (H, W) uint8: 0 in distribution, 1 OoD, 255 void; raises
            DatasetError if a file is wrong.
        without: number of images left out because they have no labels (public benchmarks keep some back).
    """

    name: str
    layout: str
    names: tuple[str, ...]
    read: Callable[[int], tuple[np.ndarray, np.ndarray]]
    without: int = 0

    def __len__(self) -> int:
        return len(self.names)


def open_ood_folder(folder: str | Path, split: str = "test") -> OodImages:
    """Open a folder of images with OoD objects in one of the layouts below.

    Args:
        folder: ``~`` is the home directory.
        split: split of LostAndFound; ignored for other layouts.

    Raises:
        DatasetError: no such folder, no known layout, no labelled image; the text lists the layouts.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; expected {known_layouts()}")
    try:
        for layout in OOD_LAYOUTS:
            found = layout.find(root, split)
            if found is not None:
                return _files(root, layout.name, layout.coding, *found)
        inside = ", ".join(sorted(path.name for path in root.iterdir())[:12])
    except OSError as error:
        raise DatasetError(f"{root}: the data set cannot be listed ({error})") from error
    raise DatasetError(f"{root}: no known layout; expected {known_layouts()}. It holds {inside or 'nothing'}")


Pairs = tuple[list[tuple[str, Path, Path]], int]
"""(name, image, labels) of every labelled image, and the number of images without labels."""


@dataclass(frozen=True, kw_only=True)
class OodLayout:
    """One layout of images with OoD objects on disk.

    Attributes:
        name: shown to users.
        images, labels: the files, in Markdown.
        find: folder of the data set, name of a split -> the files, or None if it is another layout; raises
            DatasetError if a part is missing.
        coding: meaning of the values in the label files.
    """

    name: str
    images: str
    labels: str
    find: Callable[[Path, str], Pairs | None]
    coding: Coding


def known_layouts() -> str:
    """All layouts in words, for messages."""
    words = [f"{row.images} with {row.labels} ({row.name})".replace("`", "") for row in OOD_LAYOUTS]
    return (
        f"{', '.join(words)}, synthetic:seeds=FIRST-LAST:kinds=all, or pasted:objects=FOLDER:on=FOLDER:seeds=FIRST-LAST"
    )


def ood_layout_table() -> str:
    """The table of layouts in docs/benchmark_ood.md."""
    rows = ["| layout | images | labels | OoD |", "|---|---|---|---|"]
    rows += [f"| {row.name} | {row.images} | {row.labels} | {row.coding.words} |" for row in OOD_LAYOUTS]
    return "\n".join(rows) + "\n"


def _files(root: Path, layout: str, coding: Coding, pairs: list[tuple[str, Path, Path]], without: int) -> OodImages:
    if not pairs:
        raise DatasetError(f"{root}: the layout of {layout}, but no image with labels ({without} without)")

    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        _, file, labels = pairs[index]
        image, values = read_image(file), read_values(labels)
        if values.shape != image.shape[:2]:
            raise DatasetError(
                f"{labels}: labels are {values.shape[1]}x{values.shape[0]}, the image {image.shape[1]}x{image.shape[0]}"
            )
        return image, coding.truth(values, labels)

    return OodImages(root.resolve().name, layout, tuple(name for name, _, _ in pairs), read, without)


def _images(folder: Path, deep: bool = False, end: str = "") -> list[Path]:
    """Images of a folder, or also below it, relative to it; ``end`` is how their names end, without suffix."""
    found = (path for path in listed(folder, deep=deep) if path.stem.endswith(end))
    return [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]


def _paired(
    folder: Path, images: list[Path], truth: Path, labels_of: Callable[[PurePath], list[str]], cut: str = ""
) -> Pairs:
    """Pair images with the first of their possible label files that exists.

    Args:
        folder: folder of the images.
        images: relative to it.
        truth: folder of the label files.
        labels_of: plain name of an image, without suffix -> names of label files, relative to ``truth``.
        cut: what is left out at the end of the images' names.
    """
    there = NamedFiles(truth)
    pairs = []
    for file in images:
        name = PurePath(plain(file)).with_suffix("")
        found = (there.find(option) for option in labels_of(name))
        labels = next((path for path in found if path is not None), None)
        if labels is not None:
            pairs.append((name.name.removesuffix(cut), folder / file, labels))
    return pairs, len(images) - len(pairs)


def _masks(root: Path, _: str) -> Pairs | None:
    images, masks = root / "images", root / "labels_masks"
    if not (images.is_dir() and masks.is_dir()):
        return None
    ends = ("_labels_semantic", "")
    return _paired(images, _images(images), masks, lambda name: [f"{name}{end}.png" for end in ends])


def _numbered(root: Path, _: str) -> Pairs | None:
    images, numbers = root / "images", root / "unknown"
    if not (images.is_dir() and numbers.is_dir()):
        return None
    return _paired(images, _images(images), numbers, lambda name: [f"{name}.png"])


def _fishyscapes(root: Path, _: str) -> Pairs | None:
    places = [place for place in (root / "fishyscapes_lostandfound", root / "labels") if place.is_dir()]
    truths = ((place, _images(place, end=_FISHY)) for place in places)
    found = ((place, [file for file in files if file.name[0].isdigit()]) for place, files in truths)
    folder, files = next(((place, files) for place, files in found if files), (root, []))
    cameras = [place for place in (root / "leftImg8bit", root / "laf_images") if place.is_dir()]
    if not files or not cameras:
        return None
    photos = {PurePath(plain(file)).stem: c / file for c in cameras for file in _images(c, deep=True, end=_CAMERA)}
    pairs, without = [], 0
    for file in files:
        number = PurePath(plain(file)).stem.removesuffix(_FISHY)  # NNNN_NAME
        name = number.partition("_")[2]
        photo = photos.get(name + _CAMERA)
        if photo is None:
            raise DatasetError(
                f"{folder / file}: no image {name}{_CAMERA}.png below {cameras[0]}; copy it from LostAndFound"
            )
        pairs.append((number, photo, folder / file))
    return pairs, without


def _lost_and_found(root: Path, split: str) -> Pairs | None:
    images, truth = root / "leftImg8bit", root / "gtCoarse"
    if not (images.is_dir() and truth.is_dir()):
        return None
    if not (images / split).is_dir():
        there = ", ".join(sorted(path.name for path in images.iterdir() if path.is_dir()))
        raise DatasetError(f"{root}: LostAndFound without a split {split!r}; there are: {there or 'none'}")

    def labels_of(name: PurePath) -> list[str]:
        base = f"{split}/{name.as_posix().removesuffix(_CAMERA)}_gtCoarse_"
        return [f"{base}{kind}.png" for kind in ("labelIds", "labelTrainIds")]

    return _paired(images / split, _images(images / split, deep=True, end=_CAMERA), truth, labels_of, _CAMERA)


def _road_anomaly(root: Path, _: str) -> Pairs | None:
    frames = root if any(root.glob("*.labels")) else root / "frames"
    if not any(frames.glob("*.labels/labels_semantic.*")):
        return None
    return _paired(frames, _images(frames), frames, lambda name: [f"{name}.labels/labels_semantic.png"])


def _plain(root: Path, _: str) -> Pairs | None:
    images = next((place for place in (root / "images", root / "original") if place.is_dir()), None)
    labels = root / "labels"
    if images is None or not labels.is_dir():
        return None
    return _paired(images, _images(images), labels, lambda name: [f"{name}{end}.png" for end in ("", _FISHY)])


OOD_LAYOUTS: tuple[OodLayout, ...] = (
    OodLayout(
        name="SegmentMeIfYouCan",
        images="`images/NAME.*`",
        labels="`labels_masks/NAME_labels_semantic.png`",
        find=_masks,
        coding=MASKS,
    ),
    OodLayout(
        name="trust-seg synthetic",
        images="`images/NAME.png`",
        labels="`unknown/NAME.png`",
        find=_numbered,
        coding=NUMBERS,
    ),
    OodLayout(
        name="RoadAnomaly",
        images="`frames/NAME.*`",
        labels="`frames/NAME.labels/labels_semantic.png`",
        find=_road_anomaly,
        coding=ROAD_ANOMALY,
    ),
    OodLayout(
        name="Fishyscapes Lost and Found",
        images="`leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png` or `laf_images/`",
        labels="`fishyscapes_lostandfound/NNNN_NAME_labels.png` or `labels/`",
        find=_fishyscapes,
        coding=MASKS,
    ),
    OodLayout(
        name="LostAndFound",
        images="`leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png`",
        labels="`gtCoarse/SPLIT/CITY/NAME_gtCoarse_labelIds.png` or `…labelTrainIds.png`",
        find=_lost_and_found,
        coding=LOST_AND_FOUND,
    ),
    OodLayout(
        name="images with labels",
        images="`images/` or `original/`",
        labels="`labels/NAME.png`",
        find=_plain,
        coding=MASKS,
    ),
)
"""Every layout; the first that finds something is used."""
