"""Errors of the package ``exporting``; every text names the value, what was expected and the way out."""

from trust_seg_ros.errors import TrustSegError


class ExportError(TrustSegError):
    """What was asked of an export cannot be had, or a file is no trust head."""
