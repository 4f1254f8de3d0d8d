"""Data types that the packages exchange: small frozen dataclasses of tensors on one device.

A frame comes in as :class:`Frame`; each step adds one thing and returns the next type, up to the final
:class:`TrustFrame`. Nothing here computes, except that it brings results to the size of the image.
"""

from __future__ import annotations

from typing import Any

from trust_seg_ros.types.maps import (
    UNLABELLED,
    Classifier,
    Frame,
    LayerFeatures,
    LogitMaps,
    MaskQueries,
    Placement,
    UncertaintyMaps,
)
from trust_seg_ros.types.result import GridFrame, TrustFrame, Wanted
from trust_seg_ros.types.segments import OodSegments, SegmentTable, SegmentTrust
from trust_seg_ros.types.shift import ShiftState
from trust_seg_ros.types.tracks import SegmentTracks

__all__ = [
    "UNLABELLED",
    "Classifier",
    "Frame",
    "GridFrame",
    "Json",
    "LayerFeatures",
    "LogitMaps",
    "MaskQueries",
    "OodSegments",
    "Placement",
    "SegmentTable",
    "SegmentTracks",
    "SegmentTrust",
    "ShiftState",
    "TrustFrame",
    "UncertaintyMaps",
    "Wanted",
]

Json = dict[str, Any]
