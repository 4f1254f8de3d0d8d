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
from trust_seg_ros.datasets.pasting import cut_objects, pasted, with_codes
from trust_seg_ros.datasets.set_text import patterns_of, words_of
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.types import UNLABELLED

PREFIX = "pasted:"
FORM = (
    "pasted:objects=FOLDER:on=FOLDER:seeds=FIRST-LAST[:each=N][:known=N][:objects_split=NAME][:objects_named=PATTERN+PATTERN]"
    "[:without=COLUMN][:on_split=NAME][:on_named=PATTERN+PATTERN][:labels=NAME]"
)
GROUND = ("road", "pavement", "sidewalk", "terrain", "ground", "parking")
"""Names of classes that an object can stand on."""
THINGS = ("car", "truck", "bus", "pedestrian", "person", "bicyclist", "rider", "motorcycle", "bicycle")
"""Names of classes whose objects can be cut out and pasted, too."""
_SMALLEST_THING = 200
_KEPT = 400
"""Street scenes kept in memory; reading one costs more than pasting."""


@dataclass(frozen=True)
class PastedSet:
    """Street scenes of the seeds first..last, each with 1 to ``each`` objects.

    Attributes:
        text: what the user typed.
        first, last: seeds, both included.
        each: most unknown objects per scene.
        known: most objects of the street scenes' own classes that are cut from one scene and pasted into another. They
            keep their class, so that nothing unknown can be told by how it was pasted.
        objects: what is pasted.
        scenes: number of street scenes there are to paste on.
        street: number of a scene -> image (H, W, 3) uint8 RGB and class ids (H, W) uint8, 255 = no class.
        ground: ids of classes that an object can stand on.
        things: ids of classes whose objects are pasted as ``known``.
    """

    text: str
    first: int
    last: int
    each: int
    objects: Cutouts
    scenes: int
    street: Callable[[int], tuple[np.ndarray, np.ndarray]]
    ground: tuple[int, ...]
    known: int = 0
    things: tuple[int, ...] = ()

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
        for _ in range(int(rng.integers(self.known + 1))):
            image, classes = self._with_thing(image, classes, ground, rng)
        covered = np.zeros(classes.shape, np.float32)
        for _ in range(int(rng.integers(1, self.each + 1))):
            if cuts := self.objects.read(int(rng.integers(len(self.objects)))):
                image, coverage = pasted(image, ground, cuts[int(rng.integers(len(cuts)))], rng)
                covered = np.maximum(covered, coverage)
        void = np.where(classes == UNLABELLED, np.uint8(UNLABELLED), np.uint8(0))
        return image, with_codes(void, covered, 1), with_codes(classes, covered, UNLABELLED)

    def _with_thing(
        self, image: np.ndarray, classes: np.ndarray, ground: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Paste an object of a known class of another street scene, if it has one that is large enough."""
        other, labels = self.street(int(rng.integers(self.scenes)))
        there = [c for c in self.things if np.count_nonzero(labels == c) >= _SMALLEST_THING]
        if not there:
            return image, classes
        chosen = there[int(rng.integers(len(there)))]
        cuts = [cut for cut in cut_objects(other, labels == chosen) if cut.alpha.sum() >= _SMALLEST_THING]
        if not cuts:
            return image, classes
        image, coverage = pasted(image, ground, cuts[int(rng.integers(len(cuts)))], rng)
        return image, with_codes(classes, coverage, chosen)


def parse_pasted_set(text: str, labels: LabelSet | None = None) -> PastedSet:
    """Open what a text of ``FORM`` names.

    Args:
        text: what the user typed.
        labels: the classes of the street scenes' labels; None = those of ``labels=``, or camvid11.

    Raises:
        DatasetError: another form, an unknown word, a value out of range, or a folder that cannot be used.
        LabelError: no such label set.
    """
    given = words_of(text, FORM)
    seeds, each = re.fullmatch(r"(\d+)-(\d+)", given.get("seeds", "")), given.get("each", "3")
    if seeds is None or int(seeds[2]) < int(seeds[1]):
        raise DatasetError(f"{text!r}: seeds={given.get('seeds', '')}; expected FIRST-LAST, 0 <= FIRST <= LAST")
    if not re.fullmatch(r"[1-9]\d?", each):
        raise DatasetError(f"{text!r}: each={each}; expected 1 to 99 objects per scene")
    if not re.fullmatch(r"\d{1,2}", given.get("known", "0")):
        raise DatasetError(f"{text!r}: known={given['known']}; expected 0 to 99 objects per scene")
    for name in ("objects", "on"):
        if name not in given:
            raise DatasetError(f"{text!r}: no {name}=FOLDER; expected {FORM}")
    if labels is None or "labels" in given:
        labels = load_labels(given.get("labels", "camvid11"))
    objects = open_cutouts(
        Path(given["objects"]), patterns_of(given, "objects_named"), given.get("objects_split"), given.get("without")
    )
    root = Path(given["on"]).expanduser()
    folder = open_dataset(root, given.get("on_split"), labels)
    wanted = chosen_names(root, [sample.name for sample in folder.samples], patterns_of(given, "on_named"))
    samples = [folder.samples[i] for i in wanted]
    street = lru_cache(_KEPT)(lambda number: folder.read(samples[number]))
    return PastedSet(
        text,
        int(seeds[1]),
        int(seeds[2]),
        int(each),
        objects,
        len(samples),
        street,
        ground_ids(labels),
        int(given.get("known", "0")),
        _ids(labels, THINGS),
    )


def ground_ids(labels: LabelSet) -> tuple[int, ...]:
    """Ids of the classes that an object can stand on, by their names; () if none is known."""
    return _ids(labels, GROUND)


def _ids(labels: LabelSet, names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(i for i, name in enumerate(labels.names) if name.lower() in names)
