"""Errors of reading a recording."""

from __future__ import annotations

from trust_seg_ros.errors import TrustSegError


class SourceError(TrustSegError):
    """A source of frames cannot be opened or read."""


class NothingThere(SourceError):  # noqa: N818  (reads as what it means)
    """The path does not exist, or holds no images."""


class UnreadableFrame(SourceError):  # noqa: N818
    """One frame of a source cannot be decoded."""


class NoImageTopic(SourceError):  # noqa: N818
    """A bag has no image topic, or not the one asked for."""


class MissingLibrary(SourceError):  # noqa: N818
    """An optional library this source needs is not installed."""
