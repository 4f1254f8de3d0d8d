"""Semantic segmentation that says how far to trust it: the library. The ROS 2 node lives in ``node``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trust_seg_ros.errors import TrustSegError
    from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
    from trust_seg_ros.thresholds import ThresholdSettings
    from trust_seg_ros.types import Frame, TrustFrame, Wanted

__all__ = ["Frame", "PipelineSettings", "ThresholdSettings", "TrustFrame", "TrustPipeline", "TrustSegError", "Wanted"]

_HOMES = {
    "Frame": "types",
    "PipelineSettings": "pipeline",
    "ThresholdSettings": "thresholds",
    "TrustFrame": "types",
    "TrustPipeline": "pipeline",
    "TrustSegError": "errors",
    "Wanted": "types",
}


def __getattr__(name: str) -> object:
    # torch and numba are loaded only when needed: the command line answers --help at once
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
