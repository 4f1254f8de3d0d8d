"""The threshold of one target from frame to frame: its policy, its curves, and what it remembers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from trust_seg_ros.thresholds.adaptation import Adaptation
from trust_seg_ros.thresholds.flags import ClassThresholds, flags, flags_by_class
from trust_seg_ros.thresholds.frame_statistics import frame_mean
from trust_seg_ros.thresholds.group_thresholds import GroupThresholds, ImageThresholds, risk_thresholds
from trust_seg_ros.thresholds.policies.adaptive import Adaptive
from trust_seg_ros.thresholds.policies.base import Calibrated, Curves, PerImage, Policy, PolicyError
from trust_seg_ros.thresholds.policies.groupings import ALL
from trust_seg_ros.thresholds.policies.quantile import Quantile
from trust_seg_ros.thresholds.policies.resolution import resolve
from trust_seg_ros.thresholds.policies.settings import PolicySettings
from trust_seg_ros.thresholds.regions import RegionThresholds, flags_by_region
from trust_seg_ros.thresholds.smoothing import SmoothedThreshold

LEAST_POSITIVES = 1000
"""Least number of misclassified pixels (or segments) of a class in the calibration data for a threshold of its own."""


@dataclass(frozen=True)
class ThresholdInForce:
    """The threshold of one frame.

    Attributes:
        value: in the unit of the score; with ``by_class`` or ``by_region``, the threshold of the classes or regions
            that have none of their own.
        by_class: a threshold for each class, or None.
        lowered: True if a shift of the data has made it stricter than the constant of the policy.
        by_region: a threshold for each region of the image, or None.
    """

    value: float
    by_class: ClassThresholds | None = None
    lowered: bool = False
    by_region: RegionThresholds | None = None

    def flags(self, score: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
        """Where the score is at or above the threshold, bool like ``score``.

        Args:
            score: (H, W) float32 or (n,) float64.
            classes: like ``score``, uint8; those without a class are flagged.

        Raises:
            PolicyError: no classes for thresholds by class, or they do not belong to the scores; thresholds by region
                of something else than a map.
        """
        if self.by_region is not None:
            return flags_by_region(score, self.by_region, classes)
        if self.by_class is None:
            return flags(score, self.value, classes)
        if classes is None:
            raise PolicyError("thresholds by class: expected the predicted classes, got none")
        return flags_by_class(score, classes, self.by_class)


class ThresholdEngine:
    """Gives the threshold of each frame. One caller at a time; ``with_settings`` may be called from another thread.

    Args:
        settings: policy and parameters.
        curves: calibration of the score; needed by calibrated policies only.
        score: name of the score, or of the segment probability; when it changes, earlier frames no longer count.
        least_positives: as ``LEAST_POSITIVES``.

    Raises:
        CurvesNeededError: a calibrated policy without its curves; the text names ``trust-seg calibrate``.
        TooFewImagesError: too few calibration images for the chosen alpha.

    Example:
        >>> engine = ThresholdEngine(PolicySettings("quantile", quantile=0.98, smoothing_s=0.5))
        >>> flagged = engine.update(entropy, stamp_s=12.4).flags(entropy)
    """

    def __init__(
        self,
        settings: PolicySettings,
        curves: Curves | None = None,
        *,
        score: str = "",
        least_positives: int = LEAST_POSITIVES,
    ) -> None:
        self.settings, self.curves, self.score, self._least = settings, curves, score, least_positives
        self._policy = settings.chosen
        self._constant: ThresholdInForce | None = None
        self.groups: GroupThresholds | None = None  # constants by class, region or image
        self.adaptation: Adaptation | None = None
        """What moves the threshold with feedback; None for other policies than ``adaptive``."""
        if isinstance(self._policy, Adaptive):
            self.adaptation = Adaptation.started(self._policy, score, curves, settings.value)
        elif not isinstance(self._policy, PerImage):
            value = resolve(self._policy, None, curves)
            self.groups = _of_groups(self._policy, curves, value, least_positives)
            by_class = self.groups if isinstance(self.groups, ClassThresholds) else None
            by_region = self.groups if isinstance(self.groups, RegionThresholds) else None
            self._constant = ThresholdInForce(value, by_class, by_region=by_region)
        self._smoothed = SmoothedThreshold(settings.smoothing_s)

    def needs_score(self, shifted: bool = False) -> bool:
        """Whether ``update`` uses the scores; if not, None may be passed."""
        by_image = self._constant is None or isinstance(self.groups, ImageThresholds)
        return by_image or (shifted and self.settings.on_shift == "conservative")

    def update(
        self,
        score: np.ndarray | torch.Tensor | None,
        stamp_s: float,
        *,
        classes: np.ndarray | torch.Tensor | None = None,
        shifted: bool = False,
        threads: int | None = None,
    ) -> ThresholdInForce:
        """The threshold for a frame; remembers it for smoothing.

        Args:
            score: (H, W) float32 score map, which may be a tensor and stays where it is if there are kernels for it, or
                (n,) float64 probabilities of segments.
            stamp_s: when the frame was taken, in seconds.
            classes: like ``score``, uint8; those without a class do not count.
            shifted: the shift monitor has fired.
            threads: how many threads work on a map; None for one per core, at most 8.

        Raises:
            PolicyError: no scores although ``needs_score``, or classes that do not belong to them.
        """
        constant = self._constant
        if self.adaptation is not None:
            return ThresholdInForce(self.adaptation.threshold)
        if constant is not None and isinstance(self.groups, ImageThresholds):
            if score is None:
                raise PolicyError(f"{self._policy.describe()}: expected the scores of the image, got none")
            constant = ThresholdInForce(self.groups.of(frame_mean(score)))
        if constant is not None and not (shifted and self.settings.on_shift == "conservative"):
            self._smoothed.reset()
            return constant
        policy = Quantile(self.settings.quantile) if constant is not None else self._policy
        adaptive = self._smoothed.update(resolve(policy, score, classes=classes, threads=threads), stamp_s)
        return ThresholdInForce(adaptive) if constant is None else _stricter(constant, adaptive)

    def reset(self) -> None:
        """Forget earlier frames."""
        self._smoothed.reset()
        if self.adaptation is not None:
            self.adaptation.reset()

    def state(self) -> tuple[float, float] | None:
        """State remembered from earlier frames, for :meth:`load_state`: the last threshold and its stamp."""
        return self._smoothed.state()

    def load_state(self, state: tuple[float, float] | None) -> None:
        """Continue from the state of another engine with the same settings."""
        self._smoothed.load_state(state)

    def with_settings(
        self, settings: PolicySettings, *, curves: Curves | None = None, score: str | None = None
    ) -> ThresholdEngine:
        """Another engine for new settings; this one does not change.

        It continues from the last threshold, and from what feedback has taught, if policy and score are the same,
        otherwise it starts anew.

        Args:
            settings: the new settings.
            curves: calibration of the score; None: the current curves if the score is the same, else none.
            score: name of the new score; None: the current score.

        Raises:
            CurvesNeededError, TooFewImagesError: as at construction.
        """
        same_score = score is None or score == self.score
        curves = self.curves if curves is None and same_score else curves
        name = self.score if score is None else score
        engine = ThresholdEngine(settings, curves, score=name, least_positives=self._least)
        if same_score and settings.policy == self.settings.policy:
            engine._smoothed = self._smoothed.continued(settings.smoothing_s)
            if self.adaptation is not None and isinstance(engine._policy, Adaptive):
                engine.adaptation = self.adaptation.continued(engine._policy)
        return engine


def class_thresholds(
    recall: float, curves: Curves, fallback: float, least_positives: int = LEAST_POSITIVES
) -> ClassThresholds:
    """The threshold of each predicted class that reaches a recall of its errors on the calibration data.

    Args:
        recall: in (0, 1].
        curves: only ``class_recall`` is read.
        fallback: threshold of classes with fewer errors than ``least_positives``, too few to be reliable.
        least_positives: at least 1.
    """
    values = [
        math.nan if curve is None or curve.positives < max(1, least_positives) else float(curve.threshold(recall))
        for curve in curves.class_recall
    ]
    return ClassThresholds(np.array(values, np.float64), fallback)


def _of_groups(policy: Policy, curves: Curves | None, value: float, least_positives: int) -> GroupThresholds | None:
    """The constants of a policy by class, region or image; None where there is one for all."""
    if curves is None or policy.by == ALL or not isinstance(policy, Calibrated):
        return None
    if policy.class_recall is not None:
        return class_thresholds(policy.class_recall, curves, value, least_positives)
    return risk_thresholds(policy.by, policy.promise, curves, value)


def _stricter(constant: ThresholdInForce, adaptive: float) -> ThresholdInForce:
    value, by_class, by_region = min(constant.value, adaptive), constant.by_class, constant.by_region
    groups = by_class or by_region
    if groups is None:
        return ThresholdInForce(value, None, adaptive < constant.value)
    lowered = bool((groups.table() > adaptive).any())
    return ThresholdInForce(
        value,
        None if by_class is None else by_class.lowered_to(adaptive),
        lowered,
        None if by_region is None else by_region.lowered_to(adaptive),
    )
