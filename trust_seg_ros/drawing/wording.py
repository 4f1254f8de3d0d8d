"""What is written beside a flagged segment: in films and pictures, in exports.

A class name followed by a probability reads as "this is a Car, with 68 %". What is known is the opposite, so every
label says "not Car, 68 %".
"""

from __future__ import annotations

import math


def not_class(name: str, p_wrong: float) -> str:
    """Label of a segment whose class is probably wrong, such as "not Car, 68 %".

    Args:
        name: its predicted class.
        p_wrong: P(wrong) in [0, 1].
    """
    return f"not {name}, {percent(p_wrong)}"


def unknown_object(p_ood: float) -> str:
    """Label of an out-of-distribution segment, such as "unknown, 91 %"; below 50 % it says "maybe unknown".

    Segments with a low P(OoD) are kept where missing an object is worse than a false alarm.

    Args:
        p_ood: P(OoD) in [0, 1].
    """
    return f"{'maybe ' if p_ood < 0.5 else ''}unknown, {percent(p_ood)}"


def unknown_score(score: float) -> str:
    """Label of an out-of-distribution segment that no meta model judged: its mean score, which is no probability."""
    return f"unknown, score {score:.2f}"


def percent(probability: float) -> str:
    """A probability as a whole percentage.

    Only certainty is written as 0 or 100 %, and NaN (unknown) as "? %".
    """
    if math.isnan(probability):
        return "? %"
    if 0.0 < probability < 0.005:
        return "<1 %"
    if 0.995 <= probability < 1.0:
        return ">99 %"
    return f"{100 * probability:.0f} %"
