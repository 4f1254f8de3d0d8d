"""Compiled kernels of the ground's motion; ``motion_reference`` is their definition."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit


@jit
def strengths(image: np.ndarray, u: np.ndarray, v: np.ndarray, along: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """How much each patch changes along the way on which a slope moves it."""
    found = np.empty(len(u))
    for n in range(len(u)):
        total = 0.0
        for down in steps:
            for across in steps:
                y, x = v[n] + down, u[n] + across
                to_right = float(image[y, x + 1]) - float(image[y, x - 1])
                to_below = float(image[y + 1, x]) - float(image[y - 1, x])
                change = to_right * along[n, 0] + to_below * along[n, 1]
                total += change * change
        found[n] = total
    return found


@jit
def agreement(
    now: np.ndarray,
    before: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    places: np.ndarray,
    blend: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """Sum over the patches of the squared correlation with what the image before shows where each slope has it."""
    height, width = before.shape
    knots, size, reach = len(places), len(steps), float(steps[-1])
    count = np.float32(size * size)
    patch = np.empty(size * size, np.float32)
    place = np.empty(6)
    found = np.zeros(len(blend))
    for n in range(len(u)):
        mean = np.float32(0.0)
        for i in range(size):
            for j in range(size):
                value = np.float32(now[v[n] + steps[i], u[n] + steps[j]])
                patch[i * size + j] = value
                mean += value
        mean /= count
        power = np.float32(0.0)
        for k in range(size * size):
            patch[k] -= mean
            power += patch[k] * patch[k]
        for t in range(len(blend)):
            for c in range(6):
                value = 0.0
                for k in range(knots):
                    value += blend[t, k] * places[k, n, c]
                place[c] = value
            right = reach * (abs(place[2]) + abs(place[4]))
            below = reach * (abs(place[3]) + abs(place[5]))
            inside = place[0] >= right and place[1] >= below
            if not (inside and place[0] + right < width - 1 and place[1] + below < height - 1):
                continue  # also NaN
            total, squares, product = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for i in range(size):
                for j in range(size):
                    x = place[0] + steps[j] * place[2] + steps[i] * place[4]
                    y = place[1] + steps[j] * place[3] + steps[i] * place[5]
                    column, row = int(x), int(y)
                    part, low = np.float32(x - column), np.float32(y - row)
                    a, b = np.float32(before[row, column]), np.float32(before[row, column + 1])
                    c, d = np.float32(before[row + 1, column]), np.float32(before[row + 1, column + 1])
                    top, bottom = a + part * (b - a), c + part * (d - c)
                    value = top + low * (bottom - top)
                    total += value
                    squares += value * value
                    product += value * patch[i * size + j]
            spread = squares - total * total / count
            if product > 0 and spread > 0 and power > 0:
                found[t] += product * product / (power * spread)
    return found
