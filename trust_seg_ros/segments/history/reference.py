"""The kernel of metrics over time in plain NumPy, from the definition; slow, for tests."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.segments.history.kernels import ENOUGH


def look_back_reference(
    current: np.ndarray,
    slots: np.ndarray,
    now: int,
    rows: np.ndarray,
    stamps: np.ndarray,
    reach: int,
    least: int,
    columns: np.ndarray,
) -> None:
    """As ``kernels.look_back``."""
    m = current.shape[1]
    for i, slot in enumerate(slots):
        if slot < 0:
            continue
        age = now - stamps[slot]
        used = (stamps[slot] > 0) & (age >= 0) & (age <= reach)
        columns[i, 3 * m] = min(used.sum(), ENOUGH)
        if not used.any():
            continue
        past, together = rows[slot, used], np.concatenate([rows[slot, used], current[i : i + 1]])
        columns[i, :m] = current[i] - past.mean(0)
        columns[i, 2 * m : 3 * m] = together.std(0)
        if age[used].max() >= least:
            seconds = np.append(-age[used] / 1e9, 0.0)
            columns[i, m : 2 * m] = np.polyfit(seconds, together, 1)[0]
