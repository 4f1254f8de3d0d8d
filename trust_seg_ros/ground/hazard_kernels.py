"""Compiled kernel of P(hazard); ``hazards.reference_maps`` is its definition."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.ground.roles import FLAT, GROUND, OBSTACLE
from trust_seg_ros.support.jit import jit
from trust_seg_ros.types.maps import UNLABELLED

_ONE = np.float32(1.0)


@jit
def fill(
    classes: np.ndarray,
    entropy: np.ndarray,
    roles: np.ndarray,
    segments: np.ndarray,
    p_wrong: np.ndarray,
    unreliable: np.ndarray,
    ood: np.ndarray,
    p_ood: np.ndarray,
    kept: np.ndarray,
    floor: np.float32,
    weight: np.float32,
    role: np.ndarray,
    p: np.ndarray,
    kind: np.ndarray,
) -> None:
    """Write role, P(hazard) and kind of some rows; P and flags are looked up by the numbers of segments."""
    for y in range(classes.shape[0]):
        for x in range(classes.shape[1]):
            named, segment, unknown = classes[y, x], segments[y, x], ood[y, x]
            r, wrong = roles[named], p_wrong[segment]
            if r in (GROUND, FLAT):
                value = max(wrong, weight * entropy[y, x])
            elif r == OBSTACLE:
                value = floor if named == UNLABELLED else _ONE - (_ONE - floor) * wrong
            else:
                value = wrong
            k = 1 if r == OBSTACLE else 0
            if unreliable[segment] or named == UNLABELLED:
                k = 2
            if kept[unknown]:
                k = 3
            role[y, x] = r
            p[y, x] = max(value, p_ood[unknown])
            kind[y, x] = k
