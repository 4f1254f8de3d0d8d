"""Policy ``auto``."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.thresholds.policies.base import About, Policy


@dataclass(frozen=True)
class Auto(Policy):
    """``target_recall`` where the score is calibrated, else ``fixed``, with the parameters of these two.

    It has no threshold of its own: ``ThresholdControl.resolved`` puts one of the two in its place.
    """

    name = "auto"
    about = About(
        threshold="that of `target_recall` where the calibration holds the score, else that of `fixed`",
        choose="the default: the embedded networks have a shipped calibration, and others run without one",
        beware="without a calibration nobody knows what the constant finds; `/diagnostics` says which of the two it is",
    )
