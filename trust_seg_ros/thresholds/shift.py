"""Shift monitor: detects when a drive no longer resembles the calibration data, so that its guarantees are void."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from trust_seg_ros.thresholds.betting import DAY_S, LEVELS, Bets, Pace
from trust_seg_ros.thresholds.frame_statistics import title
from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference
from trust_seg_ros.types import Json, ShiftState

RECENT_S = 5.0
"""Time constant of the means that are told, and that decide when the monitor becomes quiet, in seconds."""
LONGEST = 2.0
"""Windows for which frames count once, at most: a drive that stays in one place must not silence the monitor. After as
many windows evidence has lost one nat, so that a small difference of that place does not add up for hours."""
LEARNED = 1.0
"""Windows after which frames may count more often than once a window, if the drive has shown that they differ."""
CAREFUL = 2.0
"""Frames count once in so many times the seconds for which they are alike."""
START_S = 3600.0
"""Seconds that the start of a drive counts for: shifts that are there from the start are the usual ones."""
MOST_OF_FRAME = 2.0
"""Most that the logarithm of a stake grows by with a frame, so that one glitch of a slow camera cannot decide alone."""
_LIVELY = 2.0  # most that one frame counts for in the mean bet that keeps the monitor from becoming quiet


@dataclass(frozen=True)
class ShiftSettings:
    """When the monitor fires.

    Attributes:
        window_s: seconds of message time for which frames count once, until the drive has shown how long they stay
            alike, > 0. A longer gap between frames starts a new drive.
        level: false alarms expected in 24 hours, at most, in (0, 1).
        hold_s: seconds without evidence before a monitor that has fired is quiet again, >= 0.
        least_frames: frames needed before the monitor says anything, >= 2.
        independent: most independent observations that ``window_s`` may count for, >= 2. 5 suits a drive, where frames
            of a scene are alike; for single images in random order: their number.

    Raises:
        ShiftError: a value is out of range.
    """

    window_s: float = 30.0
    level: float = 0.1
    hold_s: float = 5.0
    least_frames: int = 10
    independent: int = 5

    def __post_init__(self) -> None:
        for name, fits, expected in (
            ("window_s", 0.0 < self.window_s < math.inf, "seconds above 0"),
            ("level", 0.0 < self.level < 1.0, "a number in (0, 1)"),
            ("hold_s", 0.0 <= self.hold_s < math.inf, "seconds, at least 0"),
            ("least_frames", self.least_frames >= 2, "at least 2"),
            ("independent", self.independent >= 2, "at least 2"),
        ):
            if not fits:
                raise ShiftError(f"shift monitor: {name} = {getattr(self, name)}: expected {expected}")


@dataclass(frozen=True)
class StatisticMemory:
    """What is remembered of one statistic, as plain data.

    Attributes:
        stake: logarithm of the evidence; -inf at the start.
        seconds: seconds of the drive in which it was known.
        value, score, bet: means over the last seconds: of the statistic, of its normal score, and of the logarithms of
            bets; NaN at the start.
        cell, waiting, within: of :class:`Pace`.
    """

    stake: float = -math.inf
    seconds: float = 0.0
    value: float = math.nan
    score: float = math.nan
    bet: float = math.nan
    cell: tuple[float, ...] = ()
    waiting: tuple[tuple[float, ...], ...] = ((),) * LEVELS
    within: tuple[tuple[float, ...], ...] = ((0, 0.0, 0.0),) * LEVELS

    @classmethod
    def from_json(cls, data: Json) -> StatisticMemory:
        """Back from the plain data of ``dataclasses.asdict``, before or after it went through JSON."""
        lists = {name: tuple(map(tuple, data[name])) for name in ("waiting", "within")}
        return cls(**{**data, **lists, "cell": tuple(data["cell"])})


@dataclass(frozen=True)
class ShiftMemory:
    """What the monitor remembers of earlier frames, as plain data.

    Attributes:
        last: stamp of the last frame in seconds; -inf before the first.
        frames: number of frames of the drive.
        fired: as in :class:`ShiftState`.
        calm: stamp in seconds since when nothing contradicts that it becomes quiet; None while something does.
        statistics: name -> its memory.
    """

    last: float = -math.inf
    frames: int = 0
    fired: bool = False
    calm: float | None = None
    statistics: Mapping[str, StatisticMemory] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Json) -> ShiftMemory:
        """Back from the plain data of ``dataclasses.asdict``, before or after it went through JSON."""
        kept = {name: StatisticMemory.from_json(memory) for name, memory in data["statistics"].items()}
        return cls(**{**data, "statistics": kept})


class _Bettor:
    """The evidence of one statistic."""

    def __init__(self, reference: ShiftReference, memory: StatisticMemory) -> None:
        self.bets, self.stake, self.seconds = Bets(reference), memory.stake, memory.seconds
        self.value, self.score, self.bet = memory.value, memory.score, memory.bet
        self._pace = Pace(memory.cell, list(memory.waiting), list(memory.within))
        self._alike_s = self._pace.alike_s(self.bets.variance)

    def memory(self) -> StatisticMemory:
        pace = self._pace
        counts = pace.cell, tuple(pace.waiting), tuple(pace.within)
        return StatisticMemory(self.stake, self.seconds, self.value, self.score, self.bet, *counts)

    def length_s(self, settings: ShiftSettings) -> float:
        """Seconds for which frames count once."""
        window = settings.window_s
        least = window / settings.independent if self.seconds >= LEARNED * window else window
        return min(LONGEST * window, max(least, CAREFUL * self._alike_s))

    def add(self, value: float, seconds: float, settings: ShiftSettings, most: float) -> None:
        """Add a frame that stands for so many seconds; the evidence is at most ``most``, a logarithm."""
        score = self.bets.score(value)
        bet, length = self.bets.log_bet(score), self.length_s(settings)  # the length before this frame: a fair bet
        share = min(1.0, seconds / length)
        started = (START_S if math.isnan(self.value) else seconds) / DAY_S
        stake, fading = math.log(math.exp(min(self.stake, most)) + started), seconds / (LONGEST * settings.window_s)
        self.stake = min(most, stake + min(MOST_OF_FRAME, share * bet) - fading)
        weight = 1.0 if math.isnan(self.value) else -math.expm1(-seconds / RECENT_S)
        for name, new in (("value", value), ("score", score), ("bet", min(bet, _LIVELY))):
            old = getattr(self, name)
            setattr(self, name, new if weight == 1.0 else old + weight * (new - old))
        self.seconds += seconds
        if self._pace.add(score, seconds):
            self._alike_s = self._pace.alike_s(self.bets.variance)


class ShiftMonitor:
    """Bets against the calibration data with several statistics of each frame; may be looked at after every frame.

    One caller at a time; states that were returned never change.

    Args:
        references: statistic -> its numbers in the calibration images.
        settings: when to fire; may be exchanged at any time.

    Example:
        >>> monitor = ShiftMonitor({"brightness": ShiftReference.from_means(numbers)})
        >>> state = monitor.update({"brightness": 0.93}, stamp_s=12.4)
        >>> if state.fired: print(state.text)
    """

    def __init__(self, references: Mapping[str, ShiftReference], settings: ShiftSettings | None = None) -> None:
        self.references, self.settings = dict(references), settings or ShiftSettings()
        self._last, self._frames, self._fired = -math.inf, 0, False
        self._calm: float | None = None
        self._bettors: dict[str, _Bettor] = {}
        self._current = ShiftState(False, 0, False, 1.0)
        self.load_state(ShiftMemory())

    @property
    def current(self) -> ShiftState:
        """The state, as of the last frame."""
        return self._current

    def reset(self) -> None:
        """Forget all frames."""
        self.load_state(ShiftMemory())

    def update(self, numbers: Mapping[str, float], stamp_s: float) -> ShiftState:
        """Add a frame.

        A stamp earlier than the last (a bag played again), or later by more than the window, starts a new drive: the
        monitor forgets earlier frames. A frame with the same stamp as the last is skipped. A statistic that is missing
        or not finite does not count.

        Args:
            numbers: statistic -> its value in the frame; names without a reference do not count.
            stamp_s: when the frame was taken, in seconds.
        """
        if not math.isfinite(stamp_s) or stamp_s == self._last:
            return self._current
        if not 0.0 < stamp_s - self._last <= self.settings.window_s:
            self.reset()
        seconds = 0.0 if self._last == -math.inf else stamp_s - self._last
        self._last, self._frames = stamp_s, self._frames + 1
        most = math.log(len(self._bettors) or 1) - math.log(self.settings.level) + 0.1  # enough for one to fire alone
        for name, bettor in self._bettors.items():
            value = float(numbers.get(name, math.nan))
            if math.isfinite(value):
                bettor.add(value, seconds, self.settings, most)
        self._decide()
        self._current = self._state()
        return self._current

    def state(self) -> ShiftMemory:
        """State remembered from earlier frames, for :meth:`load_state`."""
        statistics = {name: bettor.memory() for name, bettor in self._bettors.items()}
        return ShiftMemory(self._last, self._frames, self._fired, self._calm, statistics)

    def load_state(self, memory: ShiftMemory) -> None:
        """Continue from the state of another monitor with the same references."""
        self._last, self._frames, self._fired, self._calm = memory.last, memory.frames, memory.fired, memory.calm
        fresh = StatisticMemory()
        self._bettors = {n: _Bettor(r, memory.statistics.get(n, fresh)) for n, r in self.references.items()}
        self._current = self._state()

    @property
    def _evidence(self) -> float:
        """Mean stake."""
        return sum(math.exp(bettor.stake) for bettor in self._bettors.values()) / max(1, len(self._bettors))

    def _decide(self) -> None:
        settings = self.settings
        if not self._fired:
            self._fired = self._frames >= settings.least_frames and self._evidence >= 1.0 / settings.level
            self._calm = None
            return
        if any(bettor.stake > 0.0 and bettor.bet > 0.0 for bettor in self._bettors.values()):
            self._calm = None
            return
        self._calm = self._last if self._calm is None else self._calm
        if self._last - self._calm >= settings.hold_s:
            self._fired, self._calm = False, None
            for bettor in self._bettors.values():
                bettor.stake = -math.inf  # the next alarm needs evidence of its own

    def _state(self) -> ShiftState:
        p_value = 1.0 / max(1.0, self._evidence)
        known = {name: bettor for name, bettor in self._bettors.items() if not math.isnan(bettor.value)}
        moved = [(b.stake if self._fired else 0.0, abs(b.score), name) for name, b in known.items()]
        if not self._frames or not moved:
            return ShiftState(self._fired, self._frames, False, p_value)
        _, _, name = max(moved)
        others: tuple[str, ...] = ()
        if self._fired:
            others = tuple(title(n) for stake, _, n in sorted(moved, reverse=True) if stake > 0.0 and n != name)
        enough, reference = self._frames >= self.settings.least_frames, self.references[name]
        numbers = known[name].value, reference.mean, reference.std
        return ShiftState(self._fired, self._frames, enough, p_value, name, title(name), *numbers, others)
