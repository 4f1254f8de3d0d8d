"""Current thresholds, for diagnostics and ``~/label_info``: updated after every frame and every settings change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trust_seg_ros.messages.fields import LabelFields
from trust_seg_ros.messages.label_info import LabelInfo
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.remarks import calibration_gap, ood_gap, pixel_policy
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.policies.adaptive import Adaptive
from trust_seg_ros.thresholds.targets import TARGETS
from trust_seg_ros.types import ShiftState, TrustFrame


@dataclass(frozen=True)
class InForce:
    """The current thresholds and the state of the shift monitor, for the diagnostics.

    Attributes:
        numbers: name -> current threshold; one that follows the image is from the last frame, and absent before it.
        shift: state of the shift monitor, in words.
        fired: the score and by how much it has moved, while the monitor has fired; else "".
        guarantee: whether the guarantee of conformal thresholds holds now, in words.
        pixel_policy: the policy of the pixel threshold in words, and what ``auto`` stands for.
        pixel_groups: its thresholds by class, region or image in words; "" where there is one for all.
        adapted: what feedback has done to it, key -> words; empty with other policies than ``adaptive``.
    """

    numbers: Mapping[str, float]
    shift: str = "n/a"
    fired: str = ""
    guarantee: str = "n/a"
    pixel_policy: str = ""
    pixel_groups: str = ""
    adapted: Mapping[str, str] = field(default_factory=dict)


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

    def settings_changed(self, settings: ThresholdSettings) -> None:
        """Take new settings, which apply from the next frame on."""
        self._statistics.forget_flagged()
        settings = self._pipeline.resolved(settings)
        self._labels.settings_changed(settings, self._pipeline.constants(settings).get("pixel"))

    def frame_done(self, settings: ThresholdSettings, result: TrustFrame) -> None:
        """Record a frame that was judged with these settings."""
        self._last = settings, result.thresholds
        self._shift = result.shift
        self._labels.frame_done(self._pipeline.resolved(settings), result.thresholds.get("pixel"))

    def view(self, settings: ThresholdSettings) -> InForce:
        """The current thresholds and the state of the shift monitor."""
        state, score = self._shift, settings.pixel_score
        if state is not None and state.score != score:
            state = None
        why = self._pipeline.unwatched(score)
        if state is None:
            shift = f"n/a: {why}" if why else f"n/a: no frame of {score} yet"
        else:
            shift = ("fired: " if state.fired else "none: " if state.test else "not known yet: ") + state.text
        fired = state.text if state is not None and state.fired else ""
        gaps = ood_gap(self._pipeline, settings), calibration_gap(self._pipeline)
        promise = guarantee(settings, state, why, *gaps)
        policy, groups = pixel_policy(self._pipeline, settings), self._pipeline.pixel_groups(settings)
        numbers, adapted = self._numbers(settings), self._adapted(settings)
        return InForce(numbers, shift, fired, promise, policy, groups, adapted)

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
        state: state of the shift monitor for the pixel score.
        unwatched: why the pixel score is not monitored; "" if it is.
        gap: why there is no guarantee on P(OoD) although its threshold is conformal.
        off_grid: that frames are judged on another grid than the calibration was made on; "" if they are not.
    """
    conformal = {t: policy for t, policy in settings.policies.items() if policy.chosen.needs == "risk"}
    promised = [
        f"{TARGETS[t].flagged} {policy.describe()}" for t, policy in conformal.items() if t != "ood_meta" or not gap
    ]
    if not promised:
        return f"void: {gap}" if conformal else "none: no threshold is conformal"
    what = ", ".join(promised) + (f"; void for OoD segments: {gap}" if "ood_meta" in conformal and gap else "")
    if off_grid:
        return f"void, {off_grid}: {what}"
    if state is None or state.test is None:
        return f"not known ({unwatched or 'the shift monitor needs more frames'}): {what}"
    if state.fired:
        return f"void, the data has shifted: {what}"
    return f"holds: {what}"
