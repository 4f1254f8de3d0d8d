"""Policy ``conformal``."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.thresholds.policies.base import About, Calibrated, parameter


@dataclass(frozen=True)
class Conformal(Calibrated):
    """The constant with a guarantee: the expected share of misclassified pixels missed is at most alpha.

    By conformal risk control (Angelopoulos et al. 2022); holds for images that are exchangeable with the calibration
    images, not under domain shift.

    Attributes:
        alpha: in (0, 1).

    Raises:
        PolicyError: alpha is out of range.
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

    alpha: float = parameter(
        0.05,
        "expected share of an image's {errors} that is missed; a smaller alpha needs more calibration images.",
        0.0,
        1.0,
        open_low=True,
        open_high=True,
        defaults={"pixel": 0.1, "unreliable": 0.2},
    )

    @property
    def promise(self) -> float:
        """The largest risk."""
        return self.alpha
