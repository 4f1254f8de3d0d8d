"""Street scenes with pasted objects, one per seed, selected by one text; nothing is written to disk."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from trust_seg_ros.datasets.cutouts import Cutouts, chosen_names, open_cutouts
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.datasets.pasting import EDGE, pasted
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.types import UNLABELLED

PREFIX = "pasted:"
FORM = (
    "pasted:objects=FOLDER:on=FOLDER:seeds=FIRST-LAST[:each=N][:objects_split=NAME][:objects_named=PATTERN+PATTERN]"
    "[:without=COLUMN][:on_split=NAME][:on_named=PATTERN+PATTERN][:labels=NAME]"
)
_WORDS = (
    "objects",
    "on",
    "seeds",
    "each",
    "objects_split",
    "objects_named",
    "without",
    "on_split",
    "on_named",
    "labels",
)
GROUND = ("road", "pavement", "sidewalk", "terrain", "ground", "parking")
"""Names of classes that an object can stand on."""
_KEPT = 400
"""Street scenes kept in memory; reading one costs more than pasting."""


@dataclass(frozen=True)
class PastedSet:
    """Street scenes of the seeds first..last, each with 1 to ``each`` objects.

    Attributes:
        text: what the user typed.
        first, last: seeds, both included.
        each: most objects per scene.
        objects: what is pasted.
        scenes: number of street scenes there are to paste on.
        street: number of a scene -> image (H, W, 3) uint8 RGB and class ids (H, W) uint8, 255 = no class.
        ground: ids of classes that an object can stand on.
    """

    text: str
    first: int
    last: int
    each: int
    objects: Cutouts
    scenes: int
    street: Callable[[int], tuple[np.ndarray, np.ndarray]]
    ground: tuple[int, ...]

    def __len__(self) -> int:
        return self.last - self.first + 1

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB, truth and class ids (H, W) uint8.

        Truth is 1 on objects, 255 along their edges and where the street has no class, else 0; class ids are 255 on
        objects and edges. Everything follows from the seed.

        Raises:
            DatasetError: a file is wrong.
        """
        rng = np.random.default_rng((self.first + index, 7919))
        image, classes = self.street(int(rng.integers(self.scenes)))
        classes, ground = classes.copy(), np.isin(classes, self.ground)
        covered = np.zeros(classes.shape, np.float32)
        for _ in range(int(rng.integers(1, self.each + 1))):
            if cuts := self.objects.read(int(rng.integers(len(self.objects)))):
                image, coverage = pasted(image, ground, cuts[int(rng.integers(len(cuts)))], rng)
                covered = np.maximum(covered, coverage)
        truth = np.where(classes == UNLABELLED, np.uint8(UNLABELLED), np.uint8(0))
        truth[covered > EDGE[0]] = UNLABELLED
        truth[covered >= EDGE[1]] = 1
        classes[covered > EDGE[0]] = UNLABELLED
        return image, truth, classes


def parse_pasted_set(text: str, labels: LabelSet | None = None) -> PastedSet:
    """Open what a text of ``FORM`` names.

    Args:
        text: what the user typed.
        labels: the classes of the street scenes' labels; None = those of ``labels=``, or camvid11.

    Raises:
        DatasetError: another form, an unknown word, a value out of range, or a folder that cannot be used.
        LabelError: no such label set.
    """
    given = _words(text)
    seeds, each = re.fullmatch(r"(\d+)-(\d+)", given.get("seeds", "")), given.get("each", "3")
    if seeds is None or int(seeds[2]) < int(seeds[1]):
        raise DatasetError(f"{text!r}: seeds={given.get('seeds', '')}; expected FIRST-LAST, 0 <= FIRST <= LAST")
    if not re.fullmatch(r"[1-9]\d?", each):
        raise DatasetError(f"{text!r}: each={each}; expected 1 to 99 objects per scene")
    for name in ("objects", "on"):
        if name not in given:
            raise DatasetError(f"{text!r}: no {name}=FOLDER; expected {FORM}")
    if labels is None or "labels" in given:
        labels = load_labels(given.get("labels", "camvid11"))
    objects = open_cutouts(
        Path(given["objects"]), _patterns(given, "objects_named"), given.get("objects_split"), given.get("without")
    )
    root = Path(given["on"]).expanduser()
    folder = open_dataset(root, given.get("on_split"), labels)
    wanted = chosen_names(root, [sample.name for sample in folder.samples], _patterns(given, "on_named"))
    samples = [folder.samples[i] for i in wanted]
    street = lru_cache(_KEPT)(lambda number: folder.read(samples[number]))
    return PastedSet(text, int(seeds[1]), int(seeds[2]), int(each), objects, len(samples), street, ground_ids(labels))


def ground_ids(labels: LabelSet) -> tuple[int, ...]:
    """Ids of the classes that an object can stand on, by their names; () if none is known."""
    return tuple(i for i, name in enumerate(labels.names) if name.lower() in GROUND)


def _words(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for word in filter(None, text.removeprefix(PREFIX).split(":")):
        name, _, value = word.partition("=")
        if name not in _WORDS or not value or name in given:
            raise DatasetError(f"{text!r}: {word!r} is not understood; expected {FORM}")
        given[name] = value
    return given


def _patterns(given: dict[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, given.get(name, "").split("+")))
