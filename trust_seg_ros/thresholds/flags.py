"""Score maps and thresholds -> flags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.thresholds import policy_kernels as kernels
from trust_seg_ros.thresholds.policies.base import PolicyError
from trust_seg_ros.thresholds.policies.resolution import check_alike
from trust_seg_ros.types import UNLABELLED
from trust_seg_ros.uncertainty.threads import run_bands

_CLASSES = 256


@dataclass(frozen=True, eq=False)
class ClassThresholds:
    """A threshold for each predicted class.

    Attributes:
        values: (q,) float64, q <= 255; NaN: the class has none of its own.
        fallback: threshold of these classes, and of class ids from q on.

    Raises:
        PolicyError: ``values`` has another shape, or ``fallback`` is NaN.
    """

    values: np.ndarray
    fallback: float

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or len(self.values) > UNLABELLED:
            raise PolicyError(f"thresholds of classes {self.values.shape}: expected (q,) with q at most {UNLABELLED}")
        if np.isnan(self.fallback):
            raise PolicyError("fallback = nan: expected a number in the unit of the score")

    def table(self) -> np.ndarray:
        """(256,) float64, the threshold of every class id; -inf for ``UNLABELLED``, which is always flagged."""
        table = np.full(_CLASSES, self.fallback, np.float64)
        own = ~np.isnan(self.values)
        table[: len(self.values)][own] = self.values[own]
        table[UNLABELLED] = -np.inf
        return table

    def lowered_to(self, limit: float) -> ClassThresholds:
        """The stricter of each threshold and ``limit``."""
        return ClassThresholds(np.minimum(self.values, limit), min(self.fallback, limit))


def flags(score: np.ndarray, threshold: float, classes: np.ndarray | None = None) -> np.ndarray:
    """Where a score is at or above its threshold, compared in the score's own type.

    Args:
        score: (H, W) float32 or (n,) float64.
        threshold: in the unit of the score.
        classes: like ``score``, uint8; where no class was predicted, pixels are always flagged.

    Returns:
        bool, like ``score``. NaN is flagged only where there is no class.

    Raises:
        PolicyError: ``classes`` does not belong to the scores.
    """
    with np.errstate(over="ignore"):
        found: np.ndarray = score >= score.dtype.type(threshold)
    if classes is not None:
        check_alike(score, classes)
        if classes.size and classes.max() == UNLABELLED:
            found |= classes == UNLABELLED
    return found


def flags_by_class(
    score: np.ndarray, classes: np.ndarray, thresholds: ClassThresholds, *, threads: int | None = None
) -> np.ndarray:
    """Where a score is at or above the threshold of its class; one look-up per pixel.

    Args:
        score: (H, W) float32 or (n,) float64.
        classes: like ``score``, uint8 predicted classes; those without a class are flagged.
        thresholds: thresholds of the classes.
        threads: how many threads work; None for one per core, at most 8.

    Returns:
        bool, like ``score``.

    Raises:
        PolicyError: ``classes`` does not belong to the scores.
    """
    check_alike(score, classes)
    out = np.empty(score.shape, bool)
    with np.errstate(over="ignore"):
        table = thresholds.table().astype(score.dtype)
    flat, ids, found = (
        np.ascontiguousarray(score).reshape(-1),
        np.ascontiguousarray(classes).reshape(-1),
        out.reshape(-1),
    )
    blocks = max(1, -(-flat.size // kernels.BLOCK))
    run_bands(lambda a, b: kernels.compare_by_class(flat, ids, table, a, b, found), blocks, threads)
    if classes.size and classes.max() == UNLABELLED:
        out |= classes == UNLABELLED  # NaN is not at or above -inf
    return out


def flags_by_class_reference(score: np.ndarray, classes: np.ndarray, thresholds: ClassThresholds) -> np.ndarray:
    """As :func:`flags_by_class`."""
    check_alike(score, classes)
    own = np.concatenate([thresholds.values, np.full(_CLASSES - len(thresholds.values), np.nan)])[classes]
    with np.errstate(over="ignore"):
        limit = np.where(np.isnan(own), thresholds.fallback, own).astype(score.dtype)
    found: np.ndarray = (score >= limit) | (classes == UNLABELLED)
    return found


def large_enough(sizes: np.ndarray, pixels: int, share: float) -> np.ndarray:
    """(n,) bool: segments that cover at least a share of the grid, and so of the image.

    Args:
        sizes: (n,) pixels of each segment, on the grid.
        pixels: of the whole grid.
        share: in [0, 1]; rounded as a decimal number, so that 3 of 10,000 pixels are 0.0003.
    """
    found: np.ndarray = sizes / max(1, pixels) >= share
    return found
