"""From settings to the thresholds of each frame: one engine per target, which remembers earlier frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.thresholds.adaptation import Adaptation, AdaptationState
from trust_seg_ros.thresholds.engine import ThresholdEngine, ThresholdInForce
from trust_seg_ros.thresholds.frame_statistics import Watched, frame_statistics
from trust_seg_ros.thresholds.group_thresholds import threshold_words
from trust_seg_ros.thresholds.left_open import ood_without_model
from trust_seg_ros.thresholds.policies.adaptive import Adaptive
from trust_seg_ros.thresholds.policies.auto import Auto
from trust_seg_ros.thresholds.policies.base import Curves
from trust_seg_ros.thresholds.policies.fixed import Fixed
from trust_seg_ros.thresholds.policies.registry import UNCALIBRATED
from trust_seg_ros.thresholds.policies.settings import PolicySettings
from trust_seg_ros.thresholds.policies.target_recall import TargetRecall
from trust_seg_ros.thresholds.promises import Promises, promises
from trust_seg_ros.thresholds.settings import OF_MODEL, OOD_OF_MODEL, ThresholdError, ThresholdSettings
from trust_seg_ros.thresholds.shift import ShiftMemory, ShiftMonitor
from trust_seg_ros.thresholds.shift_references import shift_references
from trust_seg_ros.thresholds.shift_statistic import ShiftReference
from trust_seg_ros.thresholds.targets import TARGETS
from trust_seg_ros.types import Json, LogitMaps, ShiftState, UncertaintyMaps
from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES

if TYPE_CHECKING:
    from trust_seg_ros.thresholds.calibration import Calibration
    from trust_seg_ros.uncertainty.feature_statistics import FeatureSource


class PolicyRefusedError(ThresholdError):
    """The available calibration cannot serve a policy; the text names the target and says what is missing."""


@dataclass(frozen=True)
class ThresholdState:
    """What thresholds remember of earlier frames, as plain data, so that an interrupted recording can be resumed.

    Attributes:
        smoothed: target -> last threshold and its stamp in seconds; None before the first frame.
        watched: what the shift monitor remembers.
        adapted: what feedback has taught the pixel threshold; None with another policy than ``adaptive``.
    """

    smoothed: Mapping[str, tuple[float, float] | None]
    watched: ShiftMemory
    adapted: AdaptationState | None = None

    def to_json(self) -> Json:
        """Plain data, exact; see :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> ThresholdState:
        """The state that :meth:`to_json` was called on, before or after it went through JSON."""
        smoothed = {target: None if pair is None else (pair[0], pair[1]) for target, pair in data["smoothed"].items()}
        adapted = None if data["adapted"] is None else AdaptationState.from_plain(data["adapted"])
        return cls(smoothed, ShiftMemory.from_json(data["watched"]), adapted)


class ThresholdControl:
    """Keeps the engines of all targets and the shift monitor from frame to frame.

    Only the thread that handles frames may call ``begin`` and ``reset`` and give feedback; the other methods change
    nothing and may be called from any thread.

    Args:
        calibration: calibrated policies read their constants from it; None = these policies are refused.
        judges: "p_wrong", "p_ood" -> fingerprint of the meta model that gives it here; calibrated thresholds on it are
            refused if the calibration was made with another meta model.
        discard_below: P(OoD) below which the OoD meta model discards, for settings that leave it to the model; None =
            1/2.
        ood_at: score and fitted threshold of that model, for settings that leave it to the model; None = no model.
    """

    def __init__(
        self,
        calibration: Calibration | None = None,
        judges: Mapping[str, str] | None = None,
        discard_below: float | None = None,
        ood_at: tuple[str, float] | None = None,
    ) -> None:
        self._calibration, self._judges = calibration, judges or {}
        self._ood_at = ood_at
        self._discard_below = 0.5 if discard_below is None else discard_below
        self._settings: ThresholdSettings | None = None
        self._engines: dict[str, ThresholdEngine] = {}
        self._constants: dict[str, float] = {}
        self._promises = Promises()
        references, self._unwatched = shift_references(calibration)
        self._monitor = ShiftMonitor(references)
        self._features = None if calibration is None else calibration.features

    @property
    def watched(self) -> tuple[str, ...]:
        """Statistics that the shift monitor watches."""
        return tuple(self._monitor.references)

    @property
    def references(self) -> Mapping[str, ShiftReference]:
        """Statistic -> its values in the calibration images, for those that the shift monitor watches."""
        return self._monitor.references

    @property
    def unwatched(self) -> Mapping[str, str]:
        """Statistic -> why the shift monitor does not watch it."""
        return self._unwatched

    def resolved(self, settings: ThresholdSettings) -> ThresholdSettings:
        """The settings with what they leave open: the policy that ``auto`` stands for (target_recall where the score is
        calibrated), and the thresholds that are the OoD meta model's.
        """
        if settings.ood.value == OOD_OF_MODEL:
            score, fitted = self._ood_at or ("", math.inf)
            found = fitted if score == settings.ood_score else ood_without_model(settings.ood_score)
            settings = settings.with_policy("ood", value=found)
        if settings.ood_meta.value == OF_MODEL:
            settings = settings.with_policy("ood_meta", value=self._discard_below)
        if settings.pixel.policy != Auto.name:
            return settings
        curves = self._curves(settings.pixel_score)
        policy = Fixed if curves is None or curves.recall is None else TargetRecall
        return settings.with_policy("pixel", policy=policy.name)

    def check(self, settings: ThresholdSettings) -> None:
        """Refuse settings that the calibration cannot serve.

        Raises:
            PolicyRefusedError: no calibration of that score or probability, too few images for the alpha, or an alpha
                that flagging everything does not reach.
        """
        self._build(settings, {})

    def constants(self, settings: ThresholdSettings) -> dict[str, float]:
        """Target -> threshold, for thresholds that do not depend on the image; ``unreliable_min_share`` as it acts
        with the policy, and ``ood_min_size``.

        Raises:
            PolicyRefusedError: as :meth:`check`.
        """
        return _constants(self._build(settings, {}), settings)

    def pixel_groups(self, settings: ThresholdSettings) -> str:
        """The pixel thresholds by class, region or image in words; "" where there is one for all.

        Raises:
            PolicyRefusedError: as :meth:`check`.
        """
        groups = self._build(settings, {})["pixel"].groups
        names = () if self._calibration is None else self._calibration.class_names
        return "" if groups is None else threshold_words(groups, names)

    def begin(self, settings: ThresholdSettings, stamp_s: float) -> FrameThresholds:
        """The thresholds of the next frame.

        Args:
            settings: current settings; if they differ from the last frame's, unchanged policies continue from what
                they remember.
            stamp_s: when the frame was taken, in seconds.

        Raises:
            PolicyRefusedError: as :meth:`check`.
        """
        if settings is not self._settings and settings != self._settings:
            self._monitor.settings = settings.shift
            self._engines = self._build(settings, self._engines)
            self._constants = _constants(self._engines, settings)
            self._promises = promises(self.resolved(settings))
        self._settings = settings
        return FrameThresholds(self._engines, self._constants, self._monitor, stamp_s, self._promises, self._features)

    @property
    def adaptation(self) -> Adaptation | None:
        """What moves the pixel threshold with feedback; None before the first frame, and with other policies."""
        engine = self._engines.get("pixel")
        return None if engine is None else engine.adaptation

    def reset(self) -> None:
        """Forget earlier frames; what feedback has taught the pixel threshold stays."""
        for engine in self._engines.values():
            engine.reset()
        self._monitor.reset()

    def state(self) -> ThresholdState:
        """State remembered from earlier frames, for :meth:`load_state`."""
        adapted = None if self.adaptation is None else self.adaptation.state()
        return ThresholdState({t: e.state() for t, e in self._engines.items()}, self._monitor.state(), adapted)

    def load_state(self, settings: ThresholdSettings, state: ThresholdState) -> None:
        """Continue from the state of another control with the same calibration and these settings.

        Raises:
            PolicyRefusedError: as :meth:`check`.
        """
        self.begin(settings, 0.0)
        for target, engine in self._engines.items():
            engine.load_state(state.smoothed.get(target))
        self._monitor.load_state(state.watched)
        if self.adaptation is not None and state.adapted is not None:
            self.adaptation.load_state(state.adapted)

    def _build(self, settings: ThresholdSettings, before: Mapping[str, ThresholdEngine]) -> dict[str, ThresholdEngine]:
        settings = self.resolved(settings)
        pixel, ood = settings.pixel_score, settings.ood_score
        scores = {"pixel": pixel, "unreliable": "p_wrong", "ood": ood, "ood_meta": "p_ood"}
        engines = {}
        for target, chosen in settings.policies.items():
            policy = _calmed(chosen, settings)
            score, flagged = scores[target], TARGETS[target].flagged
            if policy.calibrated and score in PERTURBATION_SCORES:
                raise PolicyRefusedError(
                    f"{flagged} by {score}: perturbation scores are not calibrated; policy {policy.policy} needs "
                    f"a score of a single pass, {score} one of {', '.join(UNCALIBRATED)}"
                )
            if policy.calibrated and not self._same_judge(score):
                raise PolicyRefusedError(
                    f"{flagged}: the calibration was made with another meta model than the one in use; calibrate "
                    "with this one (trust-seg calibrate --meta-model, --ood-meta-model), or load that one"
                )
            curves = self._curves(score) if policy.calibrated or policy.policy == Adaptive.name else None
            if score in PERTURBATION_SCORES:  # another statistic is another score: earlier frames do not count
                score = f"{score} ({settings.perturbation.statistic})"
            try:
                if target in before:
                    engines[target] = before[target].with_settings(policy, curves=curves, score=score)
                else:
                    engines[target] = ThresholdEngine(policy, curves, score=score)
            except TrustSegError as error:
                raise PolicyRefusedError(f"{flagged} by {score}: {error}") from error
        return engines

    def _same_judge(self, score: str) -> bool:
        if self._calibration is None or score not in self._judges:
            return True
        made_with: dict[str, str] = self._calibration.summary.get("meta_models", {})
        return made_with.get(score, self._judges[score]) == self._judges[score]

    def _curves(self, score: str) -> Curves | None:
        return None if self._calibration is None else self._calibration.curves(score)


class FrameThresholds:
    """The thresholds of one frame: each is found when its scores are known.

    Attributes:
        numbers: target -> threshold, for the targets known so far; constants are known from the start.
        shift: state of the shift monitor, once it was shown this frame; None if it watches nothing.
        watched: what it was shown: statistic -> value.
    """

    def __init__(
        self,
        engines: Mapping[str, ThresholdEngine],
        constants: Mapping[str, float],
        monitor: ShiftMonitor,
        stamp_s: float,
        promised: Promises,
        features: FeatureSource | None,
    ) -> None:
        self._engines, self._monitor, self._stamp_s = engines, monitor, stamp_s
        self._promised, self._features = promised, features
        self.numbers: dict[str, float] = dict(constants)
        self.shift: ShiftState | None = None
        self.watched: Mapping[str, float] = {}

    @property
    def shifted(self) -> bool:
        """Whether the shift monitor has fired."""
        return self.shift is not None and self.shift.fired

    def watch(self, image: np.ndarray, answer: LogitMaps, maps: UncertaintyMaps) -> None:
        """Show the frame to the shift monitor; before ``find``, so that this frame already counts.

        Args:
            image: (H, W, 3) uint8 RGB.
            answer, maps: the network's answer to it, and its maps on the host.
        """
        if not self._monitor.references:
            return
        self.watched = frame_statistics(Watched(image, answer, maps, self._features), self._monitor.references)
        found = self._monitor.update(self.watched, self._stamp_s)
        self.shift = replace(found, void=self._promised.void, holds=self._promised.holds) if found.fired else found
        for target, engine in self._engines.items():
            if self.shifted and engine.needs_score(shifted=True):
                self.numbers.pop(target, None)  # no constant any more

    def plain(self, target: str) -> float | None:
        """The threshold of a target, if it is one number for all pixels whatever their scores; else None."""
        engine = self._engines[target]
        if engine.groups is not None or engine.adaptation is not None or engine.needs_score(shifted=self.shifted):
            return None
        return engine.update(None, self._stamp_s, shifted=self.shifted).value

    def find(
        self,
        target: str,
        score: np.ndarray | torch.Tensor | None,
        classes: np.ndarray | torch.Tensor | None = None,
    ) -> ThresholdInForce:
        """The threshold of one target; once per frame.

        Args:
            target: key of ``TARGETS``.
            score: (H, W) float32, also as a tensor on any device, or (n,) float64 probabilities of segments; used only
                if the policy needs it.
            classes: (H, W) uint8; pixels without a class do not count.
        """
        found = self._engines[target].update(score, self._stamp_s, classes=classes, shifted=self.shifted)
        self.numbers[target] = found.value
        return found

    def pixel_flags(self, score: np.ndarray, classes: np.ndarray, *, faulty: bool) -> np.ndarray:
        """(H, W) bool: the pixel score is at or above its threshold, or there is no class.

        Args:
            score: (H, W) float32.
            classes: (H, W) uint8.
            faulty: whether there are pixels without a class; saves a search for them.
        """
        found = self.find("pixel", score, classes)
        flags = found.flags(score, classes if faulty or found.by_class is not None else None)
        if (adaptation := self._engines["pixel"].adaptation) is not None:
            adaptation.judged(self._stamp_s, score, classes, flags)
        return flags


def _calmed(policy: PolicySettings, settings: ThresholdSettings) -> PolicySettings:
    """The policy as it acts: with calm flags, a threshold that follows the image is smoothed at least as they are."""
    if not settings.calm.on or policy.smoothing_s > 0.0:
        return policy
    return replace(policy, smoothing_s=settings.calm.tau_s)


def _constants(engines: Mapping[str, ThresholdEngine], settings: ThresholdSettings) -> dict[str, float]:
    found = {t: engine.update(None, 0.0).value for t, engine in engines.items() if not engine.needs_score()}
    return {**found, "unreliable_min_share": settings.min_share, "ood_min_size": float(settings.ood_min_size)}
