"""Policy ``adaptive``."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.thresholds.policies.base import About, Policy, parameter


@dataclass(frozen=True)
class Adaptive(Policy):
    """Follows feedback, so that the missed share approaches alpha in the long run, whatever the data do.

    By adaptive conformal inference (Gibbs and Candès 2021). It starts from the conformal threshold of the same alpha
    where a calibration gives it, else from the constant; see ``thresholds.adaptation``.

    Attributes:
        adaptive_alpha: in (0, 1).
        adaptive_rate: in (0, 0.1].
        adaptive_keep_s: in (0, 600].

    Raises:
        PolicyError: a value is out of its range.
    """

    name = "adaptive"
    about = About(
        threshold="what labels or a reference of some earlier frames (`~/feedback`) have moved it to",
        choose="data shift, and some truth arrives, rarely and late: labels, a map, a lidar, a second network",
        beware="the promise is about the mean of a long run, not about a frame; without feedback it is a constant",
    )
    holds_on_shift = "the missed share approaches alpha in the long run all the same, as long as feedback comes"

    adaptive_alpha: float = parameter(
        0.1,
        "share of the {errors} with feedback that is missed in the long run.",
        0.0,
        1.0,
        open_low=True,
        open_high=True,
    )
    adaptive_rate: float = parameter(
        0.001,
        "how fast feedback moves the threshold: this share of its range per frame, times the difference of missed "
        "share and alpha. Rare feedback counts for the frames since the last one, up to a tenth of the range at once.",
        0.0,
        0.1,
        open_low=True,
    )
    adaptive_keep_s: float = parameter(
        15.0,
        "how many seconds a frame is kept so that late feedback can still be used; takes 2 MB per second at 10 Hz and "
        "480×360, 256 MB at most.",
        0.0,
        600.0,
        open_low=True,
    )

    def describe(self) -> str:
        """For example ``adaptive 0.1``."""
        return f"{self.name} {self.adaptive_alpha:g}"
