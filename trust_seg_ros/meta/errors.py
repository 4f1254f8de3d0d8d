"""Errors of meta models and their data."""

from trust_seg_ros.errors import TrustSegError


class MetaModelError(TrustSegError):
    """A meta model file, or data to fit one on, is missing, corrupt, foreign, or does not fit."""


class StoreError(MetaModelError):
    """A segment table on disk is missing, unfinished, damaged, in use, or of another network or data set."""


class CollectError(MetaModelError):
    """Segments could not be collected: no image was readable, or a worker process died."""
