"""Where the mean class probabilities of a segment come from: low-resolution logits, or a softmax at full resolution."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.segments.labelling import Band
from trust_seg_ros.segments.sum_kernels import add_probabilities
from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.kernels import softmax_row, taps
from trust_seg_ros.uncertainty.logits import prepare


class LogitSource:
    """Softmax of bilinearly upsampled logits, made row by row and never stored.

    Attributes:
        n_classes: q.
    """

    def __init__(self, logit_maps: LogitMaps) -> None:
        """Bring the logits to the host and make them finite (pixels that were not are in no segment)."""
        self._logits = prepare(logit_maps).values.cpu().numpy()
        self.n_classes, height, width = self._logits.shape
        self._rows = taps(height, logit_maps.size[0])
        self._columns = taps(width, logit_maps.size[1])

    def add(self, band: Band, out: np.ndarray) -> None:
        """Add the softmax of the band's pixels to ``out`` (m, q) float64."""
        _add_upsampled(self._logits, *self._rows, *self._columns, band.y0, *_runs(band), out)


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
        softmax_row(logits, top[y], bottom[y], mix[y], left, right, weight, rows, held, row_logits, row_probs)
        add_probabilities(row_probs, first[r], first[r + 1], starts, ends, labels, out)


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
