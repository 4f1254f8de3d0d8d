"""What goes wrong with meta models."""

from trust_seg_ros.errors import TrustSegError


class MetaModelError(TrustSegError):
    """A meta model file, or data to fit one on, that is missing, corrupt, foreign, or does not fit."""


class StoreError(MetaModelError):
    """A segment table on disk that is missing, unfinished, damaged, in use, or of another network or data set."""


class CollectError(MetaModelError):
    """Segments could not be collected: no image was readable, or a worker process died."""
