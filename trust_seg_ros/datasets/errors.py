"""Errors of data sets."""

from __future__ import annotations

from trust_seg_ros.errors import TrustSegError


class DatasetError(TrustSegError):
    """A data set is missing, empty, or violates its layout."""


class LabelsContradictError(DatasetError):
    """Labels are numbered in another way than the classes of the network."""
