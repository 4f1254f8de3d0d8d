"""What can be wrong with a data set."""

from __future__ import annotations

from trust_seg_ros.errors import TrustSegError


class DatasetError(TrustSegError):
    """A data set that is missing, empty, or holds what its layout does not allow."""
