"""Makes the bound on missed hazard cells from maps whose true hazard cells are known."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.fitting.curve_builder import UNIT_GRID
from trust_seg_ros.ground.hazard_bound import UNITS, HazardBound, HazardBoundError, MapConditions
from trust_seg_ros.thresholds.curves import RiskCurve

FIRST = np.geomspace(2.0**-20, 2.0**-10, 41).astype(np.float32).astype(np.float64)
"""Thresholds below those of ``UNIT_GRID``, as P(hazard) of ground that is well seen is small."""
GRID = np.unique(np.concatenate([UNIT_GRID, FIRST]))
"""(k,) float64 thresholds on P(hazard), each a float32 exactly; the first, 0, leaves no cell free."""


def missed_shares(p: np.ndarray, seen: np.ndarray, hazards: np.ndarray, grid: np.ndarray = GRID) -> np.ndarray:
    """The loss of one frame at every threshold: the share of its true hazard cells that are free.

    Args:
        p: (rows, columns) P(hazard) of each cell; NaN = not known.
        seen: (rows, columns) bool, seen as trusted ground: such a cell is free below the threshold.
        hazards: (rows, columns) bool, true hazard cells within range.
        grid: (k,) ascending thresholds.

    Returns:
        (k,) float64 in [0, 1], not descending; 0 everywhere in a frame without hazard cells.

    Raises:
        HazardBoundError: shapes differ.
    """
    if not p.shape == seen.shape == hazards.shape:
        raise HazardBoundError(
            f"P(hazard) {p.shape}, trusted ground {seen.shape}, true hazard cells {hazards.shape}: expected one shape"
        )
    total = int(np.count_nonzero(hazards))
    risky = np.sort(p[hazards & seen & (p >= 0)].astype(np.float64))
    below: np.ndarray = np.searchsorted(risky, grid, side="left")
    return below / max(total, 1)


class HazardBoundBuilder:
    """Takes frames one by one; memory for one curve per unit.

    Args:
        unit: one of ``UNITS``, for the texts: what frames are averaged over.
        grid: (k,) ascending thresholds from 0 to 1.

    Raises:
        HazardBoundError: no such unit.
    """

    def __init__(self, unit: str, grid: np.ndarray = GRID) -> None:
        if unit not in UNITS:
            raise HazardBoundError(f"unit {unit!r}: expected {' or '.join(UNITS)}")
        self.unit, self.grid = unit, grid
        self._sums: dict[str, np.ndarray] = {}
        self._frames: dict[str, int] = {}
        self._conditions: dict[MapConditions, None] = {}
        self.cells = 0

    def add(
        self, name: str, p: np.ndarray, seen: np.ndarray, hazards: np.ndarray, conditions: MapConditions
    ) -> np.ndarray:
        """Add a frame of the unit ``name``, for example of a drive, and return its loss.

        Args:
            name: unit that the frame belongs to.
            p, seen, hazards: as in :func:`missed_shares`.
            conditions: camera and map of this frame.

        Raises:
            HazardBoundError: shapes differ.
        """
        loss = missed_shares(p, seen, hazards, self.grid)
        self._sums[name] = self._sums.get(name, 0.0) + loss
        self._frames[name] = self._frames.get(name, 0) + 1
        self._conditions[conditions] = None
        self.cells += int(np.count_nonzero(hazards))
        return loss

    def losses(self) -> dict[str, np.ndarray]:
        """Unit -> (k,) mean loss of its frames."""
        return {name: found / self._frames[name] for name, found in self._sums.items()}

    def bound(self) -> HazardBound:
        """Over all units added.

        Raises:
            HazardBoundError: there is none, they are of different kinds of maps, or no frame shows a hazard cell.
        """
        made_for = MapConditions.over(self._conditions)
        if not self.cells:
            raise HazardBoundError(
                f"{sum(self._frames.values())} frames without a true hazard cell: expected data that shows obstacles"
            )
        losses = self.losses()
        risk = np.mean([*losses.values()], axis=0)
        curve = RiskCurve(self.grid, np.maximum.accumulate(risk), len(losses))
        return HazardBound(curve, self.unit, made_for, sum(self._frames.values()), self.cells)
