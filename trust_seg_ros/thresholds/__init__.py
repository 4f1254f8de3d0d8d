"""Score maps -> flags."""

from trust_seg_ros.thresholds.fixed import PIXEL_SCORES, ThresholdError, Thresholds, pixel_flags, pixel_score

__all__ = ["PIXEL_SCORES", "ThresholdError", "Thresholds", "pixel_flags", "pixel_score"]
