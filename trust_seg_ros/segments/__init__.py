"""Maps → components and their metrics; matching with ground truth; out-of-distribution segments."""

from trust_seg_ros.segments.errors import (
    FeatureError,
    MapShapeError,
    ScoreThresholdError,
    SegmentError,
    TargetError,
    TrackingError,
)
from trust_seg_ros.segments.features import FEATURE_SETS, FeatureSet, feature_set
from trust_seg_ros.segments.labelling import components
from trust_seg_ros.segments.matching import SegmentTargets, apply_ignore, targets
from trust_seg_ros.segments.ood import ood_segment_table, ood_segments
from trust_seg_ros.segments.softmax import maps_from_softmax
from trust_seg_ros.segments.table import segment_table, segment_table_from_softmax
from trust_seg_ros.segments.warm import warm_up

__all__ = [
    "FEATURE_SETS",
    "FeatureError",
    "FeatureSet",
    "MapShapeError",
    "ScoreThresholdError",
    "SegmentError",
    "SegmentTargets",
    "TargetError",
    "TrackingError",
    "apply_ignore",
    "components",
    "feature_set",
    "maps_from_softmax",
    "ood_segment_table",
    "ood_segments",
    "segment_table",
    "segment_table_from_softmax",
    "targets",
    "warm_up",
]
