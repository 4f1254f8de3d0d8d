"""What goes wrong when meta models are judged."""

from trust_seg_ros.errors import TrustSegError


class EvaluationError(TrustSegError):
    """Segments cannot be divided or judged as wished, or a report cannot be written."""
