"""Thresholds by region of the image: a grid of equal shares of its height and width, whatever the camera's size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.thresholds import policy_kernels as kernels
from trust_seg_ros.thresholds.policies.base import PolicyError
from trust_seg_ros.thresholds.policies.resolution import check_alike
from trust_seg_ros.types import UNLABELLED
from trust_seg_ros.uncertainty.threads import run_bands

REGIONS = (3, 3)
"""Rows and columns of a new calibration: far and near, left, ahead and right, each with enough images of its own."""
MOST_REGIONS = 255
_NAMES = ("top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right")


@dataclass(frozen=True, eq=False)
class RegionThresholds:
    """A threshold for each region of the image.

    Attributes:
        values: (rows, columns) float64; NaN: the region has none of its own.
        fallback: threshold of these regions.

    Raises:
        PolicyError: ``values`` has another shape, or ``fallback`` is NaN.
    """

    values: np.ndarray
    fallback: float

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not 0 < self.values.size <= MOST_REGIONS:
            raise PolicyError(
                f"thresholds of regions {self.values.shape}: expected (rows, columns), at most {MOST_REGIONS} in all"
            )
        if np.isnan(self.fallback):
            raise PolicyError("fallback = nan: expected a number in the unit of the score")

    def table(self) -> np.ndarray:
        """(rows, columns) float64, the threshold of every region."""
        table: np.ndarray = np.where(np.isnan(self.values), self.fallback, self.values)
        return table

    def lowered_to(self, limit: float) -> RegionThresholds:
        """The stricter of each threshold and ``limit``."""
        return RegionThresholds(np.minimum(self.values, limit), min(self.fallback, limit))


def bounds(length: int, parts: int) -> np.ndarray:
    """(parts + 1,) int64: part j of ``length`` rows or columns is bounds[j] .. bounds[j + 1] - 1.

    Row r belongs to part r * parts // length. Some parts are empty where there are fewer rows than parts.
    """
    return -(-np.arange(parts + 1) * length // parts)


def region_ids(size: tuple[int, int], shape: tuple[int, int] = REGIONS) -> np.ndarray:
    """(H, W) uint8: the region of every pixel, numbered row by row from the top left.

    Args:
        size: (H, W).
        shape: rows and columns of regions, at most ``MOST_REGIONS`` in all.
    """
    rows, columns = (np.arange(length) * parts // max(length, 1) for length, parts in zip(size, shape, strict=True))
    first: np.ndarray = (rows * shape[1]).astype(np.uint8)[:, None]
    return first + columns.astype(np.uint8)


def region_names(shape: tuple[int, int]) -> tuple[str, ...]:
    """The names of the regions, row by row: ``top left`` for three by three, else ``row 1 column 1``."""
    if shape == (3, 3):
        return _NAMES
    return tuple(f"row {r + 1} column {c + 1}" for r in range(shape[0]) for c in range(shape[1]))


def flags_by_region(
    score: np.ndarray,
    thresholds: RegionThresholds,
    classes: np.ndarray | None = None,
    *,
    threads: int | None = None,
) -> np.ndarray:
    """Where a score is at or above the threshold of its region, compared in the score's own type.

    Args:
        score: (H, W) float32 or float64.
        thresholds: thresholds of the regions.
        classes: (H, W) uint8; where no class was predicted, pixels are always flagged.
        threads: how many threads work; None for one per core, at most 8.

    Returns:
        (H, W) bool. NaN is flagged only where there is no class.

    Raises:
        PolicyError: the score is no map, or ``classes`` does not belong to it.
    """
    _check(score, classes)
    out = np.empty(score.shape, bool)
    with np.errstate(over="ignore"):
        table = thresholds.table().astype(score.dtype)
    if score.size:
        rows, columns = (bounds(length, parts) for length, parts in zip(score.shape, table.shape, strict=True))
        plane = np.ascontiguousarray(score)
        run_bands(lambda a, b: kernels.compare_by_region(plane, table, rows, columns, a, b, out), len(plane), threads)
    if classes is not None and classes.size and classes.max() == UNLABELLED:
        out |= classes == UNLABELLED
    return out


def flags_by_region_reference(
    score: np.ndarray, thresholds: RegionThresholds, classes: np.ndarray | None = None
) -> np.ndarray:
    """As :func:`flags_by_region`."""
    _check(score, classes)
    table = thresholds.table()
    with np.errstate(over="ignore"):
        limit = table.ravel()[region_ids(score.shape, table.shape)].astype(score.dtype)
    found: np.ndarray = score >= limit
    return found if classes is None else found | (classes == UNLABELLED)


def _check(score: np.ndarray, classes: np.ndarray | None) -> None:
    if score.ndim != 2:
        raise PolicyError(f"thresholds by region: expected a score map (H, W), got {score.shape}")
    if classes is not None:
        check_alike(score, classes)
