"""Constant thresholds: one immutable snapshot per frame."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.uncertainty.score_names import PIXEL_SCORES, SCORES


class ThresholdError(TrustSegError, ValueError):
    """A threshold outside its range, or on a score that does not exist."""


@dataclass(frozen=True)
class Thresholds:
    """The thresholds in force for a frame. A score at or above its threshold is flagged.

    Thresholds on pixel scores are in the unit of their score and may lie outside its range: everything, or nothing, is
    flagged then.

    Attributes:
        unreliable: on P(false positive) of a segment, in [0, 1].
        pixel: on the pixel score ``pixel_score``, any number.
        pixel_score: one of ``PIXEL_SCORES``.
        ood: on the pixel score ``ood_score``, any number; OoD segments are components at or above it (Chan et al. 2021
            use 0.7 on the entropy).
        ood_min_size: smallest OoD segment in pixels, >= 1.
        ood_score: one of ``SCORES``.
        ood_meta: on P(OoD) of an OoD segment, in [0, 1]; one below it is discarded as a false alarm.

    Raises:
        ThresholdError: a value is outside its range.
    """

    unreliable: float = 0.5
    pixel: float = 0.6
    pixel_score: str = "entropy"
    ood: float = 0.7
    ood_min_size: int = 50
    ood_score: str = "entropy"
    ood_meta: float = 0.5

    def __post_init__(self) -> None:
        for name in ("unreliable", "ood_meta"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:  # also refuses NaN
                raise ThresholdError(f"threshold {name} = {value}: expected a number in [0, 1]")
        for name in ("pixel", "ood"):
            if math.isnan(getattr(self, name)):
                raise ThresholdError(f"threshold {name} = nan: expected a number in the unit of its score")
        check_scores(self.pixel_score, self.ood_score)
        if self.ood_min_size < 1:
            raise ThresholdError(f"ood_min_size = {self.ood_min_size}: expected at least 1 pixel")

    def as_dict(self) -> dict[str, float]:
        """Name -> value of the numeric thresholds, for messages and diagnostics."""
        return {k: float(v) for k, v in asdict(self).items() if not isinstance(v, str)}


def check_scores(pixel_score: str, ood_score: str) -> None:
    """Refuse names of scores that their threshold cannot act on.

    OoD segments are of scores of a single pass: what judges them, and their default thresholds, know no others.

    Raises:
        ThresholdError: the text lists those there are.
    """
    for what, name, known in (("pixel_score", pixel_score, PIXEL_SCORES), ("ood_score", ood_score, SCORES)):
        if name not in known:
            raise ThresholdError(f"{what} = {name!r}: expected one of {', '.join(known)}{did_you_mean(name, known)}")
