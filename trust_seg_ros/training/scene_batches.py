"""Training from the synthetic drive alone: scenes painted over, seen by many cameras; and scenes to judge by."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES, read_image
from trust_seg_ros.synthetic import SyntheticSet, training_sample
from trust_seg_ros.synthetic.camera_faults import camera_faults
from trust_seg_ros.synthetic.patterns import tiles_of
from trust_seg_ros.synthetic.repaint import TRAINING, repainted
from trust_seg_ros.training.augment import jitter_colours, random_crop
from trust_seg_ros.training.batches import RARE, Batches, shares_of
from trust_seg_ros.training.errors import TrainingError
from trust_seg_ros.training.ood_sources import LabelledSource, SyntheticSource
from trust_seg_ros.training.settings import TrainSettings

_FAR, _SEEDS = 1_000_003, 500_000
"""Scenes to judge by have seeds from ``_SEEDS`` above those to train on, which are counted from seed * ``_FAR``."""
_JUDGED = 64
_MIXED = 0.2
"""Share of the crops with a rectangle of another crop inside (CutMix; Yun et al., ICCV 2019)."""
_SHARE_SCENES = 60
"""Scenes that the class shares are counted on."""


def input_size(crop: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the input of a network trained on such crops: twice theirs, so a crop is a quarter of it."""
    return 2 * crop[0], 2 * crop[1]


class SceneBatches(Batches):
    """Crops of scenes without unknown objects; each is drawn once and kept, four bytes a pixel.

    Raises:
        TrainingError: there is no scene to draw.
    """

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        self._scenes = settings.limit or settings.synthetic_scenes
        if self._scenes < 1:
            raise TrainingError(f"--synthetic-scenes is {self._scenes}; training from scenes alone needs 1 or more")
        self._drawn = lru_cache(None)(self._draw)
        self._paint = replace(TRAINING, tiles=tuple(_textures(settings.textures, settings.seed)))

    def _draw(self, scene: int) -> tuple[np.ndarray, np.ndarray]:
        cameras = 0.0 if scene % 3 == 0 else 1.0
        height, width = self.settings.crop
        seed = self.settings.seed * _FAR + scene
        return training_sample(seed, (height * 3 // 2, width * 3 // 2), cameras=cameras)

    def class_shares(self, classes: int) -> torch.Tensor:
        """See ``Batches``."""
        return shares_of([self._drawn(i)[1] for i in range(min(self._scenes, _SHARE_SCENES))], classes)

    def sample(self, step: int, slot: int) -> tuple[np.ndarray, np.ndarray]:
        """See ``Batches``."""
        rng = np.random.default_rng((self.settings.seed, step, slot))
        image, labels = self._crop(rng)
        if rng.random() < _MIXED:
            image, labels = _with_part_of((image, labels), self._crop(rng), rng)
        return jitter_colours(camera_faults(image, rng), rng), labels

    def _crop(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        s = self.settings
        image, labels = self._drawn(int(rng.integers(self._scenes)))
        image, labels = random_crop(image, labels, s.crop, rng, s.scale, RARE, s.rare_share)
        return repainted(image, labels, rng, self._paint), labels


def _textures(folder: Path | None, seed: int) -> list[np.ndarray]:
    """Patterns cut from all photographs of a folder."""
    if folder is None:
        return []
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise TrainingError(f"--textures {folder}: no images in this folder (looked for {', '.join(IMAGE_SUFFIXES)})")
    rng = np.random.default_rng((seed, 7))
    return [tile for file in files for tile in tiles_of(read_image(file), rng)]


def _with_part_of(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The first crop with a rectangle of the second at the same place."""
    (image, labels), (other, other_labels) = first, second
    sides = (rng.uniform(0.25, 0.7, 2) * labels.shape).astype(int)
    top, left = (int(rng.integers(n - m + 1)) for n, m in zip(labels.shape, sides, strict=True))
    box = slice(top, top + sides[0]), slice(left, left + sides[1])
    image, labels = image.copy(), labels.copy()
    image[box], labels[box] = other[box], other_labels[box]
    return image, labels


def held_out_scenes(settings: TrainSettings) -> LabelledSource:
    """Scenes of other seeds, in the look ``unseen``, to choose the weights by."""
    first = settings.seed * _FAR + _SEEDS
    scenes = SyntheticSet(first, first + _JUDGED - 1, size=input_size(settings.crop), look="unseen")
    return SyntheticSource("held-out scenes", scenes, lru_cache(_JUDGED)(scenes.read))
