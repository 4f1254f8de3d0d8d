"""Shift monitor: detects when a drive no longer resembles the calibration data, so that its guarantees are void."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference
from trust_seg_ros.types import ShiftState, ShiftTest

MOST_FRAMES = 512
"""Most frames kept of a window; with a faster camera some are skipped, since neighbouring frames are alike anyway."""


@dataclass(frozen=True)
class ShiftSettings:
    """When the monitor fires.

    Attributes:
        window_s: length of the window in seconds of message time, > 0.
        level: p-value below which a window does not resemble the calibration data, in (0, 1): the share of windows that
            may be false alarms.
        hold_s: seconds the p-value must stay below ``level`` before the monitor fires, and above before it is quiet
            again, >= 0.
        least_frames: frames a window must have, >= 2.
        independent: most independent observations a window may count for, >= 2. 5 suits a drive, where frames of a
            scene are alike; a larger number detects smaller shifts, but a scene that lasts becomes a false alarm more
            often. For single images in random order: their number.

    Raises:
        ShiftError: a value is out of range.
    """

    window_s: float = 30.0
    level: float = 0.01
    hold_s: float = 5.0
    least_frames: int = 10
    independent: int = 5

    def __post_init__(self) -> None:
        for name, fits, expected in (
            ("window_s", 0.0 < self.window_s < math.inf, "seconds above 0"),
            ("level", 0.0 < self.level < 1.0, "a number in (0, 1)"),
            ("hold_s", 0.0 <= self.hold_s < math.inf, "seconds, at least 0"),
            ("least_frames", 2 <= self.least_frames <= MOST_FRAMES // 2, f"2 to {MOST_FRAMES // 2}"),
            ("independent", self.independent >= 2, "at least 2"),
        ):
            if not fits:
                raise ShiftError(f"shift monitor: {name} = {getattr(self, name)}: expected {expected}")


@dataclass(frozen=True)
class WindowState:
    """The window of one score, as plain data.

    Attributes:
        frames: (stamp in seconds, mean) of every frame kept.
        fired: as in :class:`ShiftState`.
        against: stamp in seconds since when the test has contradicted ``fired``; None if it does not.
        last: stamp of the last frame; -inf before the first.
    """

    frames: tuple[tuple[float, float], ...]
    fired: bool
    against: float | None
    last: float


@dataclass
class _Window:
    frames: deque[tuple[float, float]] = field(default_factory=deque)  # stamp, mean
    fired: bool = False
    against: float | None = None  # since when the test contradicts ``fired``
    last: float = -math.inf


class ShiftMonitor:
    """Compares the last seconds of a drive with the calibration data, score by score.

    One caller at a time; states that were returned never change.

    Args:
        references: score -> frame means of the calibration images.
        settings: when to fire.

    Example:
        >>> monitor = ShiftMonitor({"entropy": ShiftReference.from_means(means)})
        >>> state = monitor.update("entropy", frame_mean(entropy), stamp_s=12.4)
        >>> if state.fired: print(state.text)
    """

    def __init__(self, references: Mapping[str, ShiftReference], settings: ShiftSettings | None = None) -> None:
        self.references, self.settings = dict(references), settings or ShiftSettings()
        self._windows: dict[str, _Window] = {}
        self._states: dict[str, ShiftState] = {}
        self.reset()

    @property
    def states(self) -> dict[str, ShiftState]:
        """The state of every score, as of its last frame."""
        return dict(self._states)

    @property
    def fired(self) -> bool:
        """Whether any score has."""
        return any(state.fired for state in self._states.values())

    def reset(self) -> None:
        """Forget all frames."""
        self._windows = {score: _Window() for score in self.references}
        self._states = {score: self._state(score, _Window(), None) for score in self.references}

    def update(self, score: str, mean: float, stamp_s: float) -> ShiftState:
        """Add a frame.

        A stamp earlier than the last (a bag played again), or later by more than the window, makes the monitor forget
        earlier frames; a frame with the same stamp as the last is skipped. A mean that is not finite does not count.

        Args:
            score: one of the references.
            mean: mean of the score over the frame (:func:`frame_mean`).
            stamp_s: when the frame was taken, in seconds.

        Raises:
            ShiftError: no reference of this score; the text names the known ones.
        """
        if score not in self._windows:
            known = ", ".join(self._windows) or "none"
            raise ShiftError(f"shift monitor: no reference of the score {score!r}; there are: {known}")
        window, s = self._windows[score], self.settings
        if not math.isfinite(stamp_s) or not math.isfinite(mean) or stamp_s == window.last:
            return self._states[score]
        if stamp_s < window.last or stamp_s - window.last > s.window_s:
            window = self._windows[score] = _Window()
        frames = window.frames
        if not frames or stamp_s - frames[-1][0] >= s.window_s / MOST_FRAMES:
            frames.append((stamp_s, float(mean)))
        window.last = stamp_s
        while frames[0][0] <= stamp_s - s.window_s:
            frames.popleft()
        test = self._test(score, window)
        if test is not None:
            self._decide(window, test.p_value < s.level)
        self._states[score] = self._state(score, window, test)
        return self._states[score]

    def state(self) -> dict[str, WindowState]:
        """Score -> state remembered from its frames, for :meth:`load_state`."""
        return {s: WindowState(tuple(w.frames), w.fired, w.against, w.last) for s, w in self._windows.items()}

    def load_state(self, state: Mapping[str, WindowState]) -> None:
        """Continue from the state of another monitor with the same references."""
        self.reset()
        for score, past in state.items():
            window = _Window(deque(past.frames), past.fired, past.against, past.last)
            self._windows[score] = window
            self._states[score] = self._state(score, window, self._test(score, window))

    def _test(self, score: str, window: _Window) -> ShiftTest | None:
        """The window against the reference; None with too few frames."""
        if len(window.frames) < self.settings.least_frames:
            return None
        means = np.array([value for _, value in window.frames])
        return self.references[score].compare(means, self.settings.independent)

    def _decide(self, window: _Window, unlike: bool) -> None:
        """Switch between fired and quiet only after ``hold_s`` of contradiction."""
        if unlike == window.fired:
            window.against = None
            return
        if window.against is None:
            window.against = window.last
        if window.last - window.against >= self.settings.hold_s:
            window.fired, window.against = unlike, None

    def _state(self, score: str, window: _Window, test: ShiftTest | None) -> ShiftState:
        count, reference = len(window.frames), self.references[score]
        if test is None:
            text = f"{score}: {count} of {self.settings.least_frames} frames needed"
        else:
            seconds = window.frames[-1][0] - window.frames[0][0]
            text = (
                f"{score}: mean of the last {seconds:.0f} s is {reference.mean + test.difference * reference.std:.3g}, "
                f"{abs(test.difference):.1f} standard deviations {'above' if test.difference >= 0 else 'below'} the "
                f"calibration data ({reference.mean:.3g} ± {reference.std:.2g}), p = {test.p_value:.2g}"
            )
        return ShiftState(score, window.fired, count, test, text)


def frame_mean(score: np.ndarray) -> float:
    """Mean of the finite scores of a frame, (H, W) floating point; NaN where there is none."""
    total = float(np.sum(score, dtype=np.float64))
    if math.isfinite(total) and score.size:
        return total / score.size
    finite = score[np.isfinite(score)]
    return float(finite.mean(dtype=np.float64)) if finite.size else math.nan
