"""Current thresholds: for diagnostics after every frame, for ``~/label_info`` after every change of the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trust_seg_ros.messages.fields import LabelFields
from trust_seg_ros.messages.label_info import LabelInfo
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.remarks import calibration_gap, ood_gap, pixel_policy
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.frame_statistics import title
from trust_seg_ros.thresholds.policies.adaptive import Adaptive
from trust_seg_ros.thresholds.policies.groupings import ALL
from trust_seg_ros.thresholds.shift_references import NOT_HELD, lacking_words
from trust_seg_ros.thresholds.targets import TARGETS
from trust_seg_ros.types import ShiftState, TrustFrame


@dataclass(frozen=True)
class InForce:
    """The current thresholds and the state of the shift monitor, for the diagnostics.

    Attributes:
        numbers: name -> current threshold; one that follows the image is from the last frame, and absent before it.
        shift: state of the shift monitor, in words.
        fired: what has moved and by how much, while the monitor has fired; else "".
        guarantee: whether the guarantee of conformal thresholds holds now, in words.
        pixel_policy: the policy of the pixel threshold in words, and what ``auto`` stands for.
        pixel_groups: its thresholds by class, region or image in words; "" where there is one for all.
        adapted: what feedback has done to it, key -> words; empty with other policies than ``adaptive``.
        watched, not_watched: what the shift monitor watches, and what not, and why, in words.
        void, holds: which promises are void because it has fired, and what still holds; "" while it has not.
    """

    numbers: Mapping[str, float]
    shift: str = "n/a"
    fired: str = ""
    guarantee: str = "n/a"
    pixel_policy: str = ""
    pixel_groups: str = ""
    adapted: Mapping[str, str] = field(default_factory=dict)
    watched: str = "n/a"
    not_watched: str = "n/a"
    void: str = ""
    holds: str = ""


_LONG_RUN = "pixels in the long run, as far as feedback comes (errors missed)"


class ThresholdWatch:
    """Remembers the last frame's thresholds and sends the label info. Thread-safe.

    Args:
        pipeline: loaded, with a calibration that serves the current settings.
        statistics: its flagged shares are discarded when the settings change.
        send: publishes the label info.
    """

    def __init__(self, pipeline: TrustPipeline, statistics: Statistics, send: Callable[[LabelFields], None]) -> None:
        self._pipeline, self._statistics = pipeline, statistics
        self._labels = LabelInfo(pipeline.labels.names, send)
        self._last: tuple[ThresholdSettings, Mapping[str, float]] | None = None
        self._shift: ShiftState | None = None

    @property
    def shift(self) -> ShiftState | None:
        """State of the shift monitor at the newest frame; None before one, and without a calibration."""
        return self._shift

    def settings_changed(self, settings: ThresholdSettings) -> None:
        """Take new settings, which apply from the next frame on."""
        self._statistics.forget_flagged()
        settings = self._pipeline.resolved(settings)
        self._labels.settings_changed(settings, self._pipeline.constants(settings).get("pixel"))

    def frame_done(self, settings: ThresholdSettings, result: TrustFrame) -> None:
        """Record a frame that was judged with these settings."""
        self._last = settings, result.thresholds
        self._shift = result.shift

    def view(self, settings: ThresholdSettings) -> InForce:
        """The current thresholds and the state of the shift monitor."""
        state, lacking = self._shift, dict(self._pipeline.unwatched)
        reasons = set(lacking.values())
        missing = lacking_words(lacking)
        if not self._pipeline.watched and len(reasons) == 1:
            reason = reasons.pop()  # one for all: no list of them
            missing = "the calibration holds no statistics of frames" if reason == NOT_HELD else reason
        why = "" if self._pipeline.watched else missing
        if state is None:
            shift = f"n/a: {why}" if why else "n/a: no frame yet"
        else:
            shift = ("fired: " if state.fired else "none: " if state.known else "not known yet: ") + state.text
        gaps = ood_gap(self._pipeline, settings), calibration_gap(self._pipeline)
        fired = state if state is not None and state.fired else None
        return InForce(
            self._numbers(settings),
            shift,
            "" if fired is None else fired.text,
            guarantee(settings, state, why, *gaps),
            pixel_policy(self._pipeline, settings),
            self._pipeline.pixel_groups(settings),
            self._adapted(settings),
            watched=", ".join(title(name) for name in self._pipeline.watched) or "nothing",
            not_watched=missing or "none",
            void="; ".join(fired.void) if fired is not None else "",
            holds="; ".join(fired.holds) if fired is not None else "",
        )

    def _adapted(self, settings: ThresholdSettings) -> Mapping[str, str]:
        if settings.pixel.policy != Adaptive.name:
            return {}
        adapted = self._pipeline.adapted
        return {"feedback": "none: no frame yet"} if adapted is None else adapted.words()

    def _numbers(self, settings: ThresholdSettings) -> Mapping[str, float]:
        last = self._last
        seen = last[1] if last is not None and last[0] == settings else {}
        return {**self._pipeline.constants(settings), **seen}


def guarantee(
    settings: ThresholdSettings, state: ShiftState | None, unwatched: str = "", gap: str = "", off_grid: str = ""
) -> str:
    """Whether the guarantee of conformal thresholds holds now, in words.

    Args:
        settings: current settings.
        state: state of the shift monitor.
        unwatched: why nothing is monitored; "" if something is.
        gap: why there is no guarantee on P(OoD) although its threshold is conformal.
        off_grid: that frames are judged on another grid than the calibration was made on; "" if they are not.
    """
    conformal = {t: policy for t, policy in settings.policies.items() if policy.chosen.needs == "risk"}
    promised = [
        f"{TARGETS[t].flagged} {policy.describe()}" for t, policy in conformal.items() if t != "ood_meta" or not gap
    ]
    long_run = settings.pixel.policy == Adaptive.name
    if not promised:
        if conformal:
            return f"void: {gap}"
        return _LONG_RUN if long_run else "none: no threshold is conformal"
    what = ", ".join(promised) + (f"; void for OoD segments: {gap}" if "ood_meta" in conformal and gap else "")
    if long_run:
        what += f"; {_LONG_RUN}"
    elif getattr(settings.pixel.chosen, "conformal_by", ALL) != ALL:
        what += "; groups that share the common threshold (pixel thresholds) have no promise of their own"
    if off_grid:
        return f"void, {off_grid}: {what}"
    if state is None or not state.known:
        return f"not known ({unwatched or 'the shift monitor needs more frames'}): {what}"
    if state.fired:
        return f"void, the data has shifted: {what}"
    return f"holds: {what}"
