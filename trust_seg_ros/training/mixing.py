"""Batches of fine-tuning: labelled images, OoD images, and OoD objects pasted into labelled images.

Everything random follows from (seed, epoch, position in the epoch), so a resumed run, and one whose batches are split
over processes, sees the same crops as one uninterrupted process.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Generic, TypeVar

import numpy as np
import torch

from trust_seg_ros.datasets.ood_images import ZERO_255
from trust_seg_ros.datasets.pasting import cut_objects, pasted, with_codes
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.training.augment import jitter_colours
from trust_seg_ros.training.crops import as_seen, crop_size, cropped
from trust_seg_ros.training.errors import TrainingError
from trust_seg_ros.training.ood_losses import OOD
from trust_seg_ros.training.ood_sources import LabelledSource, OodImage, OodSource
from trust_seg_ros.types import UNLABELLED

Source = TypeVar("Source", LabelledSource, OodSource)


@dataclass(frozen=True)
class MixSettings:
    """How batches are composed.

    Attributes:
        batch: crops per step, over all processes.
        crop: wanted (height, width); see ``crops.crop_size``.
        ratio: OoD images per labelled image in each epoch.
        paste: share of the labelled crops that get an object pasted onto the ground, in [0, 1].
        keep_rest: annotated classes around unknown objects count as in distribution, instead of being ignored.
        augmentation: one of ``crops.AUGMENTATIONS``.
        seed: of all random numbers.
    """

    batch: int = 8
    crop: tuple[int, int] = (480, 480)
    ratio: float = 0.1
    paste: float = 0.0
    keep_rest: bool = False
    augmentation: str = "published"
    seed: int = 0


class Joined(Generic[Source]):
    """Several sources one after the other."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources: Sequence[Source] = sources
        self._ends = list(accumulate(map(len, sources)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __str__(self) -> str:
        return ", ".join(source.name for source in self.sources)

    def at(self, index: int) -> tuple[Source, int]:
        """The source that holds image ``index``, and the image's number in it."""
        which = bisect_right(self._ends, index)
        return self.sources[which], index - (self._ends[which - 1] if which else 0)


class Mixture:
    """Step -> batch.

    Raises:
        TrainingError: no OoD image per epoch and nothing to paste, or no classes for ``keep_rest``.
    """

    def __init__(
        self,
        labelled: Sequence[LabelledSource],
        ood: Sequence[OodSource],
        spec: InputSpec,
        settings: MixSettings,
        ground: Sequence[int] = (),
    ) -> None:
        """Put the sources together.

        Args:
            labelled: images with classes.
            ood: images with out-of-distribution objects.
            spec: the network's input.
            settings: how batches are composed.
            ground: ids of classes that pasted objects can stand on; () = they stand anywhere in the lower half.
        """
        self.settings, self.spec, self.ground = settings, spec, tuple(ground)
        self.labelled, self.ood = Joined(labelled), Joined(ood)
        if settings.keep_rest and not any(source.has_classes for source in ood):
            raise TrainingError(
                f"--ood-rest labelled, but {self.ood}: no classes of this network around its objects; leave it out"
            )
        self.crop = crop_size(settings.crop, spec)
        self.ood_per_epoch = round(settings.ratio * len(self.labelled))
        if not self.ood_per_epoch and not settings.paste:
            raise TrainingError(
                f"--ratio {settings.ratio:g} of {len(self.labelled)} labelled images is no out-of-distribution image "
                "per epoch; raise --ratio, or use --paste"
            )
        self.steps_per_epoch = max(1, (len(self.labelled) + self.ood_per_epoch) // settings.batch)
        self._order = lru_cache(2)(self._drawn_order)

    def check(self) -> None:
        """Check that some pixel has a class and some pixel is OoD; stops at the first of each.

        Raises:
            TrainingError: no image has such a pixel.
            DatasetError: a file that is read is wrong.
        """
        if not any((self._labelled(i)[1] != UNLABELLED).any() for i in range(len(self.labelled))):
            raise TrainingError(
                f"{self.labelled}: no pixel of {len(self.labelled)} images has a class; nothing to train on"
            )
        if not any((self._ood(i).truth == 1).any() for i in range(len(self.ood))):
            raise TrainingError(
                f"{self.ood}: no pixel of {len(self.ood)} images is marked as out of distribution (label value 1, or "
                f"above 0 in unknown/); entropy is maximised on such pixels only. {ZERO_255}"
            )

    def _labelled(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        source, number = self.labelled.at(index)
        return source.read(number)

    def _ood(self, index: int) -> OodImage:
        source, number = self.ood.at(index)
        return source.read(number)

    def _drawn_order(self, epoch: int) -> list[tuple[bool, int]]:
        """(out of distribution?, index) of every image of an epoch, shuffled; a last, incomplete batch is dropped."""
        rng = np.random.default_rng((self.settings.seed, epoch, 1 << 20))
        chosen: list[int] = []
        while len(chosen) < self.ood_per_epoch:
            chosen += rng.permutation(len(self.ood)).tolist()
        items = [(False, i) for i in range(len(self.labelled))] + [(True, i) for i in chosen[: self.ood_per_epoch]]
        order = [items[i] for i in rng.permutation(len(items))]
        while len(order) < self.settings.batch:  # a handful of images, less than a batch
            order += order[: self.settings.batch - len(order)]
        return order

    def sample(self, epoch: int, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Crop number ``position`` of an epoch: (h, w, 3) uint8 RGB and codes (h, w) uint8, see ``ood_losses``."""
        s = self.settings
        rng = np.random.default_rng((s.seed, epoch, position))
        is_ood, index = self._order(epoch)[position]
        if is_ood:
            found = self._with_ood(index)
            image, codes = found.image, found.codes(s.keep_rest)
        else:
            image, codes = self._labelled(index)
        image, codes = cropped(*as_seen(image, codes, self.spec), self.crop, rng, s.augmentation)
        if not is_ood and rng.random() < s.paste:
            found = self._with_ood(int(rng.integers(len(self.ood))))
            if cuts := cut_objects(found.image, found.truth):
                ground = np.isin(codes, self.ground)
                image, coverage = pasted(image, ground, cuts[int(rng.integers(len(cuts)))], rng)
                codes = with_codes(codes, coverage, OOD)
        return (jitter_colours(image, rng) if s.augmentation == "strong" else image), codes

    def _with_ood(self, index: int) -> OodImage:
        """Image ``index``, or the next one that has out-of-distribution pixels."""
        for step in range(len(self.ood)):
            found = self._ood((index + step) % len(self.ood))
            if (found.truth == 1).any():
                return found
        raise TrainingError("no image of the out-of-distribution data has a pixel marked so")

    def batch(
        self, step: int, part: int, parts: int, pool: ThreadPoolExecutor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Part ``part`` of ``parts`` of the batch of a step, counted from 0 over all epochs.

        Returns:
            (B, 3, h, w) uint8 RGB and codes (B, h, w) uint8, B = batch / parts.
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        share = self.settings.batch // parts
        first = place * self.settings.batch + part * share
        positions = range(first, first + share)
        run = map if pool is None else pool.map
        pairs = list(run(lambda position: self.sample(epoch, position), positions))
        images = torch.from_numpy(np.stack([pair[0] for pair in pairs])).permute(0, 3, 1, 2)
        return images, torch.from_numpy(np.stack([pair[1] for pair in pairs]))
