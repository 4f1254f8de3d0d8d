"""Layouts of data sets on disk: Cityscapes, CamVid, and any ``images/`` with ``labels/``; detected automatically.

Sources: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016, and the ids of its
public scripts; Brostow, Fauqueur, Cipolla, "Semantic object classes in video", Pattern Recognition Letters 2009.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.folders import LabelledFolder, Sample, pair_up
from trust_seg_ros.types import UNLABELLED

if TYPE_CHECKING:
    from trust_seg_ros.segmentation.labels import LabelSet

_JUDGED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
CITYSCAPES_TRAIN_IDS = tuple(_JUDGED_IDS.index(value) if value in _JUDGED_IDS else UNLABELLED for value in range(34))
"""Train id (0 road … 18 bicycle) of the label ids 0..33 of Cityscapes; 255 for ids that are not evaluated."""
_SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test", "testing"}
_IMAGE_ENDING = "_leftImg8bit"
_LISTED = 12
_SPLIT = "{split}"
Ignore = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One layout of data sets on disk.

    Attributes:
        name: shown to users.
        images, labels: folders below the data set's, with ``{split}`` in place of the split's name; a layout without
            ``{split}`` has no splits.
        text: the files, in one line of Markdown.
        open: folder of images, folder of labels, label set, label values without a class -> the labelled images; raises
            DatasetError. None: every image has a label file of the same name.
    """

    name: str
    images: str
    labels: str
    text: str
    open: Callable[[Path, Path, LabelSet, Ignore], LabelledFolder] | None = None

    @property
    def by_split(self) -> bool:
        """Whether the layout has splits."""
        return _SPLIT in self.images

    def folders(self, root: Path, split: str | None) -> tuple[Path, Path]:
        """Folders of images and labels."""
        images, labels = (place.replace(_SPLIT, split or "") for place in (self.images, self.labels))
        return root / images, root / labels

    def read(self, images: Path, truth: Path, labels: LabelSet, ignore: Ignore) -> LabelledFolder:
        """The labelled images of two existing folders; raises DatasetError."""
        if self.open is not None:
            return self.open(images, truth, labels, ignore)
        return LabelledFolder(pair_up(images, truth), len(labels), ignore)


def open_dataset(
    root: str | Path, split: str | None, labels: LabelSet, ignore: tuple[int, ...] | None = None
) -> LabelledFolder:
    """Open one split of a data set in any of the layouts of docs/datasets.md.

    Args:
        root: folder of the data set.
        split: name of the split; ignored if the data set has no splits (:func:`has_splits`), where None or "" do, too.
        labels: label set that gives the meaning of the values in label files.
        ignore: values in label files without a class; None = as in ``labels``. 255 never has a class.

    Raises:
        DatasetError: no layout fits (the text says what was looked for and what was found), there are no images, an
            image has no labels, an ignored value is a class, or Cityscapes is read with other than 19 classes.
    """
    root = Path(root).expanduser()
    ignored = labels.without_class if ignore is None else tuple(ignore)
    try:
        if not root.is_dir():
            what = "this is a file" if root.exists() else "no such folder"
            raise DatasetError(f"{root}: {what}; expected the folder of a data set")
        places = _places(root, split or None)
        for layout, images, truth in places:
            if images.is_dir() and truth.is_dir():
                return layout.read(images, truth, labels, ignored)
        raise DatasetError(_nothing(root, split or None, places))
    except OSError as error:
        raise DatasetError(f"{root}: the data set cannot be listed ({error})") from error


def has_splits(root: Path) -> bool:
    """False if ``root`` holds images/ and labels/ and images/ has no folder named like a split."""
    for layout in LAYOUTS:
        images, labels = layout.folders(root, None)
        there = not layout.by_split and images.is_dir() and labels.is_dir()
        if there and not any((images / name).is_dir() for name in _SPLIT_NAMES):
            return False
    return True


def layout_table() -> str:
    """The table of layouts in docs/datasets.md."""
    rows = ["| layout | images | labels | files |", "|---|---|---|---|"]
    for row in LAYOUTS:
        images, labels = (place.replace(_SPLIT, "SPLIT") for place in (row.images, row.labels))
        rows.append(f"| {row.name} | `{images}/` | `{labels}/` | {row.text} |")
    return "\n".join(rows) + "\n"


_Place = tuple[Layout, Path, Path]


def _places(root: Path, split: str | None) -> list[_Place]:
    """Candidate folders of images and labels, in the order of ``LAYOUTS``."""
    whole = split is None or not has_splits(root)
    rows = [row for row in LAYOUTS if (whole if not row.by_split else split is not None)]
    return [(row, *row.folders(root, split)) for row in rows]


def _cityscapes(images: Path, truth: Path, labels: LabelSet, ignore: tuple[int, ...]) -> LabelledFolder:
    classes = len(_JUDGED_IDS)
    if len(labels) != classes:
        raise DatasetError(
            f"{images}: Cityscapes has {classes} classes, the label set {labels.name!r} has {len(labels)}; expected "
            "a network of these classes, and --labels cityscapes19 where it does not name them itself"
        )
    files = sorted(images.glob(f"*/*{_IMAGE_ENDING}.png"))
    if not files:
        raise DatasetError(f"{images}: no images; expected CITY/*{_IMAGE_ENDING}.png")
    without: list[list[Sample]] = []
    for kind, table in (("labelTrainIds", ()), ("labelIds", CITYSCAPES_TRAIN_IDS)):
        samples = [_cityscapes_sample(file, truth, kind) for file in files]
        missing = [sample for sample in samples if not sample.labels.is_file()]
        if not missing:
            return LabelledFolder(tuple(samples), classes, ignore, table)
        without.append(missing)
    fewest = min(without, key=len)
    raise DatasetError(
        f"{fewest[0].image}: no labels ({len(fewest)} of {len(files)} images have none); expected "
        f"{truth / fewest[0].drive / fewest[0].name}_gtFine_labelTrainIds.png or ..._labelIds.png, one kind for all"
    )


def _cityscapes_sample(image: Path, truth: Path, kind: str) -> Sample:
    city, name = image.parent.name, image.stem.removesuffix(_IMAGE_ENDING)
    return Sample(image, truth / city / f"{name}_gtFine_{kind}.png", city, name)


def _nothing(root: Path, split: str | None, places: list[_Place]) -> str:
    """Error text: what was looked for, and what was found."""
    looked = []
    for _, images, truth in places:
        missing = [path for path in (images, truth) if not path.is_dir()]
        note = f" ({missing[0].relative_to(root)} is missing)" if len(missing) == 1 else ""
        looked.append(f"{images.relative_to(root)} with {truth.relative_to(root)}{note}")
    asked = "no split was named" if split is None else f"no split {split!r}"
    text = f"{root}: {asked}; looked for {', '.join(looked)}. "
    if splits := _splits(root):
        return f"{text}Its splits are: {', '.join(splits)}; name one with --split"
    inside = sorted(f"{path.name}{'/' if path.is_dir() else ''}" for path in root.iterdir())
    more = f", … ({len(inside)} in all)" if len(inside) > _LISTED else ""
    return f"{text}It holds {', '.join(inside[:_LISTED]) or 'nothing'}{more}; docs/datasets.md shows the layouts"


def _splits(root: Path) -> list[str]:
    """Names of splits that have images and labels."""
    above = {root / row.images.partition(_SPLIT)[0] for row in LAYOUTS if row.by_split}
    folders = [folder for folder in above if folder.is_dir()]
    names = {path.name for folder in folders for path in folder.iterdir() if path.is_dir()} - {"images", "labels"}
    return sorted(name for name in names if any(i.is_dir() and t.is_dir() for _, i, t in _places(root, name)))


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        name="Cityscapes",
        images="leftImg8bit/{split}",
        labels="gtFine/{split}",
        text="`CITY/NAME_leftImg8bit.png`, `CITY/NAME_gtFine_labelTrainIds.png` or `…_labelIds.png`",
        open=_cityscapes,
    ),
    Layout(name="split by split", images="{split}/images", labels="{split}/labels", text="files of the same name"),
    Layout(name="images and labels", images="images/{split}", labels="labels/{split}", text="files of the same name"),
    Layout(name="CamVid", images="{split}", labels="{split}annot", text="as in the SegNet tutorial"),
    Layout(name="no splits", images="images", labels="labels", text="files of the same name"),
)
"""Every layout; the first whose folders exist is used."""
