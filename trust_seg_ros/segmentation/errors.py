"""What can go wrong in this room; every text names the value, what was expected and the way out."""

from trust_seg_ros.errors import TrustSegError


class SegmentationError(TrustSegError):
    """Base of this room's errors."""


class ImageError(SegmentationError):
    """An image that is not (H, W, 3) uint8 with at least one pixel."""


class LabelError(SegmentationError):
    """A set of labels that is missing, malformed or contradictory."""


class ModelError(SegmentationError):
    """A network that cannot be used as asked."""


class ModelSpecError(ModelError):
    """A network's name, or settings for it, that mean nothing."""


class ModelFileError(ModelError):
    """A model file or folder that is missing, corrupt, foreign or refused."""


class ModelOutputError(ModelError):
    """A network whose answer does not fit: number of classes, shapes, types."""


class DependencyError(ModelError):
    """An optional package that is not installed."""


class DeviceError(ModelError):
    """A device that is unknown or absent."""
