"""Compiled kernels of the scan along azimuths; ``reference.scan`` is their definition."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.ground.roles import FLAT, GROUND
from trust_seg_ros.support.jit import jit

_OOD = 3
BESIDE = 2
"""Azimuths to each side in which a nearer thing makes a foot doubtful."""
STEEPEST = 2.0
"""Steepest rise of a line on the ground that is believed: in the image, a wall half the camera's height aside."""


@jit
def scan_band(
    pixels: np.ndarray,
    role: np.ndarray,
    kind: np.ndarray,
    classes: np.ndarray,
    p: np.ndarray,
    ground: np.ndarray,
    shown: np.ndarray,
    lit: np.ndarray,
    feet: np.ndarray,
    ends: np.ndarray,
) -> None:
    """Scan the azimuths of a band.

    Writes ``ground`` (a, D), ``shown`` and ``lit`` (a,), and of things (a, most) the first sample, in ``feet``, and
    the one after the last, in ``ends``; -1 = no more.
    """
    most = feet.shape[1]
    for a in range(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            ground[a, j] = np.float32(-1.0) if pixels[a, j] >= 0 else np.float32(-2.0)
        feet[a, :], ends[a, :] = -1, -1
        shown[a], lit[a] = False, False
        count, standing, thing = 0, False, -1
        for j in range(pixels.shape[1]):
            i = pixels[a, j]
            if i < 0:
                standing, thing = False, -1
                continue
            shown[a] = True
            if kind[i] == 0:
                if role[i] == GROUND:
                    ground[a, j] = p[i]
                    lit[a] = True
                elif role[i] != FLAT:
                    break
                standing, thing = True, -1
            elif standing:
                if count == most:
                    break
                feet[a, count] = j
                count += 1
                ends[a, count - 1] = j + 1
                standing, thing = False, i
            elif thing >= 0 and (classes[i] == classes[thing] or (kind[i] == _OOD and kind[thing] == _OOD)):
                thing = i
                ends[a, count - 1] = j + 1
            else:
                break


@jit
def drop_outlines(
    feet: np.ndarray,
    ends: np.ndarray,
    slope: float,
    first: int,
    last: int,
    ground: np.ndarray,
    kept: np.ndarray,
) -> None:
    """Write how many feet of azimuths first .. last - 1 come before an outline; the ground behind outlines goes."""
    for a in range(first, last):
        kept[a] = 0
        for n in range(feet.shape[1]):
            j = feet[a, n]
            if j < 0:
                break
            if _beside(feet, ends, slope, a, j):
                for k in range(j, ground.shape[1]):
                    ground[a, k] = min(ground[a, k], np.float32(-1.0))
                break
            kept[a] = n + 1


@jit
def _beside(feet: np.ndarray, ends: np.ndarray, slope: float, a: int, j: int) -> bool:
    """Whether a nearer thing in one of the next azimuths stands beside sample j."""
    for other in range(max(a - BESIDE, 0), min(a + BESIDE + 1, feet.shape[0])):
        for n in range(feet.shape[1]):
            if feet[other, n] < 0:
                break
            if feet[other, n] < j - 1 - slope * abs(other - a) and ends[other, n] >= j:
                return True
    return False


@jit
def warn_before(
    pixels: np.ndarray, p: np.ndarray, feet: np.ndarray, kept: np.ndarray, before: np.ndarray, ground: np.ndarray
) -> None:
    """Raise P of the trusted ground before each foot of a band: the thing may stand nearer than it was measured."""
    for a in range(feet.shape[0]):
        for n in range(kept[a]):
            j = feet[a, n]
            for k in range(min(len(before), j)):
                if ground[a, j - 1 - k] >= 0.0:
                    ground[a, j - 1 - k] = max(ground[a, j - 1 - k], p[pixels[a, j]] * before[k])
