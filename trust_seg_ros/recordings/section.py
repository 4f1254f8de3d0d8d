"""A part of a recording: start and duration."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trust_seg_ros.bags.errors import NothingThere, SourceError

_ROUNDING_NS = 1000
"""Tolerance, since times are typed as decimals but stamps are in nanoseconds: 0.3 s must include the frame at 0.3 s."""


@dataclass(frozen=True)
class Section:
    """The frames from ``start_s`` on, up to but without ``start_s + duration_s``.

    Attributes:
        start_s: seconds of the recording, 0 = its first frame.
        duration_s: seconds of the recording; None goes to its end.

    Raises:
        SourceError: a start below zero, a duration of zero or less, or one that is not finite.
    """

    start_s: float = 0.0
    duration_s: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and self.start_s >= 0):
            raise SourceError(f"the start is {self.start_s:g} s; expected 0 (the recording's first frame) or more")
        if self.duration_s is not None and not (math.isfinite(self.duration_s) and self.duration_s > 0):
            raise SourceError(f"the duration is {self.duration_s:g} s; expected more than 0 (left out: to the end)")

    @property
    def whole(self) -> bool:
        """Whether it is the whole recording."""
        return self.start_s == 0 and self.duration_s is None

    @property
    def end_s(self) -> float:
        """End in seconds of the recording; infinite without a duration."""
        return math.inf if self.duration_s is None else self.start_s + self.duration_s

    def before(self, offset_ns: int) -> bool:
        """Whether a frame at this time after the first lies before the section."""
        return offset_ns < round(self.start_s * 1e9) - _ROUNDING_NS

    def after(self, offset_ns: int) -> bool:
        """Whether a frame at this time after the first lies after the section."""
        return self.duration_s is not None and offset_ns >= round(self.end_s * 1e9) - _ROUNDING_NS

    def check_start(self, last_ns: int, what: object) -> None:
        """Refuse a start beyond the end.

        Args:
            last_ns: nanoseconds from the recording's first frame to its last.
            what: the recording, for the error text.

        Raises:
            SourceError: the section begins after the last frame; the text names the length.
        """
        if self.before(last_ns):
            raise SourceError(
                f"the start is {self.start_s:g} s, but {what} is {last_ns * 1e-9:.6g} s long, to its last frame; "
                "expected a start up to that"
            )

    def nothing(self, what: object) -> NothingThere:
        """The error for a section without frames."""
        return NothingThere(
            f"{what} has no frame from {self.start_s:g} s to {self.end_s:g} s; choose a longer duration or another "
            "start"
        )

    def __str__(self) -> str:
        until = "the end" if self.duration_s is None else f"{self.end_s:g} s"
        return f"from {self.start_s:g} s to {until}"


WHOLE = Section()
