"""What can go wrong in this room."""

from trust_seg_ros.errors import TrustSegError


class TrainingError(TrustSegError):
    """Training that cannot start, resume or go on."""
