"""A network and its labels: ``load_network`` turns one text into logits for images."""

from trust_seg_ros.segmentation.errors import (
    DependencyError,
    DeviceError,
    ImageError,
    LabelError,
    ModelError,
    ModelFileError,
    ModelOutputError,
    ModelSpecError,
    SegmentationError,
)
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.segmentation.protocol import InputSpec, SegmentationNetwork

__all__ = [
    "DependencyError",
    "DeviceError",
    "ImageError",
    "InputSpec",
    "LabelError",
    "LabelSet",
    "ModelError",
    "ModelFileError",
    "ModelOutputError",
    "ModelSpecError",
    "SegmentationError",
    "SegmentationNetwork",
    "load_labels",
    "load_network",
]
