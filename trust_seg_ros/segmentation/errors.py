"""Errors of the package ``segmentation``; every text names the value, what was expected and the way out."""

from trust_seg_ros.errors import TrustSegError


class SegmentationError(TrustSegError):
    """Base of the errors of the package ``segmentation``."""


class ImageError(SegmentationError):
    """An image that is not (H, W, 3) uint8 with at least one pixel."""


class LabelError(SegmentationError):
    """A set of labels that is missing, malformed or contradictory."""


class ModelError(SegmentationError):
    """A network that cannot be used as asked."""


class ModelSpecError(ModelError):
    """A network's name, or a setting for it, is invalid."""


class ModelFileError(ModelError):
    """A model file or folder is missing, corrupt, foreign or refused."""


class ModelOutputError(ModelError):
    """A network's answer does not fit: number of classes, shapes, types."""


class DependencyError(ModelError):
    """An optional package is not installed."""


class DeviceError(ModelError):
    """A device is unknown or absent."""
