"""What can be wrong with labels that come back."""

from __future__ import annotations

from trust_seg_ros.errors import TrustSegError


class ReturnedError(TrustSegError):
    """Labels of a labelling tool are damaged, of another form, or do not fit the images or the classes."""
