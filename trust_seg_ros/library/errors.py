"""Errors of the library's convenient side."""

from __future__ import annotations

from trust_seg_ros.errors import TrustSegError


class InputError(TrustSegError, TypeError):
    """The pipeline was given something that it does not take, or an image that is none."""


class SettingNameError(TrustSegError, TypeError):
    """There is no setting of this name."""


class SelectionError(TrustSegError, IndexError):
    """Segments are asked for that are not there."""


class ExportError(TrustSegError):
    """A result cannot be exported as asked."""
