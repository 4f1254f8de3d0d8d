"""Calm flags: evidence over time for every track, with a stated rate of forgetting, and hysteresis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.packed import packed, unpacked
from trust_seg_ros.types import Json, SegmentTracks

LEAST_P = 1e-3
"""Probabilities are kept this far from 0 and 1, so that no single frame outweighs all others."""
_MOST_S = 60.0


class CalmError(TrustSegError, ValueError):
    """A setting of calm flags is out of range, or a state cannot be continued."""


@dataclass(frozen=True)
class CalmSettings:
    """How flags of tracked segments settle over time.

    The evidence of a track is the log-odds of its probability, low-passed: L <- k L + (1 - k) logit(p) with
    k = exp(-dt / tau_s), dt the message time since the track was last seen; the first frame counts fully. What is
    flagged and published is its logistic.

    Attributes:
        on: False = raw: every frame is flagged by itself.
        tau_s: time constant of forgetting in seconds of message time, 0 to 60; 0 = only the newest frame counts.
        hysteresis: a flag that is set stays until the probability falls this far below the threshold, in [0, 1).
        confirm_s: seconds since it was first seen before an OoD segment counts, 0 to 60.

    Raises:
        CalmError: a value is out of range.
    """

    on: bool = False
    tau_s: float = 0.2
    hysteresis: float = 0.1
    confirm_s: float = 0.08

    def __post_init__(self) -> None:
        for name, fits, expected in (
            ("tau_s", 0.0 <= self.tau_s <= _MOST_S, f"seconds, 0 to {_MOST_S:g}"),
            ("hysteresis", 0.0 <= self.hysteresis < 1.0, "a number in [0, 1)"),
            ("confirm_s", 0.0 <= self.confirm_s <= _MOST_S, f"seconds, 0 to {_MOST_S:g}"),
        ):
            if not fits:  # also NaN
                raise CalmError(f"calm.{name} = {getattr(self, name)}: expected {expected}")


@dataclass(frozen=True, eq=False)
class EvidenceState:
    """What is remembered of the tracks, ascending by number.

    Attributes:
        ids: (t,) int64 numbers of the tracks.
        logits: (t,) float64 evidence.
        flagged: (t,) bool, whether each was flagged when last seen.
        last_ns: (t,) int64 stamp of that frame.
    """

    ids: np.ndarray
    logits: np.ndarray
    flagged: np.ndarray
    last_ns: np.ndarray

    @classmethod
    def empty(cls) -> EvidenceState:
        """Before the first frame."""
        return cls(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool), np.zeros(0, np.int64))

    def to_json(self) -> Json:
        """Plain data, exact; see :meth:`from_json`."""
        return {name: packed(values) for name, values in vars(self).items()}

    @classmethod
    def from_json(cls, data: Json) -> EvidenceState:
        """The state that :meth:`to_json` was called on.

        Raises:
            CalmError: it is not such data.
        """
        try:
            return cls(**{name: unpacked(values) for name, values in data.items()})
        except (KeyError, TypeError, ValueError) as error:
            raise CalmError(f"state of calm flags: {error}; expected what EvidenceState.to_json gives") from error


class Evidence:
    """The evidence of all tracks of one kind, from frame to frame. One caller at a time.

    Each frame calls :meth:`update` with the probabilities, and then :meth:`remember` with the flags.
    """

    def __init__(self) -> None:
        self._state = EvidenceState.empty()
        self._new: tuple[np.ndarray, np.ndarray, int] | None = None

    def reset(self) -> None:
        """Forget all tracks."""
        self._state, self._new = EvidenceState.empty(), None

    def state(self) -> EvidenceState:
        """What is remembered, for :meth:`load_state`; it never changes."""
        return self._state

    def load_state(self, state: EvidenceState) -> None:
        """Continue from the state of another drive or run."""
        self._state, self._new = state, None

    def update(self, tracks: SegmentTracks, p: np.ndarray, tau_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Add a frame.

        Args:
            tracks: the tracks of its segments; those with the number 0 are judged by this frame alone.
            p: (n,) probability of each, by this frame; where it is NaN nothing is added.
            tau_s: see :class:`CalmSettings`.

        Returns:
            (n,) float64 probability by all frames, NaN where nothing is known; (n,) bool, flagged when last seen.
        """
        before, n = self._state, len(p)
        place = np.searchsorted(before.ids, tracks.ids)
        known = np.zeros(n, bool)
        inside = place < len(before.ids)
        known[inside] = before.ids[place[inside]] == tracks.ids[inside]
        past, flagged = np.full(n, np.nan), np.zeros(n, bool)
        past[known], flagged[known] = before.logits[place[known]], before.flagged[place[known]]
        kept = np.zeros(n)
        if tracks.stamp_ns and tau_s > 0.0:
            elapsed = np.maximum(tracks.stamp_ns - before.last_ns[place[known]], 0) / 1e9
            kept[known] = np.exp(-elapsed / tau_s)
        clipped = np.clip(p, LEAST_P, 1.0 - LEAST_P)
        now = np.log(clipped) - np.log1p(-clipped)
        logits = np.where(np.isnan(past), now, np.where(np.isnan(now), past, kept * past + (1.0 - kept) * now))
        self._new = tracks.ids, logits, tracks.stamp_ns
        probability = 0.5 * (1.0 + np.tanh(0.5 * logits))
        alone = ~np.isnan(p) & (np.isnan(past) | (kept == 0.0))
        return np.where(alone, p, probability), flagged

    def remember(self, flagged: np.ndarray, alive: np.ndarray) -> None:
        """Keep the evidence of the last :meth:`update` with the flags made of it.

        Args:
            flagged: (n,) bool.
            alive: numbers of the tracks that may be seen again; the others are forgotten.
        """
        if self._new is None:
            return
        ids, logits, stamp_ns = self._new
        before, self._new = self._state, None
        here = np.isin(ids, alive) & (ids > 0)
        lost = ~np.isin(before.ids, ids) & np.isin(before.ids, alive)
        numbers = np.concatenate([ids[here], before.ids[lost]])
        order = np.argsort(numbers)
        self._state = EvidenceState(
            numbers[order],
            np.concatenate([logits[here], before.logits[lost]])[order],
            np.concatenate([flagged[here], before.flagged[lost]])[order],
            np.concatenate([np.full(int(here.sum()), stamp_ns, np.int64), before.last_ns[lost]])[order],
        )
