"""The parameters that say when images, results and the network are stale; a part of the table in ``parameters.py``."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.node.parameter import AT_START, Parameter


@dataclass(frozen=True)
class LivenessSettings:
    """From when on the diagnostics call images, results and the network stale; times in seconds.

    Attributes:
        image_period_s: usual time between two images; 0 = measured.
        warn_periods: usual periods without an image or a result that are a warning.
        error_periods: the same for an error.
        frozen_s: repeated answers or images are a fault after so long; 0 = never.
        hold_s: how long a level stays after its cause is over.
    """

    image_period_s: float = 0.0
    warn_periods: float = 2.0
    error_periods: float = 5.0
    frozen_s: float = 3.0
    hold_s: float = 15.0


LIVENESS_PARAMETERS = (
    Parameter(
        "diagnostics.period_s",
        1.0,
        "Seconds between two reports on /diagnostics; one is sent at once when something becomes stale.",
        AT_START,
        low=0.1,
        high=60.0,
    ),
    Parameter(
        "diagnostics.image_period_ms",
        0.0,
        "Usual time between two images; 0: measured, at least 100.",
        low=0.0,
        high=1e6,
    ),
    Parameter(
        "diagnostics.warn_periods",
        LivenessSettings.warn_periods,
        "An image or a result that is overdue is a warning after so many usual periods: those of the images, or the "
        "usual time of a frame in the node if that is longer.",
        low=1.0,
        high=1000.0,
    ),
    Parameter(
        "diagnostics.error_periods",
        LivenessSettings.error_periods,
        "The same for an error.",
        low=1.0,
        high=1000.0,
    ),
    Parameter(
        "diagnostics.frozen_s",
        LivenessSettings.frozen_s,
        "Seconds after which answers that stay the same while the images change are an error, and images that stay the "
        "same a warning; 0: never.",
        low=0.0,
        high=3600.0,
    ),
    Parameter(
        "diagnostics.hold_s",
        LivenessSettings.hold_s,
        "Seconds that a level stays after its cause is over; up to a minute if it comes back again and again.",
        low=0.0,
        high=3600.0,
    ),
)
"""The group ``diagnostics``."""
