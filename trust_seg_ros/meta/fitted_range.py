"""Outside the range of metrics that a meta model was fitted on, its answer moves towards the base rate of the fit.

A linear model may predict anything for metrics that it has never seen. Its answer P is therefore taken at the nearest
point of the fitted range and mixed with the base rate B of the segments fitted on:

    P' = w P + (1 - w) B,   w = 2^(-d / 0.5),   d = max over the metrics of (distance outside) / (width of the range).

Inside the range d = 0 and P' = P; half a width outside, the model counts for one half; far outside only B is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HALF_AT = 0.5
"""Distance outside the range, in widths of it, at which the model's answer counts for one half."""
MARGIN = 0.05
"""A segment is called outside if a metric lies further out than this, in widths of the range: the largest of n values
is no sharp limit, and of new segments of the same kind a few always lie just beyond it."""
OUTSIDE_SHARE = 0.2
"""Share of segments outside above which users are warned."""


@dataclass(frozen=True)
class Placed:
    """Metrics of n segments, relative to the range fitted on.

    Attributes:
        nearest: (n, m) float64 metrics at the nearest point of the range.
        beyond: (n,) float64 >= 0, largest distance outside over the metrics, in widths of the range; 0 = inside.
    """

    nearest: np.ndarray
    beyond: np.ndarray

    @property
    def outside(self) -> np.ndarray:
        """(n,) bool, further outside than :data:`MARGIN`."""
        found: np.ndarray = self.beyond > MARGIN
        return found

    def towards(self, base_rate: float, answer: np.ndarray) -> np.ndarray:
        """The model's answers (n,) for ``nearest``, moved towards the base rate by the formula above."""
        if not self.beyond.any():
            return answer
        weight = np.exp2(-self.beyond / HALF_AT)
        mixed: np.ndarray = weight * answer + (1.0 - weight) * base_rate
        return mixed


def place(x: np.ndarray, ranges: np.ndarray, scales: np.ndarray) -> Placed:
    """Where metrics lie relative to the range fitted on.

    Args:
        x: (n, m) metrics.
        ranges: (m, 2) smallest and largest value of each metric seen in fitting.
        scales: (m,) > 0; takes the place of the width of a metric that was constant in fitting.
    """
    nearest = np.clip(x, ranges[:, 0], ranges[:, 1])
    width = ranges[:, 1] - ranges[:, 0]
    beyond = np.abs(x - nearest) / np.where(width > 0, width, scales)
    return Placed(nearest, beyond.max(axis=1, initial=0.0))


class OutsideShare:
    """Share of the segments of the last frames outside the range; older frames fade, by one part in ``memory``.

    Args:
        memory: number of frames, at least 1.
    """

    def __init__(self, memory: int = 50) -> None:
        self._keep = 1.0 - 1.0 / memory
        self._outside = self._judged = 0.0

    def add(self, outside: np.ndarray | None, judged: int) -> None:
        """Count a frame: (n,) bool which segments lie outside, None = not known, and how many were judged."""
        if outside is not None:
            self._outside = self._keep * self._outside + np.count_nonzero(outside)
            self._judged = self._keep * self._judged + judged

    @property
    def share(self) -> float | None:
        """0 to 1; None before the first segment."""
        return self._outside / self._judged if self._judged else None


def outside_words(what: str, share: float | None) -> str:
    """The warning that many segments lie outside what the judge was fitted on, and the way out; "" for few.

    Args:
        what: the segments, in words: "segments" or "OoD segments".
        share: share of them that lie outside, 0 to 1; None = not known.
    """
    if share is None or share <= OUTSIDE_SHARE:
        return ""
    effect, remedy = {
        "segments": ("P(false positive) is drawn towards the base rate of the fit for them", "trust-seg fit"),
        "OoD segments": ("they are kept, whatever their P(OoD)", "trust-seg benchmark … --save-meta"),
    }[what]
    return (
        f"{100 * share:.0f} % of the {what} lie outside the range of metrics that their meta model was fitted on: "
        f"{effect}; fit one on images like these ({remedy})"
    )
