"""What a check found: one line each, with a way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed", "skipped"]
"""``warning``: it works, but not well or not all of it; ``skipped``: it needs what another line misses."""


@dataclass(frozen=True)
class Finding:
    """One line of the check.

    Attributes:
        name: what was looked at.
        state: how it is.
        found: what is there.
        way_out: what to do; "" where nothing is to be done.
    """

    name: str
    state: State
    found: str
    way_out: str = ""


def ok(name: str, found: str) -> Finding:
    """Nothing is to be done."""
    return Finding(name, "ok", found)


def warning(name: str, found: str, way_out: str) -> Finding:
    """It works, but not well or not all of it."""
    return Finding(name, "warning", found, way_out)


def failed(name: str, found: str, way_out: str) -> Finding:
    """It does not work."""
    return Finding(name, "failed", found, way_out)


def skipped(name: str, found: str) -> Finding:
    """It needs what another line misses."""
    return Finding(name, "skipped", found)
