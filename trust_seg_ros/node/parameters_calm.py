"""Parameters of calm flags: evidence over time and hysteresis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trust_seg_ros.node.parameter import Parameter
from trust_seg_ros.thresholds.calm import CalmSettings

_DEFAULT = CalmSettings()

CALM_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "calm",
        "off",
        "`on`: flags of tracked segments and out-of-distribution segments follow the evidence of all their frames, and "
        "what follows the image is smoothed alike; needs `tracking`. `off`: raw, every frame by itself.",
        choices=("off", "on"),
    ),
    Parameter(
        "calm.tau_s",
        _DEFAULT.tau_s,
        "Time constant of forgetting evidence, in seconds of message time; 0: only the newest frame counts.",
        low=0.0,
        high=60.0,
    ),
    Parameter(
        "calm.hysteresis",
        _DEFAULT.hysteresis,
        "A flag that is set stays until its probability falls this far below the threshold.",
        low=0.0,
        high=0.99,
    ),
    Parameter(
        "calm.confirm_s",
        _DEFAULT.confirm_s,
        "Seconds since it was first seen before an out-of-distribution segment counts; what is gone earlier never "
        "does.",
        low=0.0,
        high=60.0,
    ),
)


def calm_settings(v: Mapping[str, Any]) -> CalmSettings:
    """The settings that these parameters give."""
    return CalmSettings(v["calm"] == "on", v["calm.tau_s"], v["calm.hysteresis"], v["calm.confirm_s"])
