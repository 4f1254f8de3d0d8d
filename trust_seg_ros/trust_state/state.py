"""The trust state: what was found becomes a level with reasons, fast on the way down and slower on the way up."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from trust_seg_ros.trust_state.reasons import REASONS, Level

_ALL_WELL = "nothing is wrong"


@dataclass(frozen=True)
class Found:
    """One thing that is wrong at one look.

    Attributes:
        key: of the reason, a key of ``REASONS``.
        text: what is wrong, with numbers.
        worst: whether it is of the worse of the reason's levels.
    """

    key: str
    text: str
    worst: bool = False

    @property
    def level(self) -> Level:
        """The level that it gives."""
        row = REASONS[self.key]
        return row.worst if self.worst else row.level


@dataclass(frozen=True)
class TrustState:
    """What is thought of the newest results at one moment.

    Attributes:
        level: NOMINAL without a reason, else the worst of theirs.
        found: the reasons, the worst first, then in the order of ``REASONS``.
        since: when the level became what it is, by the clock of the looks, in seconds.
    """

    level: Level = Level.UNTRUSTED
    found: tuple[Found, ...] = ()
    since: float = 0.0

    @property
    def reasons(self) -> tuple[str, ...]:
        """Keys of the reasons."""
        return tuple(found.key for found in self.found)

    @property
    def message(self) -> str:
        """All of it in words."""
        told = "; ".join(found.text for found in self.found)
        return f"{self.level.name}: {told or _ALL_WELL}"


@dataclass
class _Kept:
    found: Found
    seen: float


@dataclass
class TrustJudge:
    """Makes a state of what is found at every look; one caller at a time.

    A reason counts from the look that finds it: what must last before it counts is up to those who look
    (:class:`~trust_seg_ros.trust_state.streaks.Streaks` for images). It stays for ``hold_s`` of its row after the last
    look that found it, at its worst level since then.

    Attributes:
        hold: how many times the ``hold_s`` of the rows reasons stay, >= 0.
        ignore: keys of reasons that do not count.
    """

    hold: float = 1.0
    ignore: Collection[str] = ()
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _state: TrustState | None = None

    def look(self, found: Iterable[Found], now: float, least_hold_s: float = 0.0) -> TrustState:
        """The state at ``now``.

        Args:
            found: all that is wrong.
            now: time in seconds; never less than at the last look.
            least_hold_s: what is found by single images stays at least so long: two usual periods between images.

        Raises:
            KeyError: a key that no row of ``REASONS`` has.
        """
        for one in found:
            before = self._kept.get(one.key)
            if before is not None and before.found.level > one.level and self._alive(before, now, least_hold_s):
                continue  # its worse level is still held
            self._kept[one.key] = _Kept(one, now)
        self._kept = {key: kept for key, kept in self._kept.items() if self._alive(kept, now, least_hold_s)}
        order = {key: place for place, key in enumerate(REASONS)}
        told = [kept.found for key, kept in self._kept.items() if key not in self.ignore]
        told.sort(key=lambda one: (-one.level, order[one.key]))
        level = max((one.level for one in told), default=Level.NOMINAL)
        since = now if self._state is None or self._state.level != level else self._state.since
        self._state = TrustState(level, tuple(told), since)
        return self._state

    def clear(self) -> None:
        """Forget what was found: the node was started anew. The time since when the level is what it is goes on."""
        self._kept.clear()

    def _alive(self, kept: _Kept, now: float, least_hold_s: float) -> bool:
        row = REASONS[kept.found.key]
        hold_s = self.hold * row.hold_s
        if row.counter:
            hold_s = max(hold_s, least_hold_s)
        return now - kept.seen <= hold_s
