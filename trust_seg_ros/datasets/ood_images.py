"""Images with marked out-of-distribution (OoD) objects, from any source that a text can name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.cutouts import chosen_names
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.ood_layouts import OodImages, open_ood_folder
from trust_seg_ros.datasets.pasted import PREFIX as PASTED
from trust_seg_ros.datasets.pasted import PastedSet, parse_pasted_set
from trust_seg_ros.datasets.set_text import patterns_of, words_of
from trust_seg_ros.synthetic import SyntheticSet, parse_synthetic_set
from trust_seg_ros.synthetic.sets import PREFIX as SYNTHETIC
from trust_seg_ros.types import UNLABELLED

MARKED = "marked:"
MARKED_FORM = "marked:images=FOLDER[:named=PATTERN+PATTERN][:only_split=NAME][:without=COLUMN]"


def open_ood_images(text: str, split: str = "test") -> OodImages:
    """Open images with OoD objects.

    Args:
        text: what the user typed: a folder in one of the layouts of ``ood_layouts``, ``synthetic:seeds=...:kinds=...``,
            ``pasted:objects=...:on=...:seeds=...``, or some images of a folder, ``marked:images=FOLDER:named=PATTERN``;
            ``~`` is the home directory.
        split: split of LostAndFound; ignored for other layouts.

    Raises:
        DatasetError: no such folder, no known layout, no labelled image; the text lists the layouts.
        SyntheticDriveError: the text after ``synthetic:`` is wrong.
    """
    if text.startswith(SYNTHETIC):
        return _drawn(text, parse_synthetic_set(text))
    if text.startswith(PASTED):
        return _pasted(text, parse_pasted_set(text))
    if text.startswith(MARKED):
        return _marked(text, split)
    return open_ood_folder(text, split)


ZERO_255 = "In masks of 0 and 255 write 1 for 255, which means void here"


def check_marked(images: OodImages) -> None:
    """Refuse images in which nothing is marked, before the work; stops at the first with a marked pixel.

    Raises:
        DatasetError: no pixel is out of distribution; images that cannot be read are left to the work.
    """
    for index in range(len(images)):
        try:
            if (images.read(index)[1] == 1).any():
                return
        except DatasetError:
            return
    raise DatasetError(
        f"{images.name}: no pixel of {len(images)} images is out of distribution, by the values of {images.layout} "
        f"(docs/benchmark_ood.md). {ZERO_255}"
    )


def _drawn(text: str, scenes: SyntheticSet) -> OodImages:
    if not scenes.kinds or scenes.rate == 0:
        raise DatasetError(f"{text}: no unknown objects; expected kinds=KIND,KIND (or kinds=all) and a rate above 0")

    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        image, classes = scenes.read(index)
        return image, (classes == UNLABELLED).astype(np.uint8)

    names = tuple(f"seed{seed}" for seed in range(scenes.first, scenes.last + 1))
    return OodImages(text, "the synthetic drive", names, read)


def _pasted(text: str, scenes: PastedSet) -> OodImages:
    names = tuple(f"pasted{seed}" for seed in range(scenes.first, scenes.last + 1))
    return OodImages(text, "street scenes with pasted objects", names, lambda index: scenes.read(index)[:2])


def _marked(text: str, split: str) -> OodImages:
    given = words_of(text, MARKED_FORM)
    if "images" not in given:
        raise DatasetError(f"{text!r} is not understood; expected {MARKED_FORM}")
    images = open_ood_folder(given["images"], split)
    folder = Path(given["images"]).expanduser()
    wanted = chosen_names(
        folder, images.names, patterns_of(given, "named"), given.get("only_split"), given.get("without")
    )
    names = tuple(images.names[i] for i in wanted)
    return OodImages(text, images.layout, names, lambda index: images.read(wanted[index]))
