"""What a drive refuses, and the checks that several settings share."""

from __future__ import annotations

import math
from numbers import Real

from trust_seg_ros.errors import TrustSegError


class SyntheticDriveError(TrustSegError, ValueError):
    """Settings or a request that the drive cannot draw."""


def check_range(name: str, value: object, low: float, high: float) -> None:
    """Raise unless ``value`` is a number from ``low`` to ``high``."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not low <= number <= high:  # false of NaN
        raise SyntheticDriveError(f"{name} is {value!r}; expected a number from {low:g} to {high:g}")
