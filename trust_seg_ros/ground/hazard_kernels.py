"""Compiled kernel of P(hazard); ``hazards.reference_maps`` is its definition."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.support.jit import jit


@jit
def fill(
    entropy: np.ndarray,
    numbers: np.ndarray,
    roles: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    kinds: np.ndarray,
    ood: np.ndarray,
    ood_values: np.ndarray,
    ood_kinds: np.ndarray,
    role: np.ndarray,
    p: np.ndarray,
    kind: np.ndarray,
) -> None:
    """Write role, P(hazard) and kind of some rows, looked up by the ``numbers`` of segments and of OoD segments.

    The entropy counts with the weight of the segment; of values and of kinds, the larger of the two wins.
    """
    for y in range(p.shape[0]):
        for x in range(p.shape[1]):
            segment, unknown = np.uint32(numbers[y, x]), np.uint32(ood[y, x])
            role[y, x] = roles[segment]
            p[y, x] = max(max(values[segment], weights[segment] * entropy[y, x]), ood_values[unknown])
            kind[y, x] = max(kinds[segment], ood_kinds[unknown])
