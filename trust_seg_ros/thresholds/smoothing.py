"""Thresholds that follow the image slowly: exponential smoothing in seconds of message time."""

from __future__ import annotations

import math

from trust_seg_ros.thresholds.policies.base import check_number

GAP = 5.0
"""Time constants without a frame after which earlier frames are forgotten: their weight is e^-5, less than 1 %."""


class SmoothedThreshold:
    """First-order low pass: after the time constant, 63 % of a step has arrived, whatever the frame rate.

    With the time dt since the last frame, the threshold moves towards the new value by the share 1 - exp(-dt / tau).
    For a constant input the result therefore does not depend on how many frames lie between two times.

    The first value is used unsmoothed, and so is a value that arrives earlier than the last (time was set back: a bag
    played again) or more than ``GAP`` time constants later, or whose stamp is 0 (a camera that does not stamp). A value
    that is not finite (an image without a usable score) does not change the threshold.

    Args:
        tau_s: time constant in seconds, >= 0; 0 = no smoothing.

    Raises:
        PolicyError: ``tau_s`` is negative or not finite.
    """

    def __init__(self, tau_s: float) -> None:
        check_number("smoothing_s", tau_s, 0.0, math.inf, "seconds, at least 0 (0 = no smoothing)", open_high=True)
        self.tau_s = float(tau_s)
        self._last: tuple[float, float] | None = None  # value and stamp; one object: another thread may copy it

    def update(self, value: float, stamp_s: float) -> float:
        """The smoothed threshold for a frame.

        Args:
            value: threshold of the frame alone.
            stamp_s: when the frame was taken, in seconds.

        Returns:
            A number between the last threshold and ``value``; ``value`` itself if there is no earlier frame.
        """
        if self.tau_s == 0.0:
            self._last = None
            return value
        last = self._last
        if last is not None and not (stamp_s != 0.0 and 0.0 <= stamp_s - last[1] <= GAP * self.tau_s):
            last = self._last = None
        if not math.isfinite(value) or not math.isfinite(stamp_s):
            return value if last is None else last[0]
        if last is not None:
            kept = math.exp((last[1] - stamp_s) / self.tau_s)
            moved = kept * last[0] + (1.0 - kept) * value
            value = min(max(moved, min(last[0], value)), max(last[0], value))
        self._last = value, stamp_s
        return value

    def reset(self) -> None:
        """Forget earlier frames."""
        self._last = None

    def state(self) -> tuple[float, float] | None:
        """Last threshold and its stamp, for :meth:`load_state`; None before the first."""
        return self._last

    def load_state(self, state: tuple[float, float] | None) -> None:
        """Continue from the state of another."""
        self._last = state

    def continued(self, tau_s: float) -> SmoothedThreshold:
        """Another one with the same state."""
        other = SmoothedThreshold(tau_s)
        other._last = self._last
        return other
