"""What a user sets for one threshold: the policy and the parameters of all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trust_seg_ros.thresholds.policies import (
    Conformal,
    Fixed,
    MeanStd,
    Otsu,
    Policy,
    PolicyError,
    Quantile,
    TargetRecall,
    check_number,
)

POLICIES = ("fixed", "quantile", "mean_std", "otsu", "target_recall", "conformal")
"""Names of the policies."""
CALIBRATED = ("target_recall", "conformal")
"""Those that need calibration curves."""
ON_SHIFT = ("warn", "conservative")
"""What happens when the shift monitor fires."""


@dataclass(frozen=True)
class PolicySettings:
    """The policy of one threshold. Parameters of policies not in use are kept and checked, so that any order is fine.

    Attributes:
        policy: one of ``POLICIES``.
        value: of fixed, in the unit of the score; any number.
        quantile: of quantile, in (0, 1]: at most the share 1 - quantile of the image is flagged. Also what on_shift =
            conservative uses.
        k: of mean_std, standard deviations above the mean, in [0, 100].
        recall: of target_recall, share of the errors to find, in (0, 1].
        alpha: of conformal, expected share of the errors missed, in (0, 1).
        smoothing_s: time constant in seconds of what is computed from the image, 0 = none. Constants are not smoothed:
            a new one acts at once.
        per_class: a threshold for each predicted class; target_recall only, others ignore it.
        on_shift: "warn", or "conservative": while the data no longer resembles the calibration data, the stricter of
            the constant and the image's quantile is in force. Policies that follow the image stay as they are.

    Raises:
        PolicyError: a value is outside its range; the text names it and what was expected.
    """

    policy: str = "fixed"
    value: float = 0.6
    quantile: float = 0.95
    k: float = 2.0
    recall: float = 0.95
    alpha: float = 0.05
    smoothing_s: float = 0.0
    per_class: bool = False
    on_shift: str = "warn"

    def __post_init__(self) -> None:
        for name, choices in (("policy", POLICIES), ("on_shift", ON_SHIFT)):
            if getattr(self, name) not in choices:
                raise PolicyError(f"{name} = {getattr(self, name)!r}: expected one of {', '.join(choices)}")
        self._all()
        check_number(
            "smoothing_s", self.smoothing_s, 0.0, math.inf, "seconds, at least 0 (0 = no smoothing)", open_high=True
        )

    @property
    def chosen(self) -> Policy:
        """The policy in use with its parameter."""
        return self._all()[self.policy]

    @property
    def calibrated(self) -> bool:
        """Whether the policy needs calibration curves."""
        return self.policy in CALIBRATED

    def describe(self) -> str:
        """The policy and its parameter in a few words, for diagnostics."""
        parameter = {
            "fixed": "",
            "quantile": f" {self.quantile:g}",
            "mean_std": f" k = {self.k:g}",
            "otsu": "",
            "target_recall": f" {self.recall:g}" + (" per class" if self.per_class else ""),
            "conformal": f" alpha = {self.alpha:g}",
        }
        return self.policy + parameter[self.policy]

    def _all(self) -> dict[str, Policy]:
        return {
            "fixed": Fixed(self.value),
            "quantile": Quantile(self.quantile),
            "mean_std": MeanStd(self.k),
            "otsu": Otsu(),
            "target_recall": TargetRecall(self.recall),
            "conformal": Conformal(self.alpha),
        }
