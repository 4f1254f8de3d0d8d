"""The user's settings of all thresholds: one immutable snapshot, read once per frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import cast

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.thresholds.calm import CalmSettings
from trust_seg_ros.thresholds.policies.auto import Auto
from trust_seg_ros.thresholds.policies.base import PerImage
from trust_seg_ros.thresholds.policies.registry import TARGET_POLICIES
from trust_seg_ros.thresholds.policies.settings import PolicySettings, check_choice
from trust_seg_ros.thresholds.policies.target_recall import PIXEL_RECALL
from trust_seg_ros.thresholds.shift import ShiftSettings
from trust_seg_ros.thresholds.targets import TARGETS
from trust_seg_ros.uncertainty.perturbation_settings import Kind, PerturbationSettings
from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES, PIXEL_SCORES, SCORES

OF_MODEL = -1.0
"""As threshold on P(OoD): the one that the file of the OoD meta model names, 1/2 if it names none."""
OOD_OF_MODEL = -1e6
"""As threshold on an OoD score: the one that the OoD meta model of this score was fitted at; without such a model
``PAPER_OOD`` for scores of the softmax, else none: nothing is flagged."""
PAPER_OOD = 0.7
"""Threshold on the entropy in Chan et al. 2021. A network that has learned to be unsure mostly wants a higher one."""
MIN_SHARE = 3e-4
"""Smallest segment that is flagged, as a share of the image; smaller ones are half of the flagged ones on films."""


class ThresholdError(TrustSegError, ValueError):
    """A threshold is outside its range, or on a score that does not exist."""


@dataclass(frozen=True)
class ThresholdSettings:
    """Policies and parameters of every threshold. A score at or above its threshold is flagged.

    Attributes:
        pixel: threshold on the pixel score ``pixel_score``; by default what finds ``PIXEL_RECALL`` of the misclassified
            pixels of the calibration data, or the constant 0.6 without a calibration of that score.
        pixel_score: one of ``PIXEL_SCORES``.
        unreliable: threshold on P(false positive) of a segment.
        ood: threshold on the pixel score ``ood_score``; OoD segments are components at or above it.
            ``OOD_OF_MODEL``: that of the OoD meta model, see there.
        ood_score: one of ``SCORES``.
        ood_min_size: smallest OoD segment in pixels, >= 1.
        ood_meta: threshold on P(OoD) of an OoD segment; a segment below it is discarded as a false alarm, unless its
            metrics lie outside the range that the meta model was fitted on. ``OF_MODEL``: the model's own.
        shift: when the data no longer resemble the calibration data.
        perturbation: passes, statistic and strength of a perturbation score; its kind is that of ``pixel_score``.
        unreliable_min_share: smallest segment that is flagged by P(false positive), as a share of the image, in
            [0, 1]; see ``min_share``.
        calm: how flags of tracked segments settle over time; raw by default.

    Raises:
        ThresholdError: a target does not have the policy, there is no such score, or a size or share is out of range.

    Example:
        >>> ThresholdSettings(pixel=PolicySettings("quantile", quantile=0.98, smoothing_s=0.5))
    """

    pixel: PolicySettings = field(default_factory=partial(PolicySettings, "auto", value=0.6, recall=PIXEL_RECALL))
    pixel_score: str = "entropy"
    unreliable: PolicySettings = field(default_factory=partial(PolicySettings, value=0.5))
    ood: PolicySettings = field(default_factory=partial(PolicySettings, value=OOD_OF_MODEL))
    ood_score: str = "entropy"
    ood_min_size: int = 50
    ood_meta: PolicySettings = field(default_factory=partial(PolicySettings, value=OF_MODEL))
    shift: ShiftSettings = field(default_factory=ShiftSettings)
    perturbation: PerturbationSettings = field(default_factory=partial(PerturbationSettings, "input_noise"))
    unreliable_min_share: float = MIN_SHARE
    calm: CalmSettings = field(default_factory=CalmSettings)

    def __post_init__(self) -> None:
        for target, choices in TARGET_POLICIES.items():
            check_choice(f"policy of {target}", getattr(self, target).policy, choices, ThresholdError)
        check_scores(self.pixel_score, self.ood_score)
        if self.ood_min_size < 1:
            raise ThresholdError(f"ood_min_size = {self.ood_min_size}: expected at least 1 pixel")
        if not 0.0 <= self.unreliable_min_share <= 1.0:  # also refuses NaN
            raise ThresholdError(
                f"unreliable_min_share = {self.unreliable_min_share}: expected a share of the image, 0 (flag segments "
                "of any size) to 1"
            )

    @classmethod
    def constants(
        cls,
        *,
        unreliable: float = 0.5,
        unreliable_min_share: float = MIN_SHARE,
        pixel: float = 0.6,
        pixel_score: str = "entropy",
        ood: float = OOD_OF_MODEL,
        ood_min_size: int = 50,
        ood_score: str = "entropy",
        ood_meta: float = OF_MODEL,
    ) -> ThresholdSettings:
        """Settings whose thresholds are all numbers; equal arguments give the same object.

        Args:
            unreliable: threshold on P(false positive) of a segment, in [0, 1].
            unreliable_min_share: smallest segment that is flagged, as a share of the image, in [0, 1].
            pixel: threshold on the pixel score ``pixel_score``, in its unit; outside the score's range, everything or
                nothing is flagged.
            pixel_score: one of ``PIXEL_SCORES``.
            ood: threshold on the pixel score ``ood_score``, in its unit (Chan et al. 2021 use 0.7 on the entropy), or
                ``OOD_OF_MODEL``.
            ood_min_size: smallest OoD segment in pixels, >= 1.
            ood_score: one of ``SCORES``.
            ood_meta: threshold on P(OoD) of an OoD segment, in [0, 1], or ``OF_MODEL``.

        Raises:
            ThresholdError: a value is outside its range; the text names it and what was expected.

        Example:
            >>> strict = ThresholdSettings.constants(unreliable=0.3, pixel=0.5, pixel_score="margin")
        """
        return _constants(unreliable, unreliable_min_share, pixel, pixel_score, ood, ood_min_size, ood_score, ood_meta)

    @property
    def policies(self) -> dict[str, PolicySettings]:
        """Target -> its policy."""
        return {target: getattr(self, target) for target in TARGETS}

    @property
    def min_share(self) -> float:
        """Smallest segment that is flagged, as a share of the image.

        0 with a calibrated policy: what it promises counts the wrong segments of every size.
        """
        return 0.0 if self.unreliable.calibrated else self.unreliable_min_share

    @property
    def perturbed(self) -> PerturbationSettings | None:
        """The perturbation score that flags pixels; None if a single-pass score does."""
        if self.pixel_score not in PERTURBATION_SCORES:
            return None
        return replace(self.perturbation, kind=cast("Kind", self.pixel_score))

    @property
    def remembers(self) -> bool:
        """Whether flags depend on earlier frames, too: by smoothing, evidence over time, or the shift monitor."""
        return self.calm.on or any(
            (p.smoothing_s > 0.0 and isinstance(p.chosen, PerImage))
            or (p.on_shift == "conservative" and (p.calibrated or p.policy == Auto.name))
            for p in self.policies.values()
        )

    def with_policy(self, target: str, **changes: object) -> ThresholdSettings:
        """A copy with changes to the policy of one target, a key of ``TARGET_POLICIES``."""
        return replace(self, **{target: replace(getattr(self, target), **changes)})


@lru_cache(maxsize=16)  # most frames have the same constants, and equal settings are recognised fastest by identity
def _constants(
    unreliable: float,
    unreliable_min_share: float,
    pixel: float,
    pixel_score: str,
    ood: float,
    ood_min_size: int,
    ood_score: str,
    ood_meta: float,
) -> ThresholdSettings:
    numbers = {"pixel": pixel, "unreliable": unreliable, "ood": ood, "ood_meta": ood_meta}
    for name in ("unreliable", "ood_meta"):
        of_model = name == "ood_meta" and numbers[name] == OF_MODEL
        if not 0.0 <= numbers[name] <= 1.0 and not of_model:  # also refuses NaN
            raise ThresholdError(f"threshold {name} = {numbers[name]}: expected a number in [0, 1]")
    for name in ("pixel", "ood"):
        if math.isnan(numbers[name]):
            raise ThresholdError(f"threshold {name} = nan: expected a number in the unit of its score")
    policy = {name: PolicySettings(value=value) for name, value in numbers.items()}
    return ThresholdSettings(
        pixel=policy["pixel"],
        pixel_score=pixel_score,
        unreliable=policy["unreliable"],
        unreliable_min_share=unreliable_min_share,
        ood=policy["ood"],
        ood_score=ood_score,
        ood_min_size=ood_min_size,
        ood_meta=policy["ood_meta"],
    )


def check_scores(pixel_score: str, ood_score: str) -> None:
    """Refuse names of scores that their threshold cannot act on.

    OoD segments are found with single-pass scores only: their meta model and default thresholds know no others.

    Raises:
        ThresholdError: a score does not fit its threshold; the text lists the possible ones.
    """
    for what, name, known in (("pixel_score", pixel_score, PIXEL_SCORES), ("ood_score", ood_score, SCORES)):
        if name not in known:
            raise ThresholdError(f"{what} = {name!r}: expected one of {', '.join(known)}{did_you_mean(name, known)}")
