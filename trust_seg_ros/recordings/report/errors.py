"""Errors of the drive report."""

from trust_seg_ros.errors import TrustSegError


class ReportError(TrustSegError):
    """The report of a drive cannot be written."""
