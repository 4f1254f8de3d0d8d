"""What a user sets for all thresholds: one immutable snapshot, read once per frame."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import lru_cache, partial

from trust_seg_ros.thresholds.fixed import ThresholdError, Thresholds, check_scores
from trust_seg_ros.thresholds.policies import PerImage
from trust_seg_ros.thresholds.policy_settings import CALIBRATED, POLICIES, PolicySettings
from trust_seg_ros.thresholds.shift import ShiftSettings
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings
from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES

TARGET_POLICIES: dict[str, tuple[str, ...]] = {
    "pixel": POLICIES,
    "unreliable": POLICIES,
    "ood": tuple(name for name in POLICIES if name not in CALIBRATED),
    "ood_meta": ("fixed", *CALIBRATED),
}
"""Target -> the policies that mean something there.

Calibration curves of a pixel score tell which misclassified pixels it finds, nothing about unknown objects, so none
gives the OoD threshold. An image has a handful of OoD segments: too few for a policy that looks at the image.
"""


@dataclass(frozen=True)
class ThresholdSettings:
    """Policies and parameters of every threshold. A score at or above its threshold is flagged.

    Attributes:
        pixel: on the pixel score ``pixel_score``.
        pixel_score: one of ``PIXEL_SCORES``.
        unreliable: on P(false positive) of a segment.
        ood: on the pixel score ``ood_score``; OoD segments are components at or above it.
        ood_score: one of ``SCORES``.
        ood_min_size: smallest OoD segment in pixels, >= 1.
        ood_meta: on P(OoD) of an OoD segment; one below it is discarded as a false alarm.
        shift: when the data no longer count as those of the calibration.
        perturbation: passes, statistic and strength of a perturbation score; its kind is that of ``pixel_score``.

    Raises:
        ThresholdError: a policy that its target does not have, no such score, or a size below 1.

    Example:
        >>> ThresholdSettings(pixel=PolicySettings("quantile", quantile=0.98, smoothing_s=0.5))
    """

    pixel: PolicySettings = field(default_factory=partial(PolicySettings, value=Thresholds.pixel))
    pixel_score: str = Thresholds.pixel_score
    unreliable: PolicySettings = field(default_factory=partial(PolicySettings, value=Thresholds.unreliable))
    ood: PolicySettings = field(default_factory=partial(PolicySettings, value=Thresholds.ood))
    ood_score: str = Thresholds.ood_score
    ood_min_size: int = Thresholds.ood_min_size
    ood_meta: PolicySettings = field(default_factory=partial(PolicySettings, value=Thresholds.ood_meta))
    shift: ShiftSettings = field(default_factory=ShiftSettings)
    perturbation: PerturbationSettings = field(default_factory=partial(PerturbationSettings, "input_noise"))

    def __post_init__(self) -> None:
        for target, choices in TARGET_POLICIES.items():
            policy = getattr(self, target).policy
            if policy not in choices:
                raise ThresholdError(f"policy of {target} = {policy!r}: expected one of {', '.join(choices)}")
        check_scores(self.pixel_score, self.ood_score)
        if self.ood_min_size < 1:
            raise ThresholdError(f"ood_min_size = {self.ood_min_size}: expected at least 1 pixel")

    @classmethod
    def of(cls, thresholds: Thresholds | ThresholdSettings | None) -> ThresholdSettings:
        """Constants as settings; None for the defaults, settings as they are."""
        if isinstance(thresholds, ThresholdSettings):
            return thresholds
        return _fixed(thresholds or Thresholds())

    @property
    def policies(self) -> dict[str, PolicySettings]:
        """Target -> its policy."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name in TARGET_POLICIES}

    @property
    def perturbed(self) -> PerturbationSettings | None:
        """The perturbation score that flags pixels; None where one of a single pass does."""
        kind = self.pixel_score
        return replace(self.perturbation, kind=kind) if kind in PERTURBATION_SCORES else None

    @property
    def remembers(self) -> bool:
        """Whether what is flagged depends on earlier frames, too: by smoothing, or by the shift monitor."""
        return any(
            (p.smoothing_s > 0.0 and isinstance(p.chosen, PerImage)) or (p.calibrated and p.on_shift == "conservative")
            for p in self.policies.values()
        )

    def with_policy(self, target: str, **changes: object) -> ThresholdSettings:
        """Another with changes to the policy of one target, a key of ``TARGET_POLICIES``."""
        return replace(self, **{target: replace(getattr(self, target), **changes)})


@lru_cache(maxsize=16)  # frames come with the same constants, and equal settings are told apart fastest by identity
def _fixed(t: Thresholds) -> ThresholdSettings:
    numbers = {name: PolicySettings(value=getattr(t, name)) for name in TARGET_POLICIES}
    return ThresholdSettings(**numbers, pixel_score=t.pixel_score, ood_score=t.ood_score, ood_min_size=t.ood_min_size)
