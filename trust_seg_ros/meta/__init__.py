"""Segment metrics -> P(false positive) and predicted IoU."""

from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.model import LinearPart, MetaModel, load_meta_model

__all__ = ["LinearPart", "MetaModel", "MetaModelError", "SegmentData", "load_meta_model"]
