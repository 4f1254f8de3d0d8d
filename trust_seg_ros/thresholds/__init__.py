"""Score maps -> flags."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trust_seg_ros.thresholds.policies.settings import PolicySettings
    from trust_seg_ros.thresholds.settings import ThresholdError, ThresholdSettings

__all__ = ["PolicySettings", "ThresholdError", "ThresholdSettings"]

_HOMES = {"PolicySettings": "policies.settings", "ThresholdError": "settings", "ThresholdSettings": "settings"}


def __getattr__(name: str) -> object:
    # --help looks up the names of policies, for which it needs no kernels
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
