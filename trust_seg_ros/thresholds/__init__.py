"""Score maps -> flags."""

from trust_seg_ros.thresholds.fixed import ThresholdError, Thresholds
from trust_seg_ros.thresholds.policy_settings import PolicySettings
from trust_seg_ros.thresholds.settings import ThresholdSettings

__all__ = ["PolicySettings", "ThresholdError", "ThresholdSettings", "Thresholds"]
