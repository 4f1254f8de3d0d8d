"""Segment metrics -> P(false positive) and predicted IoU."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trust_seg_ros.meta.data import SegmentData
    from trust_seg_ros.meta.errors import MetaModelError
    from trust_seg_ros.meta.model import LinearPart, MetaModel
    from trust_seg_ros.meta.model_file import load_meta_model

__all__ = ["LinearPart", "MetaModel", "MetaModelError", "SegmentData", "load_meta_model"]

_HOMES = {
    "LinearPart": "model",
    "MetaModel": "model",
    "MetaModelError": "errors",
    "SegmentData": "data",
    "load_meta_model": "model_file",
}


def __getattr__(name: str) -> object:
    # torch and numba are loaded only when needed: the options of a command live in this package, too
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
