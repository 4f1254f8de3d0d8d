"""Segment metrics -> P(false positive) and predicted IoU."""

from trust_seg_ros.meta.model import LinearPart, MetaModel, MetaModelError, load_meta_model

__all__ = ["LinearPart", "MetaModel", "MetaModelError", "load_meta_model"]
