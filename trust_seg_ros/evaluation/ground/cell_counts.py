"""Cells of caution maps against true ground: missed hazards, false ones, what is free of what could be, and smear."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import binary_dilation

from trust_seg_ros.evaluation.ground.truth import FrameTruth
from trust_seg_ros.fitting.hazard_bound import GRID, missed_shares
from trust_seg_ros.ground.caution_frame import CautionFrame

OCCUPIED = 50
"""Occupancy from which a cell counts as occupied."""


@dataclass(frozen=True, eq=False)
class FrameCells:
    """One map against the truth.

    Attributes:
        missed: (k,) share of the true hazard cells that is free at every threshold of ``GRID``; 0 without any.
        hazards: number of true hazard cells.
        free: (k,) number of truly free, visible cells that are free at every threshold.
        truly_free: number of truly free, visible cells.
        false: occupied cells among the truly free ones, with no true hazard cell beside them and nothing above them.
        occupied: occupied cells.
        hidden: cells well behind a thing that hides them, and not below another one.
        hidden_occupied: how many of them are occupied.
        hidden_free: (k,) how many of them are free at every threshold.
    """

    missed: np.ndarray
    hazards: int
    free: np.ndarray
    truly_free: int
    false: int
    occupied: int
    hidden: int
    hidden_occupied: int
    hidden_free: np.ndarray


def frame_cells(truth: FrameTruth, frame: CautionFrame) -> FrameCells:
    """Count one map."""
    true = truth.cells(frame)
    hazards, free, hidden = true.hazards, true.free, true.hidden
    occupied = frame.occupancy >= OCCUPIED
    clear = free & ~true.things & ~binary_dilation(hazards, np.ones((3, 3), bool))
    return FrameCells(
        missed_shares(frame.p, frame.seen, hazards),
        int(hazards.sum()),
        _free(frame, free),
        int(free.sum()),
        int((occupied & clear).sum()),
        int(occupied.sum()),
        int(hidden.sum()),
        int((occupied & hidden).sum()),
        _free(frame, hidden),
    )


@dataclass
class DriveCells:
    """Sums over the frames of a drive.

    Attributes:
        frames: how many.
        missed: (k,) sum of the frames' shares.
        counts: name of a number of :class:`FrameCells` -> sum.
    """

    frames: int = 0
    missed: np.ndarray = field(default_factory=lambda: np.zeros(len(GRID)))
    counts: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, one: FrameCells) -> None:
        """Add a frame."""
        self.frames += 1
        self.missed = self.missed + one.missed
        for name, value in vars(one).items():
            if name != "missed":
                self.counts[name] = self.counts.get(name, np.zeros(())) + np.asarray(value, np.float64)

    @property
    def loss(self) -> np.ndarray:
        """(k,) mean share of missed hazard cells over the frames."""
        return self.missed / max(self.frames, 1)


def _free(frame: CautionFrame, among: np.ndarray) -> np.ndarray:
    """(k,) number of cells among some that are free at every threshold."""
    p = np.sort(frame.p[among & frame.seen].astype(np.float64))
    found: np.ndarray = np.searchsorted(p, GRID, side="left")
    return found
