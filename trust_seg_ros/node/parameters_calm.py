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
        "`on`: a tracked segment, or out-of-distribution segment, is flagged by its probability averaged over time, "
        "and thresholds computed per image are smoothed with the same time constant; needs `tracking`. `off`: every "
        "frame is judged by itself.",
        choices=("off", "on"),
    ),
    Parameter(
        "calm.tau_s",
        _DEFAULT.tau_s,
        "Time constant of that average, in seconds of message time; 0: only the newest frame counts.",
        low=0.0,
        high=60.0,
    ),
    Parameter(
        "calm.hysteresis",
        _DEFAULT.hysteresis,
        "A flagged segment stays flagged until its probability falls this far below the threshold.",
        low=0.0,
        high=0.99,
    ),
    Parameter(
        "calm.confirm_s",
        _DEFAULT.confirm_s,
        "An out-of-distribution segment is reported only after it has been seen for this many seconds; shorter false "
        "alarms are never published.",
        low=0.0,
        high=60.0,
    ),
)


def calm_settings(v: Mapping[str, Any]) -> CalmSettings:
    """The settings that these parameters give."""
    return CalmSettings(v["calm"] == "on", v["calm.tau_s"], v["calm.hysteresis"], v["calm.confirm_s"])
