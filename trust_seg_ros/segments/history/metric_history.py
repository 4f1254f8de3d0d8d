"""A bounded ring of metric rows per track, and the columns over time that are made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trust_seg_ros.segments.errors import TrackingError
from trust_seg_ros.segments.history.kernels import look_back, store
from trust_seg_ros.segments.history.window import TimeWindow, time_names
from trust_seg_ros.support.packed import packed, unpacked
from trust_seg_ros.types import Json, SegmentTable
from trust_seg_ros.types.tracks import SegmentTracks

_ROOM = 64  # tracks that there is room for at first


@dataclass(frozen=True, eq=False)
class HistoryState:
    """What a history remembers.

    Attributes:
        ids: (t,) int64 tracks, ascending.
        rows: (t, L, m) float64 metrics of earlier frames.
        stamps: (t, L) int64 their stamps, nanoseconds; 0 = no row.
        heads: (t,) int64 place of the next row.
    """

    ids: np.ndarray
    rows: np.ndarray
    stamps: np.ndarray
    heads: np.ndarray

    def to_json(self) -> Json:
        """Plain data, exact; see :meth:`from_json`."""
        return {name: packed(part) for name, part in vars(self).items()}

    @classmethod
    def from_json(cls, data: Json) -> HistoryState:
        """The state that :meth:`to_json` was called on.

        Raises:
            TrackingError: it is not such data.
        """
        try:
            return cls(*(unpacked(data[name]) for name in ("ids", "rows", "stamps", "heads")))
        except (KeyError, TypeError, ValueError) as error:
            raise TrackingError(f"history of metrics: {error}; expected what HistoryState.to_json gives") from error


class MetricHistory:
    """Remembers metrics of the tracks that go on, and compares the next frame with them. One caller at a time.

    Of every track the tracker may continue (``alive``, at most ``tracker.MOST_TRACKS``) the last ``window.length`` rows
    are kept; tracks that have ended are forgotten, so thousands of specks that last one frame leave nothing behind. A
    frame without a stamp (0) has no history and leaves none; one with the stamp of the last becomes no row. If time
    goes back in a track, its rows are forgotten.

    Args:
        names: the m metrics that are remembered, at least one.
        window: how far to look back.

    Example:
        >>> history = MetricHistory(("E", "S"), TimeWindow(1.0))
        >>> columns = history.update(metrics, tracks, tracker.state().ids)
    """

    def __init__(self, names: tuple[str, ...], window: TimeWindow) -> None:
        self.names, self.window = names, window
        self.columns = time_names(names)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks."""
        self._ids, self._slots = np.zeros(0, np.int64), np.zeros(0, np.int64)
        m = len(self.names)
        self._rows, self._stamps = np.zeros((0, self.window.length, m)), np.zeros((0, self.window.length), np.int64)
        self._heads = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def update(self, metrics: np.ndarray, tracks: SegmentTracks, alive: np.ndarray) -> np.ndarray:
        """The columns over time of the segments of the next frame; then remembers their metrics.

        Args:
            metrics: (n, m) float64, the metrics ``names`` of this frame.
            tracks: the tracks of these n segments.
            alive: numbers of the tracks that the next frame may continue; all others are forgotten.

        Returns:
            (n, 3 m + 3) float64 named :attr:`columns`: change (this frame less the mean of the rows), trend (slope of
            the least-squares line through the rows and this frame, per second; 0 unless they span the time between two
            rows), standard deviation of rows and this frame, number of rows in the window up to 3, seconds since the
            track was first seen and seconds that it was not seen just before, both cut off at ten windows. All zero
            without a history.
        """
        n, m, now = len(metrics), len(self.names), tracks.stamp_ns
        metrics = np.ascontiguousarray(metrics, np.float64)
        found = np.zeros((n, 3 * m + 3))
        columns = np.zeros((n, 3 * m + 1))
        if now > 0:
            slots = self._slots_of(tracks.ids)
            window = self.window
            look_back(metrics, slots, now, self._rows, self._stamps, window.reach_ns, window.spacing_ns, columns)
            self._keep(np.asarray(alive, np.int64))
            store(metrics, self._slots_of(tracks.ids), now, window.spacing_ns, self._rows, self._stamps, self._heads)
        found[:, : 3 * m + 1] = columns
        found[:, -2] = np.clip(tracks.age_s, 0.0, self.window.longest_s)
        found[:, -1] = np.clip(tracks.gap_s, 0.0, self.window.longest_s)
        return found

    def state(self) -> HistoryState:
        """What is remembered, for :meth:`load_state`; a copy."""
        slots = self._slots
        return HistoryState(self._ids.copy(), self._rows[slots], self._stamps[slots], self._heads[slots])

    def load_state(self, state: HistoryState) -> None:
        """Continue from the state of another history of the same metrics and window.

        Raises:
            TrackingError: it is of other metrics, or of another length.
        """
        expected = (len(state.ids), self.window.length, len(self.names))
        if state.rows.shape != expected:
            raise TrackingError(f"history of metrics: rows {state.rows.shape}, expected {expected}")
        self._ids, self._slots = state.ids.copy(), np.arange(len(state.ids))
        self._rows, self._stamps, self._heads = state.rows.copy(), state.stamps.copy(), state.heads.copy()

    def _slots_of(self, ids: np.ndarray) -> np.ndarray:
        """(n,) int64 places of some tracks; -1 = not remembered."""
        if not len(self._ids):
            return np.full(len(ids), -1, np.int64)
        at = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        slots: np.ndarray = np.where(self._ids[at] == ids, self._slots[at], -1)
        return slots

    def _keep(self, alive: np.ndarray) -> None:
        """Forget the tracks that have ended, and make room for new ones."""
        ids = np.unique(alive[alive > 0])
        slots = self._slots_of(ids)
        taken = np.zeros(len(self._heads), bool)
        taken[slots[slots >= 0]] = True
        new = np.flatnonzero(slots < 0)
        free = np.flatnonzero(~taken)
        if len(free) < len(new):
            self._grow(max(_ROOM, len(new) - len(free), len(self._heads)))
            free = np.flatnonzero(np.append(~taken, np.ones(len(self._heads) - len(taken), bool)))
        slots[new] = free[: len(new)]
        self._stamps[slots[new]] = 0
        self._heads[slots[new]] = 0
        self._ids, self._slots = ids, slots

    def _grow(self, by: int) -> None:
        length, m = self._rows.shape[1:]
        self._rows = np.concatenate([self._rows, np.zeros((by, length, m))])
        self._stamps = np.concatenate([self._stamps, np.zeros((by, length), np.int64)])
        self._heads = np.concatenate([self._heads, np.zeros(by, np.int64)])


def with_time(table: SegmentTable, history: MetricHistory, tracks: SegmentTracks, alive: np.ndarray) -> SegmentTable:
    """The table of a frame with the columns over time appended; the frame becomes part of the history.

    Args:
        table: holds the metrics that ``history`` remembers; ``KeyError`` names one that it lacks.
        history: of the tracks before.
        tracks: the tracks of the segments.
        alive: as for :meth:`MetricHistory.update`.
    """
    past = np.stack([table.column(name) for name in history.names], 1) if history.names else np.zeros((len(table), 0))
    columns = history.update(past, tracks, alive)
    return replace(table, names=(*table.names, *history.columns), metrics=np.concatenate([table.metrics, columns], 1))
