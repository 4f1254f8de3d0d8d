"""Streams that stand still: a camera that repeats one image, a network that gives one answer to all images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trust_seg_ros.types import UncertaintyMaps

Planes = tuple[np.ndarray, ...]
_SIDE = 32
"""A sample of a plane has about this many rows and columns."""

_CHECK_S = 1.0
_FEWEST = 5
"""Fewest frames that must agree."""

_GREY_LEVELS = 8
_SHARE = 0.1
"""An image has changed if this share of its sample has changed by more than so many grey levels: noise does not."""


class Unchanged:
    """How long all arrays of a stream have been the same.

    Every time a sample of each is compared; everything only once a second, and only while the samples agree.
    """

    def __init__(self) -> None:
        self._sample = b""
        self._whole: Callable[[], Planes] = tuple
        self._frames, self._since, self._check_at = 0, 0.0, 0.0

    def see(self, samples: Planes, whole: Callable[[], Planes], now: float) -> tuple[int, float]:
        """Take the next arrays, which must not be changed later.

        Args:
            samples: a part of each.
            whole: gives the arrays; called only where it matters, maybe frames later.
            now: the time in seconds.

        Returns:
            How many in a row were the same, this one included, and for how many seconds.
        """
        sample = b"".join(part.tobytes() for part in samples)
        same = self._frames > 0 and sample == self._sample
        if same and now >= self._check_at:
            same = all(map(np.array_equal, whole(), self._whole()))
            self._check_at = now + _CHECK_S
        if not same:
            self._sample, self._whole = sample, whole
            self._frames, self._since, self._check_at = 0, now, now + _CHECK_S
        self._frames += 1
        return self._frames, now - self._since


class FrozenWatch:
    """Notices images that repeat, and answers that stay the same although the images change."""

    def __init__(self) -> None:
        self._images, self._answers = Unchanged(), Unchanged()
        self._first: np.ndarray = np.zeros(0, np.int16)
        self._changed, self._changed_at = 0, 0.0

    def image(self, image: np.ndarray, now: float, patience_s: float) -> str:
        """What is wrong with the images, or "".

        Args:
            image: (H, W, 3) uint8; it must not be changed later.
            now: the time in seconds.
            patience_s: images that are the same for so long are a fault; 0 = never.
        """
        if patience_s <= 0:
            return ""
        frames, seconds = self._images.see((_sample(image),), lambda: (image,), now)
        if frames < _FEWEST or seconds < patience_s:
            return ""
        return f"the last {frames} images are the same, for {seconds:.1f} s: a frozen camera, or a standing picture"

    def answer(self, image: np.ndarray, maps: UncertaintyMaps, now: float, patience_s: float) -> str:
        """What is wrong with the network's answers, or "". Answers that are mostly not finite are not looked at.

        Args:
            image: (H, W, 3) uint8.
            maps: the answer to it.
            now: the time in seconds.
            patience_s: answers that are the same for so long, while images change, are a fault; 0 = never.
        """
        if patience_s <= 0 or mostly_faulty(maps):
            self._answers = Unchanged()
            return ""
        step = _step(maps.size)
        parts = maps.part("classes", (0, 0), step), maps.part("entropy", (0, 0), step)
        frames, _ = self._answers.see(parts, lambda: (maps.classes.numpy(), maps.entropy.numpy()), now)
        sample = _sample(image).astype(np.int16)
        if frames == 1 or sample.shape != self._first.shape:
            self._first, self._changed = sample, 0
        elif np.mean(np.abs(sample - self._first) > _GREY_LEVELS) > _SHARE:
            self._changed_at = now if self._changed == 0 else self._changed_at
            self._changed += 1
        seconds = now - self._changed_at
        if self._changed < _FEWEST or seconds < patience_s:
            return ""
        return (
            f"the network is frozen: {frames} answers are the same although the images change, for {seconds:.1f} s; "
            "check the model and its device"
        )


def mostly_faulty(maps: UncertaintyMaps) -> bool:
    """Whether more than half of the pixels have logits that are not finite."""
    return 2 * maps.faulty_pixels > maps.pixels


def _sample(plane: np.ndarray) -> np.ndarray:
    rows, columns = _step(plane.shape)
    return plane[::rows, ::columns]


def _step(shape: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = (max(1, length // _SIDE) for length in shape[:2])
    return rows, columns
