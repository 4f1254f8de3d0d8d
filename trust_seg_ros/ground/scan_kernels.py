"""Compiled kernel of the scan along azimuths; ``reference.scan`` is its definition."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.ground.roles import FLAT, GROUND
from trust_seg_ros.support.jit import jit

_OOD = 3


@jit
def scan_band(
    pixels: np.ndarray,
    role: np.ndarray,
    kind: np.ndarray,
    classes: np.ndarray,
    p: np.ndarray,
    before: np.ndarray,
    ground: np.ndarray,
    blind: np.ndarray,
    feet: np.ndarray,
) -> None:
    """Scan the azimuths of a band: write ``ground`` (a, D), ``blind`` (a,) and the samples of ``feet`` (a, most)."""
    most = feet.shape[1]
    for a in range(pixels.shape[0]):
        ground[a, :] = np.float32(-1.0)
        feet[a, :] = -1
        count, standing, thing, any_ground, any_pixel = 0, False, -1, False, False
        for j in range(pixels.shape[1]):
            i = pixels[a, j]
            if i < 0:
                standing, thing = False, -1
                continue
            any_pixel = True
            if kind[i] == 0:
                if role[i] == GROUND:
                    ground[a, j] = p[i]
                    any_ground = True
                elif role[i] != FLAT:
                    break
                standing, thing = True, -1
            elif standing:
                if count == most:
                    break
                feet[a, count] = j
                count += 1
                for k in range(min(len(before), j)):
                    if ground[a, j - 1 - k] >= 0.0:
                        ground[a, j - 1 - k] = max(ground[a, j - 1 - k], p[i] * before[k])
                standing, thing = False, i
            elif thing >= 0 and (classes[i] == classes[thing] or (kind[i] == _OOD and kind[thing] == _OOD)):
                thing = i
            else:
                break
        blind[a] = any_pixel and not any_ground
