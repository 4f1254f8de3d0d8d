"""Fast reproducible random numbers: a few draws for each of very many things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_MASK = (1 << 64) - 1


class Dice:
    """SplitMix64 (Steele, Lea & Flood 2014), seeded by integers; ten times as fast to create as NumPy's generators."""

    def __init__(self, *keys: int) -> None:
        self._state = 0x243F6A8885A308D3
        for key in map(int, keys):
            self._state = self._next() ^ (key & _MASK) ^ (key >> 64 & _MASK)

    def _next(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
        return z ^ z >> 31

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return (self._next() >> 11) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.random()

    def bell(self, spread: float) -> float:
        """Roughly normal with mean 0 and deviation ``spread``: the sum of three uniform draws."""
        return (self.random() + self.random() + self.random() - 1.5) * 2.0 * spread

    def integer(self, count: int) -> int:
        """Uniform in 0 .. count - 1."""
        return int(self.random() * count)

    def choice(self, items: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of ``items``, evenly or by ``weights`` that sum to 1."""
        if weights is None:
            return items[self.integer(len(items))]
        left = self.random()
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]
