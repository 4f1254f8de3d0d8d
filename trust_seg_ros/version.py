"""Versions of what is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

PACKAGE = "trust_seg_ros"
NOT_INSTALLED = "not installed"


def installed_version(name: str = PACKAGE) -> str:
    """Of a distribution package; "not installed" where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return NOT_INSTALLED
