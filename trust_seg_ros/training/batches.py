"""Batches of augmented crops, made ahead of time in a background thread."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch

from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.training.augment import jitter_colours, random_crop
from trust_seg_ros.training.settings import TrainSettings

T = TypeVar("T")
RARE = (2, 6, 7, 9, 10)
"""CamVid classes with about 1 % of the pixels or less: Pole, SignSymbol, Fence, Pedestrian, Bicyclist."""


class Batches(ABC):
    """Step number -> batch; the batch of a step depends on the seed and the step alone, so a resumed run continues."""

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings

    @abstractmethod
    def class_shares(self, classes: int) -> torch.Tensor:
        """(classes,) float32: share of each class among the labelled pixels of the images."""

    @abstractmethod
    def sample(self, step: int, slot: int) -> tuple[np.ndarray, np.ndarray]:
        """Crop ``slot`` of batch ``step``: (h, w, 3) uint8 RGB and (h, w) uint8."""

    @property
    def slots(self) -> int:
        """Crops per batch."""
        return self.settings.batch

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, h, w) float32 in 0..1 (channels last) and (B, h, w) int64."""
        pairs = [self.sample(step, slot) for slot in range(self.slots)]
        images = torch.from_numpy(np.stack([p[0] for p in pairs])).permute(0, 3, 1, 2)
        labels = torch.from_numpy(np.stack([p[1] for p in pairs]))
        return images.float().div_(255).contiguous(memory_format=torch.channels_last), labels.long()

    def ahead(self, first: int, last: int) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
        """Batches of steps first..last-1, prepared by a thread, whose errors are raised here."""
        for step, (images, labels) in made_ahead(self.batch, first, last):
            yield step, images, labels


class FolderBatches(Batches):
    """Crops of labelled images, and some of the synthetic drive."""

    def __init__(self, folder: LabelledFolder, settings: TrainSettings) -> None:
        super().__init__(settings)
        samples = folder.samples[: settings.limit or None]
        self._items = [folder.read(s) for s in samples]
        self._scenes: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def class_shares(self, classes: int) -> torch.Tensor:
        """See ``Batches``."""
        return shares_of([labels for _, labels in self._items], classes)

    @property
    def slots(self) -> int:
        """Crops per batch."""
        return self.settings.batch + self.settings.synthetic

    def sample(self, step: int, slot: int) -> tuple[np.ndarray, np.ndarray]:
        """See ``Batches``."""
        s = self.settings
        rng = np.random.default_rng((s.seed, step, slot))
        if slot < s.batch:
            # every image once per epoch, shuffled anew in each epoch
            position = step * s.batch + slot
            epoch, index = divmod(position, len(self._items))
            order = np.random.default_rng((s.seed, epoch, 1 << 20)).permutation(len(self._items))
            image, labels = self._items[order[index]]
            image, labels = random_crop(image, labels, s.crop, rng, s.scale, RARE, s.rare_share)
        else:
            image, labels = self._synthetic(int(rng.integers(s.synthetic_scenes)))
            image, labels = random_crop(image, labels, s.crop, rng, (0.8, 1.5))
        return jitter_colours(image, rng), labels

    def _synthetic(self, scene: int) -> tuple[np.ndarray, np.ndarray]:
        """A scene of the synthetic drive; drawn once and kept, because drawing costs more than a training step."""
        if scene not in self._scenes:
            height, width = self.settings.crop
            seed = self.settings.seed * 1_000_003 + scene
            self._scenes[scene] = training_sample(seed, (height * 5 // 4, width * 5 // 4))
        return self._scenes[scene]


def shares_of(labels: Sequence[np.ndarray], classes: int) -> torch.Tensor:
    """(classes,) float32: share of each class among the labelled pixels."""
    counts = np.sum([np.bincount(one.ravel(), minlength=256) for one in labels], axis=0)[:classes]
    return torch.tensor(counts / counts.sum(), dtype=torch.float32)


def made_ahead(make: Callable[[int], T], first: int, last: int, depth: int = 4) -> Iterator[tuple[int, T]]:
    """(step, ``make(step)``) for first..last-1, at most ``depth`` ahead, by a thread; its errors are raised here."""
    ready: queue.Queue[tuple[int, T] | BaseException] = queue.Queue(depth)
    stopped = threading.Event()

    def work() -> None:
        try:
            for step in range(first, last):
                item = (step, make(step))
                while not stopped.is_set():
                    try:
                        ready.put(item, timeout=0.2)
                        break
                    except queue.Full:
                        continue
                if stopped.is_set():
                    return
        except BaseException as error:
            ready.put(error)

    threading.Thread(target=work, daemon=True, name="batches").start()
    try:
        for _ in range(first, last):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
