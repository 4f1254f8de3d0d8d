"""Score maps -> flags."""

from trust_seg_ros.thresholds.fixed import ThresholdError, Thresholds, pixel_flags

__all__ = ["ThresholdError", "Thresholds", "pixel_flags"]
