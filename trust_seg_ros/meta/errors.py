"""What goes wrong with meta models."""

from trust_seg_ros.errors import TrustSegError


class MetaModelError(TrustSegError):
    """A meta model file, or data to fit one on, that is missing, corrupt, foreign, or does not fit."""
