"""Constant thresholds: one immutable snapshot per frame."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.types import UncertaintyMaps

PIXEL_SCORES = ("entropy", "margin", "variation_ratio")
"""Names of the per-pixel scores a threshold may act on."""


class ThresholdError(TrustSegError, ValueError):
    """A threshold outside its range, or on a score that does not exist."""


@dataclass(frozen=True)
class Thresholds:
    """The thresholds in force for a frame. A score at or above its threshold is flagged.

    Attributes:
        unreliable: on P(false positive) of a segment, in [0, 1].
        pixel: on the per-pixel score ``pixel_score``, in [0, 1].
        pixel_score: one of ``PIXEL_SCORES``.
        ood: on the normalised entropy of a pixel, in [0, 1]; OoD segments are components at or above it
            (Chan et al. 2021 use 0.7).
        ood_min_size: smallest OoD segment in pixels, >= 1.

    Raises:
        ThresholdError: a value is outside its range.
    """

    unreliable: float = 0.5
    pixel: float = 0.6
    pixel_score: str = "entropy"
    ood: float = 0.7
    ood_min_size: int = 50

    def __post_init__(self) -> None:
        for name in ("unreliable", "pixel", "ood"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:  # also refuses NaN
                raise ThresholdError(f"threshold {name} = {value}: expected a number in [0, 1]")
        if self.pixel_score not in PIXEL_SCORES:
            raise ThresholdError(f"pixel_score = {self.pixel_score!r}: expected one of {', '.join(PIXEL_SCORES)}")
        if self.ood_min_size < 1:
            raise ThresholdError(f"ood_min_size = {self.ood_min_size}: expected at least 1 pixel")

    def as_dict(self) -> dict[str, float]:
        """Name -> value of the numeric thresholds, for messages and diagnostics."""
        return {k: float(v) for k, v in asdict(self).items() if not isinstance(v, str)}


def pixel_score(maps: UncertaintyMaps, name: str) -> np.ndarray:
    """The score map called ``name``, (H, W) float32 on the host.

    Raises:
        ThresholdError: there is no such score.
    """
    if name not in PIXEL_SCORES:
        raise ThresholdError(f"no pixel score {name!r}; expected one of {', '.join(PIXEL_SCORES)}")
    return getattr(maps, name).numpy(force=True)


def pixel_flags(maps: UncertaintyMaps, thresholds: Thresholds) -> np.ndarray:
    """(H, W) bool: the pixel score is at or above its threshold."""
    return pixel_score(maps, thresholds.pixel_score) >= np.float32(thresholds.pixel)
