"""Layouts of data sets on disk: Cityscapes, CamVid, and any ``images/`` with ``labels/``; detected automatically.

What reads images is imported only when a folder is opened: a command refuses a wrong folder before torch is loaded.

Source: Brostow, Fauqueur, Cipolla, "Semantic object classes in video", Pattern Recognition Letters 2009.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.datasets.errors import DatasetError

if TYPE_CHECKING:
    from trust_seg_ros.datasets.folders import LabelledFolder
    from trust_seg_ros.datasets.label_map import LabelMap
    from trust_seg_ros.segmentation.labels import LabelSet

_SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test", "testing"}
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
        classes: number of classes of its label files; None = as many as the network has.
    """

    name: str
    images: str
    labels: str
    text: str
    open: Callable[[Path, Path, LabelSet, Ignore], LabelledFolder] | None = None
    classes: int | None = None

    @property
    def by_split(self) -> bool:
        """Whether the layout has splits."""
        return _SPLIT in self.images

    def folders(self, root: Path, split: str | None) -> tuple[Path, Path]:
        """Folders of images and labels."""
        images, labels = (place.replace(_SPLIT, split or "") for place in (self.images, self.labels))
        return root / images, root / labels

    def read(
        self,
        images: Path,
        truth: Path,
        labels: LabelSet,
        ignore: Ignore,
        label_map: LabelMap | None = None,
        *,
        some: bool = False,
    ) -> LabelledFolder:
        """The labelled images of two existing folders; raises DatasetError."""
        if label_map is None:
            if self.classes not in (None, len(labels)):
                raise DatasetError(
                    f"{images}: {self.name} has {self.classes} classes, the label set {labels.name!r} has "
                    f"{len(labels)}; expected a network of these classes, for example with --labels cityscapes19 "
                    "where it does not name them itself, or --label-map with a file that maps them"
                )
            return self._opened(images, truth, labels, ignore, some=some)
        from trust_seg_ros.types import UNLABELLED

        folder = self._opened(images, truth, labels, (UNLABELLED,), some=some)
        return replace(folder, classes=len(labels), ignore=ignore, label_map=label_map)

    def _opened(self, images: Path, truth: Path, labels: LabelSet, ignore: Ignore, *, some: bool) -> LabelledFolder:
        if self.open is not None:
            return self.open(images, truth, labels, ignore)
        from trust_seg_ros.datasets.folders import LabelledFolder, pair_up

        return LabelledFolder(pair_up(images, truth, some=some), len(labels), ignore)


Place = tuple[Layout, Path, Path]
"""A layout, its folder of images and its folder of labels."""


def open_dataset(
    root: str | Path,
    split: str | None,
    labels: LabelSet,
    ignore: tuple[int, ...] | None = None,
    label_map: LabelMap | None = None,
    *,
    some: bool = False,
) -> LabelledFolder:
    """Open one split of a data set in any of the layouts of docs/datasets.md.

    Args:
        root: folder of the data set.
        split: name of the split; ignored if the data set has no splits (:func:`has_splits`), where None or "" do, too.
        labels: label set that gives the meaning of the values in label files.
        ignore: values in label files without a class; None = as in ``labels``, or none where a label map says what
            the values mean. 255 never has a class.
        label_map: from label values to the classes of ``labels``, where they differ.
        some: leave out images without labels: the frames between labelled ones.

    Raises:
        DatasetError: no layout fits (the text says what was looked for and what was found), there are no images, an
            image has no labels, an ignored value is a class, or Cityscapes is read with other than 19 classes and
            no label map.
    """
    from trust_seg_ros.types import UNLABELLED

    usual = labels.without_class if label_map is None else (UNLABELLED,)
    ignored = usual if ignore is None else tuple(ignore)
    layout, images, truth = find_split(root, split)
    try:
        return layout.read(images, truth, labels, ignored, label_map, some=some)
    except OSError as error:
        raise DatasetError(f"{root}: the data set cannot be listed ({error})") from error


def find_split(root: str | Path, split: str | None) -> Place:
    """Layout, folder of images and folder of labels of one split; opens no file.

    Args:
        root, split: as for :func:`open_dataset`.

    Raises:
        DatasetError: no such folder, or no layout fits; the text says what was looked for and what was found.
    """
    root = Path(root).expanduser()
    try:
        if not root.is_dir():
            what = "this is a file" if root.exists() else "no such folder"
            raise DatasetError(f"{root}: {what}; expected the folder of a data set")
        places = _places(root, split or None)
        for layout, images, truth in places:
            if images.is_dir() and truth.is_dir():
                return layout, images, truth
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


def _places(root: Path, split: str | None) -> list[Place]:
    """Candidate folders of images and labels, in the order of ``LAYOUTS``."""
    whole = split is None or not has_splits(root)
    rows = [row for row in LAYOUTS if (whole if not row.by_split else split is not None)]
    return [(row, *row.folders(root, split)) for row in rows]


def _cityscapes(images: Path, truth: Path, labels: LabelSet, ignore: Ignore) -> LabelledFolder:
    from trust_seg_ros.datasets.cityscapes import open_cityscapes

    return open_cityscapes(images, truth, ignore)


def _nothing(root: Path, split: str | None, places: list[Place]) -> str:
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
        classes=19,
    ),
    Layout(name="split by split", images="{split}/images", labels="{split}/labels", text="files of the same name"),
    Layout(name="images and labels", images="images/{split}", labels="labels/{split}", text="files of the same name"),
    Layout(name="CamVid", images="{split}", labels="{split}annot", text="as in the SegNet tutorial"),
    Layout(name="no splits", images="images", labels="labels", text="files of the same name"),
)
"""Every layout; the first whose folders exist is used."""
