"""Data sets with marked out-of-distribution (OoD) objects: layouts of the public benchmarks, and our own.

The rows of ``OOD_LAYOUTS`` say where the files of each layout are.

Sources: Chan et al., SegmentMeIfYouCan, NeurIPS 2021; Blum et al., Fishyscapes, IJCV 2021; Pinggera et al., Lost and
Found, IROS 2016; Lis et al., Detecting the Unexpected via Image Resynthesis, ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES, read_image, read_values
from trust_seg_ros.synthetic import SyntheticSet, parse_synthetic_set
from trust_seg_ros.synthetic.sets import PREFIX
from trust_seg_ros.types import UNLABELLED

_CAMERA, _FISHY = "_leftImg8bit", "_labels"


@dataclass(frozen=True)
class Coding:
    """Meaning of the values in a label file; other values are refused.

    Attributes:
        layout: name of the layout that uses these values, for messages.
        inside, void: values in distribution, and values that are ignored.
        ood: values out of distribution.
    """

    layout: str
    inside: tuple[int, ...]
    ood: range
    void: tuple[int, ...] = (UNLABELLED,)

    def truth(self, values: np.ndarray, path: Path) -> np.ndarray:
        """(H, W) uint8: 0 in distribution, 1 OoD, 255 void.

        Raises:
            DatasetError: there are other values.
        """
        table = np.full(1 << (8 * values.dtype.itemsize), 2, np.uint8)
        table[list(self.inside)], table[self.ood.start : self.ood.stop], table[list(self.void)] = 0, 1, UNLABELLED
        truth = table[values]
        if (truth == 2).any():
            foreign = np.unique(values[truth == 2])
            raise DatasetError(
                f"{path}: label values {foreign[:10].tolist()}{' and more' if len(foreign) > 10 else ''}; expected "
                f"the values of {self.layout}: {self.words}. Class ids and other codes must be rewritten to these"
            )
        return truth

    @property
    def words(self) -> str:
        """The values in words."""
        ood = str(self.ood.start) if len(self.ood) == 1 else f"{self.ood.start}..{self.ood.stop - 1}"
        inside, void = (", ".join(map(str, values)) for values in (self.inside, self.void))
        return f"{inside} in distribution, {ood} out of it, {void or 'none'} void"


MASKS = Coding("SegmentMeIfYouCan and Fishyscapes", (0,), range(1, 2))
ROAD_ANOMALY = Coding("RoadAnomaly", (0, 1), range(2, 3))
LOST_AND_FOUND = Coding("LostAndFound", (1,), range(2, 44), (0, UNLABELLED))
NUMBERS = Coding("trust-seg synthetic", (0,), range(1, 256), ())


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


def open_ood_images(text: str, split: str = "test") -> OodImages:
    """Open images with OoD objects: a folder in one of the layouts above, or ``synthetic:seeds=...:kinds=...``.

    Args:
        text: what the user typed; ``~`` is the home directory.
        split: split of LostAndFound; ignored for other layouts.

    Raises:
        DatasetError: no such folder, no known layout, no labelled image; the text lists the layouts.
        SyntheticDriveError: the text after ``synthetic:`` is wrong.
    """
    if text.startswith(PREFIX):
        return _drawn(text, parse_synthetic_set(text))
    root = Path(text).expanduser()
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
    return f"{', '.join(words)}, or {PREFIX}seeds=FIRST-LAST:kinds=all"


def ood_layout_table() -> str:
    """The table of layouts in docs/benchmark_ood.md."""
    rows = ["| layout | images | labels | OoD |", "|---|---|---|---|"]
    rows += [f"| {row.name} | {row.images} | {row.labels} | {row.coding.words} |" for row in OOD_LAYOUTS]
    return "\n".join(rows) + "\n"


def _drawn(text: str, scenes: SyntheticSet) -> OodImages:
    if not scenes.kinds or scenes.rate == 0:
        raise DatasetError(f"{text}: no unknown objects; expected kinds=KIND,KIND (or kinds=all) and a rate above 0")

    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        image, classes = scenes.read(index)
        return image, (classes == UNLABELLED).astype(np.uint8)

    names = tuple(f"seed{seed}" for seed in range(scenes.first, scenes.last + 1))
    return OodImages(text, "the synthetic drive", names, read)


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


def _images(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(p for p in folder.glob(pattern) if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))


def _paired(images: list[Path], labels_of: Callable[[Path], list[Path]], cut: str = "") -> Pairs:
    """Pair images with the first of their possible label files that exists."""
    found = [(file, next((p for p in labels_of(file) if p.is_file()), None)) for file in images]
    pairs = [(file.stem.removesuffix(cut), file, labels) for file, labels in found if labels is not None]
    return pairs, len(images) - len(pairs)


def _masks(root: Path, _: str) -> Pairs | None:
    images, masks = root / "images", root / "labels_masks"
    if not (images.is_dir() and masks.is_dir()):
        return None
    ends = ("_labels_semantic", "")
    return _paired(_images(images), lambda file: [masks / f"{file.stem}{end}.png" for end in ends])


def _numbered(root: Path, _: str) -> Pairs | None:
    images, numbers = root / "images", root / "unknown"
    if not (images.is_dir() and numbers.is_dir()):
        return None
    return _paired(_images(images), lambda file: [numbers / f"{file.stem}.png"])


def _fishyscapes(root: Path, _: str) -> Pairs | None:
    places = (root / "fishyscapes_lostandfound", root / "labels")
    folder = next((place for place in places if any(place.glob(f"[0-9]*{_FISHY}.png"))), None)
    cameras = [place for place in (root / "leftImg8bit", root / "laf_images") if place.is_dir()]
    if folder is None or not cameras:
        return None
    photos = {file.stem: file for camera in cameras for file in _images(camera, f"**/*{_CAMERA}.*")}
    pairs, without = [], 0
    for labels in sorted(folder.glob(f"[0-9]*{_FISHY}.png")):
        name = labels.stem.removesuffix(_FISHY).partition("_")[2]  # NNNN_NAME_labels
        photo = photos.get(name + _CAMERA)
        if photo is None:
            raise DatasetError(f"{labels}: no image {name}{_CAMERA}.png below {cameras[0]}; copy it from LostAndFound")
        pairs.append((labels.stem.removesuffix(_FISHY), photo, labels))
    return pairs, without


def _lost_and_found(root: Path, split: str) -> Pairs | None:
    images, truth = root / "leftImg8bit", root / "gtCoarse"
    if not (images.is_dir() and truth.is_dir()):
        return None
    if not (images / split).is_dir():
        there = ", ".join(sorted(path.name for path in images.iterdir() if path.is_dir()))
        raise DatasetError(f"{root}: LostAndFound without a split {split!r}; there are: {there or 'none'}")

    def labels_of(file: Path) -> list[Path]:
        base = truth / file.parent.relative_to(images) / f"{file.stem.removesuffix(_CAMERA)}_gtCoarse_"
        return [Path(f"{base}{kind}.png") for kind in ("labelIds", "labelTrainIds")]

    return _paired(_images(images / split, f"**/*{_CAMERA}.*"), labels_of, _CAMERA)


def _road_anomaly(root: Path, _: str) -> Pairs | None:
    frames = root if any(root.glob("*.labels")) else root / "frames"
    if not any(frames.glob("*.labels/labels_semantic.png")):
        return None
    return _paired(_images(frames), lambda file: [frames / f"{file.stem}.labels" / "labels_semantic.png"])


def _plain(root: Path, _: str) -> Pairs | None:
    images = next((place for place in (root / "images", root / "original") if place.is_dir()), None)
    labels = root / "labels"
    if images is None or not labels.is_dir():
        return None
    return _paired(_images(images), lambda file: [labels / f"{file.stem}{end}.png" for end in ("", _FISHY)])


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
