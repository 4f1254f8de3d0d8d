"""Policy ``conformal``."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.thresholds.policies.base import About, Calibrated, parameter
from trust_seg_ros.thresholds.policies.groupings import ALL, GROUPINGS


@dataclass(frozen=True)
class Conformal(Calibrated):
    """The constant with a guarantee: the expected share of misclassified pixels missed is at most alpha.

    By conformal risk control (Angelopoulos et al. 2022); holds for images that are exchangeable with the calibration
    images, not under domain shift.

    Attributes:
        alpha: in (0, 1).
        conformal_by: one of ``GROUPINGS``: what has a threshold, and the promise, of its own.

    Raises:
        PolicyError: alpha is out of range, or there is no such grouping.
    """

    name = "conformal"
    about = About(
        threshold="the constant whose expected share of missed errors is at most alpha, for new images",
        choose="a guarantee is needed",
        beware="holds for images like the calibration images; needs enough of them (at least 19 for alpha = 0.05); "
        "void under shift",
    )
    needs = "risk"
    judged = (0.1, 0.05)
    void_on_shift = "more than alpha of the errors may be missed"
    holds_on_shift = "the threshold is the constant that it was"

    alpha: float = parameter(
        0.05,
        "expected share of an image's {errors} that is missed; a smaller alpha needs more calibration images.",
        0.0,
        1.0,
        open_low=True,
        open_high=True,
        defaults={"pixel": 0.1, "unreliable": 0.2},
    )

    conformal_by: str = parameter(
        ALL,
        {
            "pixel": "`all`: one threshold, and alpha holds for all errors of an image together. `class`, `region`, "
            "`image`: a threshold for each predicted class, each ninth of the image, or images of low, middle and "
            "high mean score, and alpha holds in each of these groups. A group with fewer than 1/alpha - 1 "
            "calibration images that have errors in it uses the common threshold, and alpha is not guaranteed there."
        },
        choices=GROUPINGS,
    )

    @property
    def by(self) -> str:
        """What the threshold is separate for."""
        return self.conformal_by

    def describe(self) -> str:
        """For example ``conformal alpha = 0.1 by class``."""
        return super().describe() + (f" by {self.conformal_by}" if self.conformal_by != ALL else "")

    @property
    def promise(self) -> float:
        """The largest risk."""
        return self.alpha
