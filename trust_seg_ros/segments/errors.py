"""Errors of the package ``segments``."""

from __future__ import annotations

from trust_seg_ros.errors import TrustSegError


class SegmentError(TrustSegError):
    """Base of the errors of :mod:`trust_seg_ros.segments`."""


class MapShapeError(SegmentError):
    """An array has the wrong shape or type, or two arrays that must agree do not."""


class FeatureError(SegmentError):
    """A feature set or a metric map that is unknown or missing."""


class TargetError(SegmentError):
    """Segments and ground truth do not fit together."""


class ScoreThresholdError(SegmentError):
    """A score threshold that is not a number."""


class TrackingError(SegmentError):
    """A setting of tracking that is out of range, or a state that cannot be continued."""
