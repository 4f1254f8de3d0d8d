"""The library as users meet it: anything that shows a street in, results that speak out.

:class:`TrustPipeline` and :class:`TrustFrame` are the pipeline and the result of what drives, with what a person
needs at a desk. The node uses those without it.
"""

from __future__ import annotations

from trust_seg_ros.library.errors import ExportError, InputError, SettingNameError
from trust_seg_ros.library.pipeline import TrustPipeline
from trust_seg_ros.library.result import TrustFrame
from trust_seg_ros.library.segments import Segment, Segments, Selection
from trust_seg_ros.library.unknown import UnknownObject

__all__ = [
    "ExportError",
    "InputError",
    "Segment",
    "Segments",
    "Selection",
    "SettingNameError",
    "TrustFrame",
    "TrustPipeline",
    "UnknownObject",
]
