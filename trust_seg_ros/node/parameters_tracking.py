"""Parameters of tracking: whether segments are followed from frame to frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trust_seg_ros.node.parameter import AT_CONFIGURE, Parameter
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.segments.tracks.settings import LONGEST, LONGEST_GAP_S

_DEFAULT = TrackingSettings()

TRACKING_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "tracking",
        "off",
        "Follow segments and out-of-distribution segments from frame to frame. `on`: the `id` of a detection is the "
        "number of its track, its results tell age and velocity, and time-dynamic meta models can be used.",
        AT_CONFIGURE,
        choices=("off", "on"),
    ),
    Parameter(
        "tracking.length",
        _DEFAULT.length,
        "How many earlier frames of a track a time-dynamic meta model sees, at most; they are spread over the time "
        "window that it was fitted with. No effect without such a model.",
        AT_CONFIGURE,
        low=2,
        high=LONGEST,
    ),
    Parameter(
        "tracking.max_gap_s",
        _DEFAULT.max_gap_s,
        "Longest time between two sightings of a track, in seconds of message time; a longer step between two frames "
        "forgets all tracks, so it must be above the time between frames.",
        AT_CONFIGURE,
        low=0.001,
        high=LONGEST_GAP_S,
    ),
)


def tracking_settings(v: Mapping[str, Any]) -> TrackingSettings:
    """The settings that these parameters give."""
    return TrackingSettings(v["tracking"] == "on", v["tracking.length"], v["tracking.max_gap_s"])
