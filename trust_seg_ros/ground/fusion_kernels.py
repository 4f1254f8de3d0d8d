"""Compiled kernel of cells over time; ``reference.fuse`` is its definition."""

from __future__ import annotations

import math

import numpy as np

from trust_seg_ros.support.jit import jit

_GROUND, _FOOT, _HIDDEN = 1, 2, 3
_LEAST_P = 0.01
_FORGOTTEN_AFTER = 3.0


@jit
def fuse_rows(
    kind: np.ndarray,
    observed: np.ndarray,
    step: float,
    decay: float,
    log_odds: np.ndarray,
    weight: np.ndarray,
    age: np.ndarray,
    ground: np.ndarray,
    p: np.ndarray,
    seen: np.ndarray,
    occupancy: np.ndarray,
) -> None:
    """Put one frame into some rows of the memory, and write what is known of them now."""
    for r in range(kind.shape[0]):
        for c in range(kind.shape[1]):
            if weight[r, c] > 0.0:
                age[r, c] += step
                if age[r, c] > _FORGOTTEN_AFTER * decay:
                    weight[r, c] = 0.0
            if kind[r, c] in (_GROUND, _FOOT):
                inside = min(max(np.float64(observed[r, c]), _LEAST_P), 1.0 - _LEAST_P)
                odds = math.log(inside / (1.0 - inside))
                if weight[r, c] == 0.0 or (kind[r, c] == _FOOT and odds > log_odds[r, c]):
                    log_odds[r, c], weight[r, c] = odds, 1.0
                else:
                    kept = weight[r, c] * math.exp(-age[r, c] / decay)
                    log_odds[r, c] = (kept * log_odds[r, c] + odds) / (kept + 1.0)
                    weight[r, c] = kept + 1.0
                age[r, c], ground[r, c] = 0.0, kind[r, c] == _GROUND
            elif kind[r, c] == _HIDDEN:
                ground[r, c] = False
            if weight[r, c] > 0.0:
                now = np.float64(log_odds[r, c])
                if age[r, c] > 0.0:
                    now *= math.exp(-age[r, c] / decay)
                value = 1.0 / (1.0 + math.exp(-now))
                p[r, c], seen[r, c] = value, ground[r, c] and age[r, c] <= decay
                occupancy[r, c] = math.floor(100.0 * value + 0.5)
            else:
                p[r, c], seen[r, c], occupancy[r, c] = np.float32(np.nan), False, -1
