"""What goes wrong when pixel trust is judged."""

from trust_seg_ros.errors import TrustSegError


class TrustStudyError(TrustSegError):
    """Scores, thresholds or data that cannot be judged as wished."""
