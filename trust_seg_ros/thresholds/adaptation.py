"""A pixel threshold that follows feedback: labels, or any reference, of some frames, rarely, late and in part."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trust_seg_ros.thresholds.curves import RiskOutOfReachError, TooFewImagesError
from trust_seg_ros.thresholds.judged_frames import FeedbackError, JudgedFrames
from trust_seg_ros.thresholds.long_run import LongRun, LongRunState
from trust_seg_ros.thresholds.policies.base import Curves
from trust_seg_ros.thresholds.score_scale import ScoreScale
from trust_seg_ros.types import UNLABELLED, Json

__all__ = ["Adaptation", "AdaptationState", "AdaptationView", "FeedbackError", "checked_labels"]

if TYPE_CHECKING:
    from trust_seg_ros.thresholds.policies.adaptive import Adaptive

LEAST_ERRORS = 10
"""Labelled misclassified pixels that feedback needs to count: a share of fewer is mostly chance."""
USED, NO_ERRORS, LATE, UNKNOWN, AGAIN = "used", "no errors", "late", "unknown", "again"
OUTCOMES = {
    USED: "used",
    NO_ERRORS: f"told no error: fewer than {LEAST_ERRORS} of its labelled pixels are misclassified",
    LATE: "late: its frame was kept no longer",
    UNKNOWN: "about no frame whose pixel flags were computed: its stamp must be that of a camera image, unchanged, and "
    "~/unreliable must have a subscriber",
    AGAIN: "about a frame that had feedback already",
}
"""What may become of feedback, in words."""


@dataclass(frozen=True)
class AdaptationState:
    """What adaptation knows, as plain data. Frames that wait for feedback are no part of it.

    Attributes:
        long_run: the position of the threshold and the sums of the promise.
        counts: outcome -> number of feedbacks.
    """

    long_run: LongRunState
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_plain(cls, data: Json) -> AdaptationState:
        """Back from ``dataclasses.asdict``."""
        return cls(LongRunState(**data["long_run"]), dict(data["counts"]))


@dataclass(frozen=True)
class AdaptationView:
    """What adaptation has come to, for diagnostics.

    Attributes:
        state: what it knows.
        threshold: for the next frame.
        alpha: missed share that it aims at.
        off_by_at_most: what the missed share of a long run is off alpha by at most, by now; infinite before feedback.
        frames, seconds: kept frames, and for how long a frame is kept.
    """

    state: AdaptationState
    threshold: float
    alpha: float
    off_by_at_most: float
    frames: int
    seconds: float

    def words(self) -> dict[str, str]:
        """Rows for /diagnostics."""
        run, counts = self.state.long_run, self.state.counts
        others = [f"{counts.get(name, 0)} {name}" for name in OUTCOMES if name != USED]
        missed = "not known: no feedback yet"
        if run.mean_error is not None:
            limit = f", within {100 * self.off_by_at_most:.2g} points by now" if self.off_by_at_most < 1.0 else ""
            missed = (
                f"{100 * run.mean_error:.1f} % in {run.counted} frames with feedback, which stand for "
                f"{run.weight:.0f}; it approaches {100 * self.alpha:g} % in the long run{limit}"
            )
        return {
            "feedback": f"{counts.get(USED, 0)} used, {', '.join(others)}",
            "feedback rate": f"one in {run.gap:.1f} frames" if run.gap else "not known",
            "errors missed": missed,
            "frames awaiting feedback": f"{self.frames}, each for {self.seconds:g} s",
        }


class Adaptation:
    """Moves the threshold with every feedback, so that the missed share approaches alpha; see :class:`LongRun`.

    The loss of a frame with feedback is the share of its labelled, misclassified pixels that were not flagged, by the
    threshold that the frame was judged with. Pixels without a class, and scores that are NaN, do not count: no
    threshold changes their flags. What is learned outlives :meth:`reset`; frames that wait for feedback do not. One
    caller at a time; ``view`` may be read from any thread.

    Args:
        policy: alpha, rate, and how long frames are kept.
        scale: of the score.
        start: threshold to start from.
    """

    def __init__(self, policy: Adaptive, scale: ScoreScale, start: float) -> None:
        self._policy, self._scale = policy, scale
        self._run = LongRun(policy.adaptive_alpha, policy.adaptive_rate, scale.position(start))
        self._frames = JudgedFrames(policy.adaptive_keep_s)
        self._counts: Counter[str] = Counter()

    @classmethod
    def started(cls, policy: Adaptive, score: str, curves: Curves | None, constant: float) -> Adaptation:
        """One that starts from the conformal threshold of the same alpha, or from a constant without calibration.

        Args:
            policy: as of the class.
            score: name of the pixel score.
            curves: its calibration; None = none.
            constant: in the unit of the score.

        Raises:
            CurvesNeededError: the score has no limits and no calibration.
        """
        risk = None if curves is None else curves.risk
        try:
            start = constant if risk is None else risk.threshold(policy.adaptive_alpha)
        except (TooFewImagesError, RiskOutOfReachError):
            start = constant
        return cls(policy, ScoreScale.of(score, curves), start)

    @property
    def threshold(self) -> float:
        """For the next frame, in the unit of the score; -inf: everything is flagged, +inf: nothing."""
        return self._scale.threshold(self._run.position)

    @property
    def view(self) -> AdaptationView:
        """A snapshot."""
        policy = self._policy
        return AdaptationView(
            self.state(),
            self.threshold,
            policy.adaptive_alpha,
            self._run.bound,
            len(self._frames),
            policy.adaptive_keep_s,
        )

    def judged(self, stamp_s: float, score: np.ndarray, classes: np.ndarray, flags: np.ndarray) -> None:
        """Keep a frame until feedback comes; arguments as of ``JudgedFrames.add``."""
        self._frames.add(stamp_s, score, classes, flags, self._run.frame())

    def feedback(self, stamp_s: float, labels: np.ndarray) -> str:
        """Learn from the labels of an earlier frame; one of ``OUTCOMES``.

        Args:
            stamp_s: stamp of the frame, in seconds.
            labels: (h, w) uint8 class ids, ``UNLABELLED`` where nothing is known; of any size.

        Raises:
            FeedbackError: labels of another shape than the image.
        """
        found = self._frames.look_up(stamp_s)
        outcome = found if isinstance(found, str) else USED
        if not isinstance(found, str):
            missed, wrong = found.errors(labels)
            self._frames.answered(stamp_s)
            if wrong < LEAST_ERRORS:
                outcome = NO_ERRORS
            self._run.feedback(found.ticket, None if outcome == NO_ERRORS else missed / wrong)
        self._counts[outcome] += 1
        return outcome

    def reset(self) -> None:
        """Forget the frames that wait for feedback: time has jumped."""
        self._frames.clear()

    def state(self) -> AdaptationState:
        """What it knows, for :meth:`load_state`."""
        return AdaptationState(self._run.state, dict(self._counts))

    def load_state(self, state: AdaptationState) -> None:
        """Continue from the state of another one with the same policy and scale."""
        self._run.state, self._counts = state.long_run, Counter(state.counts)

    def continued(self, policy: Adaptive) -> Adaptation:
        """Another one for new settings, which goes on from here."""
        other = Adaptation(policy, self._scale, math.inf)
        other._run = self._run.aimed_at(policy.adaptive_alpha, policy.adaptive_rate)
        other._frames, other._counts = self._frames.kept(policy.adaptive_keep_s), self._counts.copy()
        return other


def checked_labels(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels as (h, w) uint8 class ids and ``UNLABELLED``.

    Args:
        labels: (h, w) of whole numbers; uint16 may say 65535 for what is not known.
        classes: number q of the network's classes.

    Raises:
        FeedbackError: another shape or type, or an id that is no class; the text names it.
    """
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or not labels.size or labels.dtype.kind not in "ui":
        what = f"{labels.shape} {labels.dtype}" if isinstance(labels, np.ndarray) else type(labels).__name__
        raise FeedbackError(f"feedback of {what}: expected (h, w) class ids, whole numbers")
    if labels.dtype != np.uint8:
        labels = np.where(labels == np.iinfo(np.uint16).max, UNLABELLED, labels)
    foreign = (labels < 0) | ((labels >= classes) & (labels != UNLABELLED))
    if foreign.any():
        raise FeedbackError(
            f"feedback holds class {int(labels[foreign].flat[0])}: expected the network's ids, 0 to {classes - 1}, or "
            f"{UNLABELLED} where nothing is known (trust-seg labels brings labels to another label set)"
        )
    return labels.astype(np.uint8, copy=False)
