"""What thresholds promise, and what remains of it once the data no longer resemble the calibration data."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.thresholds.settings import ThresholdSettings
from trust_seg_ros.thresholds.targets import TARGETS


@dataclass(frozen=True)
class Promises:
    """Under a shift, in words.

    Attributes:
        void: what is no longer promised; a line for every threshold that promised something.
        holds: what holds nevertheless; a line for every threshold.
    """

    void: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()


def promises(settings: ThresholdSettings) -> Promises:
    """What remains of the promises of these settings, in which nothing is left to the calibration any more."""
    void, holds = [], []
    for target, policy in settings.policies.items():
        words, chosen = f"{TARGETS[target].flagged} {policy.describe()}", policy.chosen
        if chosen.void_on_shift:
            void.append(f"{words}: {chosen.void_on_shift}")
        kept = chosen.holds_on_shift
        if policy.on_shift == "conservative" and policy.calibrated:
            kept = f"the stricter of the constant and the image's quantile {policy.quantile:g} acts now"
        holds.append(f"{words}: {kept}")
    return Promises(tuple(void), tuple(holds))
