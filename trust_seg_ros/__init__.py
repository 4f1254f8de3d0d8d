"""Semantic segmentation that says how far to trust it: the library. The ROS 2 node lives in ``node``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trust_seg_ros.errors import TrustSegError
    from trust_seg_ros.library import TrustFrame, TrustPipeline
    from trust_seg_ros.pipeline import PipelineSettings
    from trust_seg_ros.recordings.section import Section
    from trust_seg_ros.recordings.sources import open_source
    from trust_seg_ros.thresholds import ThresholdSettings
    from trust_seg_ros.types import Frame, Wanted

__all__ = [
    "Frame",
    "PipelineSettings",
    "Section",
    "ThresholdSettings",
    "TrustFrame",
    "TrustPipeline",
    "TrustSegError",
    "Wanted",
    "open_source",
]

_HOMES = {
    "Frame": "types",
    "PipelineSettings": "pipeline",
    "Section": "recordings.section",
    "ThresholdSettings": "thresholds",
    "TrustFrame": "library",
    "TrustPipeline": "library",
    "TrustSegError": "errors",
    "Wanted": "types",
    "open_source": "recordings.sources",
}


def __getattr__(name: str) -> object:
    # torch and numba are loaded only when needed: the command line answers --help at once
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})  # completion shows what is loaded only when it is needed
