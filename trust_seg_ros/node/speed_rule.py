"""How fast a vehicle may go by the trust state: the rule, without ROS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.trust_state.reasons import Level

SILENCE_S = 0.5
"""Without a message for this long a trust state is UNTRUSTED."""
_LEAST, _MOST = 0.01, 100.0


@dataclass(frozen=True)
class SpeedRule:
    """State -> share of the full speed.

    Attributes:
        degraded: percent of the full speed while DEGRADED.
        untrusted: percent while UNTRUSTED; above 0, since Nav2 reads 0 as "no limit". A vehicle that crawls still
            moves: the stop itself is the collision monitor's, by ``~/stop``.
        silence_s: seconds without a message until a state counts as UNTRUSTED.

    Raises:
        ParameterError: a value is out of range, or slower states would be faster ones.
    """

    degraded: float = 50.0
    untrusted: float = 1.0
    silence_s: float = SILENCE_S

    def __post_init__(self) -> None:
        if not _LEAST <= self.untrusted <= self.degraded <= _MOST:
            raise ParameterError(
                f"parameters untrusted_percent and degraded_percent are {self.untrusted:g} and {self.degraded:g}; "
                f"expected {_LEAST} <= untrusted_percent <= degraded_percent <= {_MOST:g} (to Nav2, 0 is no limit)"
            )
        if not 0.0 < self.silence_s <= 60.0:
            raise ParameterError(f"parameter silence_s is {self.silence_s:g}; expected above 0 and at most 60 seconds")

    def percent(self, level: Level) -> float:
        """Percent of the full speed."""
        return {Level.NOMINAL: _MOST, Level.DEGRADED: self.degraded}.get(level, self.untrusted)


def level_of(number: int) -> Level:
    """The state that a diagnostic level says; STALE and what no state has are UNTRUSTED.

    >>> level_of(1), level_of(3)
    (<Level.DEGRADED: 1>, <Level.UNTRUSTED: 2>)
    """
    return Level(number) if number in (Level.NOMINAL, Level.DEGRADED) else Level.UNTRUSTED


@dataclass
class TrustWatch:
    """The worst of several trust states, silence included. Not thread-safe.

    Attributes:
        topics: names of the topics; at least one.
        silence_s: as in :class:`SpeedRule`.
        clock: returns seconds that go on evenly, whatever simulated time does.
    """

    topics: Sequence[str]
    silence_s: float
    clock: Callable[[], float]
    _last: dict[str, tuple[float, Level, str]] = field(default_factory=dict)

    def heard(self, topic: str, level: int, message: str) -> None:
        """Take a message."""
        self._last[topic] = self.clock(), level_of(level), message

    def look(self) -> tuple[Level, str]:
        """The worst state at this moment, and why: which topic says so, or is silent."""
        return max((self._state(topic) for topic in self.topics), key=lambda found: found[0])

    def _state(self, topic: str) -> tuple[Level, str]:
        if topic not in self._last:
            return Level.UNTRUSTED, f"{topic}: no message yet"
        at, level, message = self._last[topic]
        silent = self.clock() - at
        if silent > self.silence_s:
            return Level.UNTRUSTED, f"{topic}: no message for {silent:.1f} s"
        return level, f"{topic}: {message}"
