"""Meta models that look at metrics over time: what their files say of it, and that they need tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.segments.errors import FeatureError
from trust_seg_ros.segments.history.metric_history import MetricHistory
from trust_seg_ros.segments.history.window import LENGTH, TimeWindow, is_time_name, past_names
from trust_seg_ros.support import json_parts
from trust_seg_ros.types import Json


class _Fitted(Protocol):
    """A meta model of segments or of OoD segments."""

    @property
    def time(self) -> TimeWindow | None:
        """How far its metrics over time look back; None = it has none."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of its metrics."""


def check_time(time: TimeWindow | None, features: Sequence[str]) -> None:
    """Raise MetaModelError unless a model has a window where it has metrics over time, and only there."""
    if any(map(is_time_name, features)) != (time is not None):
        has = "metrics over time and no window" if time is None else "a window and no metrics over time"
        raise MetaModelError(f"time: the model has {has}; expected both or none")


def time_json(time: TimeWindow | None) -> Json:
    """The entry of a model file; {} without metrics over time."""
    return {} if time is None else {"time": time.to_json()}


def read_time(data: Json) -> TimeWindow | None:
    """The window of a model file; None where it names none.

    Raises:
        MetaModelError, JsonError: it cannot be used.
    """
    if "time" not in data:
        return None
    try:
        return TimeWindow.from_json(json_parts.part(data, "time", dict))
    except FeatureError as error:
        raise MetaModelError(f"time: {error}") from error


def time_numbers(time: TimeWindow | None) -> tuple[float, ...]:
    """What a fingerprint says of it; () without metrics over time."""
    return () if time is None else (time.window_s, float(time.length))


def check_tracking(models: Sequence[_Fitted | None], *, tracking: bool) -> None:
    """Refuse a model that looks at metrics over time where segments are not followed.

    Raises:
        MetaModelError: the text says how far it looks back, and the way out.
    """
    for what, model in zip(("meta model", "OoD meta model"), models, strict=True):
        if model is not None and model.time is not None and not tracking:
            raise MetaModelError(
                f"the {what} looks at the last {model.time.window_s:g} s of every segment, which needs tracks, and "
                "tracking is off: set tracking to on, or choose a meta model fitted without --time"
            )


def history_for(model: _Fitted | None, length: int = LENGTH) -> MetricHistory | None:
    """Remembers what a model looks back at, and nothing else; None = it does not look back.

    Args:
        model: the meta model.
        length: most rows kept of a track over the model's window, at least 2; fewer than it was fitted with cost less
            and lie further apart.
    """
    if model is None or model.time is None:
        return None
    window = replace(model.time, length=max(2, min(length, model.time.length)))
    return MetricHistory(past_names(model.features), window)


def rate_words(models: Sequence[_Fitted | None], rate_hz: float | None) -> str:
    """The warning that frames come at another rate than those fitted on, and the way out; "" if they do not."""
    gaps = [model.time.rate_gap(rate_hz) for model in models if model is not None and model.time is not None]
    gap = next(filter(None, gaps), "")
    return gap and (
        f"{gap}: they are per second, so that the meta model still judges, but it has not seen such histories; fit one "
        "at this rate (trust-seg fit --time), or at several"
    )
