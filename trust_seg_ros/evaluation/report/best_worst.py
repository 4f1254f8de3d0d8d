"""Pictures of the best and the worst images of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np


def best_and_worst(order: Sequence[int], number: int) -> list[int]:
    """The first and the last ``number`` of some images sorted best first; none twice."""
    return [*order[:number], *order[number:][-number:]]


def scaled(plane: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scores (H, W) float64 in [0, 1]: 0 at ``low`` and below, 1 at ``high`` and above."""
    return np.clip((plane.astype(np.float64) - low) / max(high - low, 1e-12), 0.0, 1.0)


def write_rows(path: Path, head: np.ndarray, rows: Sequence[np.ndarray]) -> bool:
    """Write a picture of RGB rows of equal width, one below the other; False if it cannot be written."""
    return cv2.imwrite(str(path), cv2.cvtColor(np.vstack([head, *rows]), cv2.COLOR_RGB2BGR))
