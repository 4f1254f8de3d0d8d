"""The definition of ``motion_kernels``, readable and slower, with the same signatures."""

from __future__ import annotations

import numpy as np


def strengths(image: np.ndarray, u: np.ndarray, v: np.ndarray, along: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """How much each patch changes along the way on which a slope moves it.

    Args:
        image: (H, W) uint8.
        u, v: (N,) int64 column and row of the middle of each patch.
        along: (N, 2) unit direction of that way.
        steps: (S,) int64 pixels of a patch from its middle, across and down.

    Returns:
        (N,) sums of squares of twice the slope of the brightness.
    """
    rows, columns = v[:, None, None] + steps[:, None], u[:, None, None] + steps
    grey = image.astype(float)
    right = grey[rows, columns + 1] - grey[rows, columns - 1]
    below = grey[rows + 1, columns] - grey[rows - 1, columns]
    change = right * along[:, 0, None, None] + below * along[:, 1, None, None]
    found: np.ndarray = (change**2).sum(axis=(1, 2))
    return found


def agreement(
    now: np.ndarray,
    before: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    places: np.ndarray,
    blend: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """Sum over the patches of the squared correlation with what the image before shows where each slope has it.

    A patch that is not wholly on the image before, that is uniform there or now, or that agrees with the negative only
    adds nothing.

    Args:
        now, before: (H, W) uint8.
        u, v: (N,) int64 column and row of the middle of each patch, now.
        places: (K, N, 6) place (u, v) before, and its change for a pixel across and a pixel down, at K slopes.
        blend: (T, K) weights of these in the places at T slopes.
        steps: (S,) int64 pixels of a patch from its middle, across and down.

    Returns:
        (T,) the sums.
    """
    patches = now[v[:, None, None] + steps[:, None], u[:, None, None] + steps].astype(float)
    found = np.zeros(len(blend))
    for t, weights in enumerate(blend):
        for patch, place in zip(patches, np.tensordot(weights, places, 1), strict=True):
            middle, across, down = place[:2], place[2:4], place[4:]
            reach = steps[-1] * (np.abs(across) + np.abs(down))
            if not ((middle >= reach).all() and (middle + reach < np.array(before.shape[::-1]) - 1).all()):
                continue
            at = middle + steps[:, None, None] * down + steps[:, None] * across
            r = _correlation(patch, _between(before.astype(float), at[..., 0], at[..., 1]))
            found[t] += max(r, 0.0) ** 2
    return found


def _between(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear."""
    column, row = x.astype(int), y.astype(int)
    part, low = x - column, y - row
    top = image[row, column] * (1 - part) + image[row, column + 1] * part
    bottom = image[row + 1, column] * (1 - part) + image[row + 1, column + 1] * part
    found: np.ndarray = top * (1 - low) + bottom * low
    return found


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    power = float((a * a).sum() * (b * b).sum())
    return float((a * b).sum()) / power**0.5 if power > 1e-6 else 0.0
