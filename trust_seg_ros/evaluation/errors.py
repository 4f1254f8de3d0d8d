"""Errors of judging on labelled data."""

from trust_seg_ros.errors import TrustSegError


class EvaluationError(TrustSegError):
    """Data cannot be divided or judged as asked, or a report cannot be written; the base of the two below."""


class AnomalyError(EvaluationError):
    """Scores or labels of anomaly segmentation cannot be judged."""


class TrustStudyError(EvaluationError):
    """Scores, thresholds or data of a study of pixel trust cannot be judged."""
