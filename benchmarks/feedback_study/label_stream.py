"""A stream of frames whose labels come for some, late: the adaptive threshold against a constant."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from missed_curves import Curves

from trust_seg_ros.fitting.curve_builder import UNIT_GRID
from trust_seg_ros.thresholds.long_run import LongRun
from trust_seg_ros.thresholds.score_scale import ScoreScale


@dataclass(frozen=True)
class Labels:
    """Which frames are labelled, and when.

    Attributes:
        share: of the frames, each at random.
        late: frames until a label arrives: 100 are 10 s at 10 Hz.
    """

    share: float = 0.01
    late: int = 100


@dataclass(frozen=True, eq=False)
class Run:
    """What became of a stream of n frames.

    Attributes:
        missed, flagged: (n,) of each frame under the threshold that it was judged with.
        fixed_missed, fixed_flagged: (n,) under the constant.
        columns: (n,) place of the threshold in ``UNIT_GRID``; -1 = all is flagged, its length = nothing.
        feedbacks: how many labels were used.
        bound: what the mean over them is off alpha by at most.
    """

    missed: np.ndarray
    flagged: np.ndarray
    fixed_missed: np.ndarray
    fixed_flagged: np.ndarray
    columns: np.ndarray
    feedbacks: int
    bound: float


@dataclass(frozen=True)
class Settings:
    """What is the same for many streams.

    Attributes:
        start: the constant, where the adaptive threshold starts.
        alpha, rate: as of the policy.
        scale: of the score.
        labels: which frames are labelled, and how late.
    """

    start: float
    alpha: float
    rate: float
    scale: ScoreScale
    labels: Labels


def run(curves: Curves, order: np.ndarray, settings: Settings, seed: int) -> Run:
    """Stream frames through the library's own update.

    Args:
        curves: of the frames.
        order: (n,) index of the frame shown at each step.
        settings: of the stream.
        seed: of the choice of labelled frames.
    """
    labels, scale, start = settings.labels, settings.scale, settings.start
    long_run = LongRun(settings.alpha, settings.rate, scale.position(start))
    labelled = np.random.default_rng(seed).random(len(order)) < labels.share
    columns = np.empty(len(order), np.intp)
    waiting: deque[tuple[int, tuple[int, int], int]] = deque()
    column = _column(scale.threshold(long_run.position))
    for step in range(len(order)):
        while waiting and waiting[0][0] <= step:
            _, ticket, at = waiting.popleft()
            long_run.feedback(ticket, float(padded(curves.missed, order[at], columns[at], nothing=1.0)))
            column = _column(scale.threshold(long_run.position))
        columns[step] = column
        ticket = long_run.frame()
        if labelled[step]:
            waiting.append((step + labels.late, ticket, step))
    fixed = _column(start)
    return Run(
        padded(curves.missed, order, columns, nothing=1.0),
        padded(curves.flagged, order, columns, nothing=0.0),
        padded(curves.missed, order, np.full(len(order), fixed), nothing=1.0),
        padded(curves.flagged, order, np.full(len(order), fixed), nothing=0.0),
        columns,
        long_run.state.counted,
        long_run.bound,
    )


def _column(threshold: float) -> int:
    """The threshold of the grid at or below; -1 = everything is flagged, the grid's length = nothing."""
    if threshold == math.inf:
        return len(UNIT_GRID)
    return int(np.searchsorted(UNIT_GRID, threshold, side="right")) - 1


def padded(values: np.ndarray, frames: np.ndarray, columns: np.ndarray, nothing: float) -> np.ndarray:
    """Values at columns of which -1 and the one behind the last stand for all and for no pixel flagged."""
    inside = values[frames, np.clip(columns, 0, values.shape[1] - 1)]
    return np.where(columns < 0, 1.0 - nothing, np.where(columns >= values.shape[1], nothing, inside))
