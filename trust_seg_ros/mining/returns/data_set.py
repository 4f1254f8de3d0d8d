"""Returned labels as a labelled folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from trust_seg_ros.mining.returns.classes import Classes
from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.mining.returns.images import Images
from trust_seg_ros.mining.returns.shapes import Returned, Size
from trust_seg_ros.support.reading import shown
from trust_seg_ros.support.resumable import remove_folder, whole_folder
from trust_seg_ros.types import UNLABELLED

_IMAGES, _LABELS, _MASKS = "images", "labels", "labels_masks"
_MASK_ENDING = "_labels_semantic"


@dataclass(frozen=True)
class Labelled:
    """A complete data set.

    Attributes:
        out: its folder.
        form: what the labels came as.
        images: how many it has.
        without: names of the images that were left out, as they had no labels.
        with_unknown: images with an unknown object; 0: there is no ``labels_masks/``.
        pixels: name of a class, or of unknown objects -> its pixels.
        without_class: pixels that no region covers, or one to ignore.
    """

    out: Path
    form: str
    images: int
    without: tuple[str, ...]
    with_unknown: int
    pixels: dict[str, int]
    without_class: int


def write_data_set(
    form: str,
    returned: Iterable[Returned],
    images: Images,
    classes: Classes,
    out: Path,
    progress: Callable[[int], None] | None,
) -> Labelled:
    """Write every image with a region; see :func:`returns.write_labels`.

    Raises:
        ReturnedError: something does not fit, or ``out`` has content or cannot be written.
    """
    out = Path(out).expanduser().absolute()
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ReturnedError(f"{out}: there is something already; expected a new or empty folder")
        with whole_folder(out, out.with_name(f".{out.name}.part")) as folder:
            work = _Work(folder, images, classes)
            for one in returned:
                work.add(one, returned)
                if progress is not None:
                    progress(len(work.done))
            return work.finished(out, form)
    except OSError as error:
        raise ReturnedError(
            f"{out} cannot be written ({error.strerror or error}); expected a folder you may write to, with space left"
        ) from error


class _Work:
    """A data set as it grows."""

    def __init__(self, folder: Path, images: Images, classes: Classes) -> None:
        self.done: dict[str, str] = {}
        self._folder, self._images, self._classes = folder, images, classes
        self._without: list[str] = []
        self._with_unknown = 0
        self._pixels = np.zeros(UNLABELLED + 1, np.int64)

    def add(self, one: Returned, rest: Iterable[Returned]) -> None:
        """Write an image; ``rest`` is read on where a name is no class, so that all of them are listed."""
        if not one.shapes:
            self._without.append(one.image)
            return
        ids = [self._classes.find(shape.label) for shape in one.shapes]
        if None in ids:
            every = [one, *rest]
            names = {shape.label for image in every for shape in image.shapes}
            raise self._classes.refuse({name for name in names if self._classes.find(name) is None})
        file = self._images.find(one.image)
        data, size = self._images.read(file)
        _check_size(one, size)
        name = self._images.name_of(file)
        key = name.with_suffix("").as_posix()
        if key in self.done:
            raise ReturnedError(
                f"{one.where}: {shown(one.image)} and {shown(self.done[key])} are labels of one image ({key}); "
                "expected one of them: leave the other out of the export"
            )
        values = _painted(one, [number for number in ids if number is not None], size)
        found = np.bincount(values.ravel(), minlength=UNLABELLED + 1)
        if found[UNLABELLED] == values.size:
            self._without.append(one.image)
            return
        self._pixels += found
        self.done[key] = one.image
        self._write(data, values, name)

    def finished(self, out: Path, form: str) -> Labelled:
        """What there is now."""
        if not self.done:
            raise ReturnedError(
                f"no image has a label ({len(self._without)} have none); expected an export with labels: were they "
                "saved, or submitted, before?"
            )
        if not self._with_unknown:
            remove_folder(self._folder / _MASKS)
        names = self._classes.names
        pixels = {name: int(count) for name, count in zip(names, self._pixels, strict=False)}
        without_class = int(self._pixels[UNLABELLED])
        return Labelled(out, form, len(self.done), tuple(self._without), self._with_unknown, pixels, without_class)

    def _write(self, data: bytes, values: np.ndarray, name: PurePosixPath) -> None:
        """Image, labels, and where unknown objects are: 1; where there is no label, 255."""
        unknown = values == self._classes.unknown
        self._with_unknown += bool(unknown.any())
        mask = np.where(values == UNLABELLED, UNLABELLED, unknown).astype(np.uint8)
        self._put(PurePosixPath(_IMAGES) / name, data)
        for folder, ending, plane in (
            (_LABELS, "", np.where(unknown, UNLABELLED, values).astype(np.uint8)),
            (_MASKS, _MASK_ENDING, mask),
        ):
            file = PurePosixPath(folder) / name.with_name(f"{name.stem}{ending}.png")
            self._put(file, cv2.imencode(".png", plane)[1].tobytes())

    def _put(self, name: PurePosixPath, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _painted(one: Returned, ids: list[int], size: Size) -> np.ndarray:
    """(H, W) uint8: one region over the other; 255 where there is none."""
    values = np.full(size[0] * size[1], UNLABELLED, np.uint8)
    for shape, number in zip(one.shapes, ids, strict=True):
        try:
            values[shape.pixels(size)] = number
        except ReturnedError as error:
            raise ReturnedError(f"{one.where}: {shown(one.image)}, {shown(shape.label)}: {error}") from None
    return values.reshape(size)


def _check_size(one: Returned, size: Size) -> None:
    if one.size is None or one.size == size:
        return
    (height, width), (true_height, true_width) = one.size, size
    turned = ", as if it had been turned by 90°" if one.size == size[::-1] else ""
    raise ReturnedError(
        f"{one.where}: the labels of {shown(one.image)} are for {width}×{height} pixels, the image is "
        f"{true_width}×{true_height}{turned}; labels are not scaled or turned: give the images that were labelled with "
        "--images"
    )
