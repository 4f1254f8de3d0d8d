"""Where the mean class probabilities of a segment come from: low-resolution logits or class sums, or a full softmax."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.segments.labelling import Band
from trust_seg_ros.segments.sum_kernels import add_probabilities
from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.kernels import CONTRACT, ONE, grid_taps, hold_rows, softmax_row
from trust_seg_ros.uncertainty.logits import UNCLAIMED, prepare, prepare_sums


class LogitSource:
    """Softmax of bilinearly upsampled logits, or class sums divided by their sum, made row by row and never stored.

    Attributes:
        n_classes: q.
    """

    def __init__(self, logit_maps: LogitMaps) -> None:
        """Bring the logits to the host and make them finite (pixels that were not are in no segment)."""
        prepared = prepare_sums(logit_maps) if logit_maps.linear else prepare(logit_maps)
        self._logits, self._linear = prepared.values.cpu().numpy(), logit_maps.linear
        self.n_classes = len(self._logits)
        grid, placement = self._logits.shape[1:], logit_maps.placement
        self._rows, self._columns = grid_taps(grid, logit_maps.size, placement)

    def add(self, band: Band, out: np.ndarray) -> None:
        """Add the distribution of the band's pixels to ``out`` (m, q) float64."""
        _add_upsampled(self._logits, *self._rows, *self._columns, self._linear, band.y0, *_runs(band), out)


class SoftmaxSource:
    """A softmax map at full resolution.

    Attributes:
        n_classes: q.
    """

    def __init__(self, prob: np.ndarray) -> None:
        """``prob`` is (q, H, W) float32, C-contiguous."""
        self._prob = prob
        self.n_classes = len(prob)

    def add(self, band: Band, out: np.ndarray) -> None:
        """Add the probabilities of the band's pixels to ``out`` (m, q) float64."""
        _add_stored(self._prob, band.y0, *_runs(band), out)


def _runs(band: Band) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return band.starts, band.ends, band.first, band.labels


@jit
def _add_upsampled(
    logits: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    mix: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    linear: bool,
    y0: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: np.ndarray,
    labels: np.ndarray,
    out: np.ndarray,
) -> None:
    q, width = len(logits), len(left)
    rows = np.empty((2, q, width), np.float32)
    held = np.full(2, -1, np.int64)
    row_logits, row_probs = np.empty((q, width), np.float32), np.empty((q, width), np.float32)
    for r in range(len(first) - 1):
        if first[r] == first[r + 1]:
            continue
        y = y0 + r
        if linear:
            hold_rows(logits, top[y], bottom[y], 0, width, left, right, weight, rows, held)
            _share_row(rows[top[y] & 1], rows[bottom[y] & 1], mix[y], row_logits[0], row_probs)
        else:
            softmax_row(logits, top[y], bottom[y], mix[y], left, right, weight, rows, held, row_logits, row_probs)
        add_probabilities(row_probs, first[r], first[r + 1], starts, ends, labels, out)


@jit(fastmath=CONTRACT)
def _share_row(upper: np.ndarray, lower: np.ndarray, mix: np.float32, total: np.ndarray, probs: np.ndarray) -> None:
    """Class sums of an output row, mixed and divided by their sum (q, W); 1/q each where no query claims a pixel."""
    q, width = probs.shape
    rest, unclaimed = ONE - mix, np.float32(UNCLAIMED)
    most = np.zeros(width, np.float32)
    total[:] = np.float32(0.0)
    for c in range(q):
        above, below, out = upper[c], lower[c], probs[c]
        for x in range(width):
            value = rest * above[x] + mix * below[x]
            out[x] = value
            total[x] += value
            most[x] = max(most[x], value)
    for x in range(width):
        total[x] = ONE / total[x] if most[x] > unclaimed else np.float32(0.0)
    for c in range(q):
        out = probs[c]
        for x in range(width):
            out[x] = out[x] * total[x] if total[x] > np.float32(0.0) else ONE / np.float32(q)


@jit
def _add_stored(
    prob: np.ndarray,
    y0: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: np.ndarray,
    labels: np.ndarray,
    out: np.ndarray,
) -> None:
    for c in range(len(prob)):  # class by class: one plane is read in the order it lies in memory
        for r in range(len(first) - 1):
            add_probabilities(prob[c : c + 1, y0 + r], first[r], first[r + 1], starts, ends, labels, out[:, c : c + 1])
