"""What the segments are that a meta model judges: those it was fitted with, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trust_seg_ros.grid import FITTED
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.segments.families import QUERY_METRICS
from trust_seg_ros.segments.history.window import base_names
from trust_seg_ros.segments.origins import COMPONENTS, QUERIES, SEGMENTS_FROM, SETTINGS
from trust_seg_ros.support.nearest import unknown


class _Fitted(Protocol):
    """A meta model of segments."""

    @property
    def segments_from(self) -> str:
        """One of ``SEGMENTS_FROM``."""


def check_origin(segments_from: str, features: Sequence[str]) -> None:
    """Raise MetaModelError unless a model file names an origin of segments, and one that has its metrics."""
    if segments_from not in SEGMENTS_FROM:
        raise MetaModelError(unknown("origin of segments", segments_from, SEGMENTS_FROM))
    if segments_from != QUERIES and (only := [name for name in base_names(features) if name in QUERY_METRICS]):
        raise MetaModelError(
            f"features: {', '.join(only)} of segments from {segments_from}; expected segments_from {QUERIES}"
        )


def check_setting(segments_from: str) -> None:
    """Raise MetaModelError for a setting that is not one of ``SETTINGS``."""
    if segments_from not in SETTINGS:
        raise MetaModelError(unknown("origin of segments (segments_from)", segments_from, SETTINGS))


def chosen_origin(segments_from: str, meta: _Fitted | None) -> str:
    """What the segments are made of.

    Args:
        segments_from: the setting; ``fitted`` = as the meta model was fitted, components without one.
        meta: the meta model that judges the segments; None = they are not judged.

    Raises:
        MetaModelError: no such setting, or the meta model was fitted with other segments.
    """
    check_setting(segments_from)
    if segments_from == FITTED:
        return COMPONENTS if meta is None else meta.segments_from
    if meta is not None and meta.segments_from != segments_from:
        raise MetaModelError(
            f"segments_from is {segments_from}, but the meta model was fitted on segments from {meta.segments_from}: "
            f"set segments_from to {FITTED}, fit one with trust-seg fit --segments-from {segments_from}, or set "
            "meta_model to none"
        )
    return segments_from
