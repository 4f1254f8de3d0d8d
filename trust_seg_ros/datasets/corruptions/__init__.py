"""Corruptions that turn clean labelled images into a shifted set: weather, light and optics at five severities."""

from trust_seg_ros.datasets.corruptions.names import (
    CORRUPTIONS,
    DEFAULT_SEVERITY,
    SEVERITIES,
    Corruption,
    CorruptionError,
    parse_corruption,
)

__all__ = ["CORRUPTIONS", "DEFAULT_SEVERITY", "SEVERITIES", "Corruption", "CorruptionError", "parse_corruption"]
