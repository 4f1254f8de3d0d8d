"""The targets of thresholds: pixels, segments, out-of-distribution (OoD) pixels and segments."""

from __future__ import annotations

from dataclasses import dataclass

_MOST = 1e6
"""Limit of parameters in the unit of a score; no logit, energy or logarithm comes near."""


@dataclass(frozen=True)
class Target:
    """One threshold that a user can set, and the words for it in the texts of parameters.

    Attributes:
        name: attribute of ``ThresholdSettings``.
        flagged: what is flagged.
        prefix: prefix of the names of its parameters.
        constant: name of the parameter that holds a constant threshold.
        low, high: range of that parameter.
        whole: words for what a per-image policy takes its scores from.
        scores: words for these scores.
        errors: words for the errors that a calibration counts.
    """

    name: str
    flagged: str
    prefix: str
    constant: str
    low: float
    high: float
    whole: str
    scores: str
    errors: str

    def parameter(self, field: str) -> str:
        """Name of the node's parameter for a field of a policy."""
        return self.constant if field == "value" else self.prefix + field


_TARGETS = (
    Target(
        "pixel",
        flagged="pixel flags",
        prefix="thresholds.pixel_",
        constant="thresholds.pixel",
        low=-_MOST,
        high=_MOST,
        whole="image",
        scores="image's scores",
        errors="misclassified pixels",
    ),
    Target(
        "unreliable",
        flagged="unreliable segments",
        prefix="thresholds.unreliable_",
        constant="thresholds.unreliable",
        low=0.0,
        high=1.0,
        whole="image's segments",
        scores="P(false positive) of the image's segments",
        errors="wrong segments",
    ),
    Target(
        "ood",
        flagged="OoD pixels",
        prefix="ood.",
        constant="ood.threshold",
        low=-_MOST,  # settings.OOD_OF_MODEL
        high=_MOST,
        whole="image",
        scores="image's scores",
        errors="unknown objects",
    ),
    Target(
        "ood_meta",
        flagged="OoD segments",
        prefix="ood.meta_",
        constant="ood.meta_threshold",
        low=-1.0,  # settings.OF_MODEL
        high=1.0,
        whole="image's OoD segments",
        scores="P(OoD) of the image's OoD segments",
        errors="unknown objects",
    ),
)

TARGETS: dict[str, Target] = {target.name: target for target in _TARGETS}
