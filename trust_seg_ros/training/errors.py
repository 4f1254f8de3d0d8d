"""Errors of training."""

from trust_seg_ros.errors import TrustSegError


class TrainingError(TrustSegError):
    """Training cannot start, resume or continue."""
