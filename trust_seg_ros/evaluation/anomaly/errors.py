"""What goes wrong when anomaly segmentation is judged."""

from trust_seg_ros.errors import TrustSegError


class AnomalyError(TrustSegError):
    """Scores or labels that cannot be judged."""
