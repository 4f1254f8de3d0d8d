"""Levels that rise at once and come down only after a quiet time, so that no steady fault makes them flip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OK, WARN, ERROR = b"\x00", b"\x01", b"\x02"
"""The levels of diagnostic_msgs/DiagnosticStatus."""

LONGEST_HOLD_S = 60.0

_FRESH_S = 2.0
"""What was found so short a time ago is told like what is found now: not every look sees what comes and goes."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong at the moment.

    Attributes:
        kind: identifies the fault; the text may change.
        level: WARN or ERROR.
        text: what is wrong, for people.
        held: whether its level stays for a while after it is over. What ends once and for all need not.
    """

    kind: str
    level: bytes
    text: str
    held: bool = True


@dataclass
class _Held:
    """A fault that was found at a level, and how long that level is held."""

    finding: Finding
    seen: float
    hold_s: float


class Steady:
    """Turns what is found at each look into one level and message.

    A level is held for some seconds after its cause was last found. A fault that returns within a minute after that is
    held twice as long the next time, up to a minute: so one that comes and goes soon has one level.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, bytes], _Held] = {}

    def clear(self) -> None:
        """Forget every fault: the node was started anew."""
        self._held.clear()

    def judge(self, findings: Iterable[Finding], fine: str, now: float, hold_s: float) -> tuple[bytes, str]:
        """Level and message.

        Args:
            findings: what is wrong at this look.
            fine: message if nothing is.
            now: time of the look in seconds.
            hold_s: seconds that a level is held for the first time.
        """
        current = sorted(findings, key=lambda finding: finding.level, reverse=True)
        for finding in current:
            if finding.held:
                self._see(finding, now, hold_s)
        level = max((finding.level for finding in current), default=OK)
        worst = {finding.kind: finding.level for finding in reversed(current)}
        held = [one for one in self._alive(now) if one.finding.level > worst.get(one.finding.kind, OK)]
        told = [*current, *(one.finding for one in held if now - one.seen < _FRESH_S)]
        texts = [finding.text for finding in sorted(told, key=lambda finding: finding.level, reverse=True)] or [fine]
        texts += [f"{now - one.seen:.0f} s ago: {one.finding.text}" for one in held if now - one.seen >= _FRESH_S]
        return max([level, *(one.finding.level for one in held)]), "; ".join(texts)

    def _alive(self, now: float) -> list[_Held]:
        """Of each kind the highest level that is still held, the worst first."""
        alive = [held for held in self._held.values() if now - held.seen <= held.hold_s]
        of_kind = {held.finding.kind: held for held in sorted(alive, key=lambda held: held.finding.level)}
        return sorted(of_kind.values(), key=lambda held: held.finding.level, reverse=True)

    def _see(self, finding: Finding, now: float, hold_s: float) -> None:
        key, hold = (finding.kind, finding.level), hold_s
        before = self._held.get(key)
        if before is not None:
            over = now - before.seen - before.hold_s
            if over <= LONGEST_HOLD_S:
                hold = max(hold_s, min(LONGEST_HOLD_S, before.hold_s * (2 if over > 0 else 1)))
        self._held[key] = _Held(finding, now, hold)
