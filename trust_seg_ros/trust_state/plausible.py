"""Answers far outside of all that the calibration has seen: random weights, a head of zeros. A fast gate, no test.

The shift monitor asks whether a drive resembles the calibration data, and takes its time to be sure. Here a frame is
called implausible only where the network's mean entropy or margin is so far outside that no weather explains it. What
changes neither (classes in another order, one layer mixed up) is not seen: hashes in the files tell that.
"""

from __future__ import annotations

from collections.abc import Mapping

from trust_seg_ros.thresholds.frame_statistics import STATISTICS, title
from trust_seg_ros.thresholds.shift_statistic import ShiftReference

ABOVE, BELOW = 13.5, -4.5
"""Normal scores beyond which a mean is implausible. Scores without skill are spread over the upper tail, which is long;
below the calibration data there is hardly any room. Chosen with the shipped network: docs/trust_state.md."""

_LOOKED_AT = tuple(name for name in ("entropy", "margin") if name in STATISTICS)


def implausible(watched: Mapping[str, float], references: Mapping[str, ShiftReference]) -> str:
    """What is implausible about a frame, in words; "" = nothing.

    Args:
        watched: statistic -> its value in the frame, as in ``TrustFrame.watched``.
        references: statistic -> its values in the calibration images.
    """
    for name in _LOOKED_AT:
        if name not in watched or name not in references:
            continue
        value, reference = watched[name], references[name]
        score = reference.normal_score(value)
        if score >= ABOVE or score <= BELOW:
            return (
                f"{title(name)} is {value:.3g}, {abs(score):.1f} normal scores {'above' if score > 0 else 'below'} "
                f"the calibration data ({reference.mean:.3g} ± {reference.std:.2g}): is it the right network?"
            )
    return ""
