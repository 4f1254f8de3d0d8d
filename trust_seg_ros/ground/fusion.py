"""Cells over time: log odds of a hazard, averaged with exponential forgetting.

What is averaged are the log odds that single frames give, logit P, weighted by exp(-age / decay). They are not summed
as in an occupancy grid of independent measurements: the network makes the same error frame after frame, and a sum would
take its repetition for proof. A foot that is worse than what a cell is remembered for replaces the memory at once:
something has come. What is in the image, but not seen as ground, is not free now, whatever was seen there before: the
thing that hides it may stand in it. What is not seen any more fades to P = 1/2 within the decay, and is forgotten after
three of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground import fusion_kernels
from trust_seg_ros.ground.cells import Observation, Window
from trust_seg_ros.uncertainty.threads import run_bands

LEAST_P = 0.01
"""A single frame's P counts as at least this and at most 1 less this."""
FORGOTTEN_AFTER = 3.0
"""In units of the decay: cells not seen for so long are unknown."""


@dataclass(eq=False)
class Memory:
    """The cells of a window (rows, columns), as they are remembered; changed by every frame.

    Attributes:
        window: where they lie.
        log_odds: float32, weighted average of the log odds of a hazard.
        weight: float32, of that average when the cell was last seen, in frames; 0 = unknown.
        age: float32, seconds since then.
        seen: bool, the last frame that had the cell in its image saw trusted ground.
    """

    window: Window
    log_odds: np.ndarray
    weight: np.ndarray
    age: np.ndarray
    seen: np.ndarray

    @classmethod
    def empty(cls, window: Window) -> Memory:
        """Nothing is known."""
        shape = (window.rows, window.columns)
        return cls(
            window,
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, bool),
        )

    def copy(self) -> Memory:
        """The same, to be changed by itself."""
        return Memory(self.window, self.log_odds.copy(), self.weight.copy(), self.age.copy(), self.seen.copy())

    def moved(self, window: Window) -> Memory:
        """The same cells in another window: those that it does not hold are forgotten, the others unknown."""
        if window == self.window:
            return self
        new = Memory.empty(window)
        old = self.window
        if old.resolution != window.resolution:
            return new
        rows = _shared(old.y, old.rows, window.y, window.rows)
        columns = _shared(old.x, old.columns, window.x, window.columns)
        for name in ("log_odds", "weight", "age", "seen"):
            getattr(new, name)[rows[1], columns[1]] = getattr(self, name)[rows[0], columns[0]]
        return new


def _shared(old: int, n: int, new: int, m: int) -> tuple[slice, slice]:
    """The cells that two ranges share, in the numbers of each."""
    first, last = max(old, new), min(old + n, new + m)
    last = max(first, last)
    return slice(first - old, last - old), slice(first - new, last - new)


@dataclass(frozen=True, eq=False)
class Fused:
    """What is known of the cells now.

    Attributes:
        p: float32, P(hazard); NaN where nothing is known.
        seen: bool, trusted ground when last seen, and that not longer ago than the decay.
        occupancy: int8, 100 ``p``; -1 where nothing is known.
    """

    p: np.ndarray
    seen: np.ndarray
    occupancy: np.ndarray


def fuse(memory: Memory, observed: Observation, step_s: float, decay_s: float, threads: int | None = None) -> Fused:
    """Put a frame into the memory.

    Args:
        memory: changed in place.
        observed: what the frame says of the same cells.
        step_s: seconds since the frame before, >= 0.
        decay_s: time constant of forgetting, seconds.
        threads: how many threads work; None for one per core, at most 8.
    """
    shape = memory.age.shape
    fused = Fused(np.empty(shape, np.float32), np.empty(shape, bool), np.empty(shape, np.int8))

    def band(first: int, last: int) -> None:
        rows = slice(first, last)
        planes = (memory.log_odds, memory.weight, memory.age, memory.seen, fused.p, fused.seen, fused.occupancy)
        fusion_kernels.fuse_rows(observed.kind[rows], observed.p[rows], step_s, decay_s, *(m[rows] for m in planes))

    run_bands(band, shape[0], threads)
    return fused
