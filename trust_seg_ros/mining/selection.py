"""From all frames that were looked at to the few that are worth labelling.

Frames count by the root of what there is to learn from them, so that neither the usual views nor the few worst ones are
all that is chosen; docs/results/mining.md has what this was chosen by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trust_seg_ros.mining.choice import distinct, representatives
from trust_seg_ros.mining.errors import MiningError
from trust_seg_ros.mining.survey import Glance

_FORBIDDEN = str.maketrans(dict.fromkeys('/\\:*?"<>|\0\n\r\t', "_"))


@dataclass(frozen=True)
class SelectionSettings:
    """How frames are chosen.

    Attributes:
        budget: number of frames to choose, 1 or more.
        apart_s: of one recording, at least so many seconds lie between two chosen frames.
        alike: of frames no farther from each other than this, as vectors of length 1 (0 = the same, 2 = as far as can
            be), only the one with most to learn can be chosen; below 0: all can.
    """

    budget: int
    apart_s: float = 1.0
    alike: float = 0.04


@dataclass(frozen=True, eq=False)
class Pick:
    """A chosen frame.

    Attributes:
        glance: the frame; its name is unique among the chosen.
        rank: 1 = label this first.
        score: 0..1, how much there is to learn: 0.5 is as much as from the median frame of all that were looked at.
    """

    glance: Glance
    rank: int
    score: float


def select(glances: Sequence[Glance], settings: SelectionSettings) -> list[Pick]:
    """Choose: of frames that repeat each other the one with most to learn, of these the best representatives.

    Args:
        glances: all frames that were looked at.
        settings: how to choose.

    Returns:
        In the order of choice; fewer than the budget where others only repeat them.

    Raises:
        MiningError: no frame at all, or a budget below 1.
    """
    if settings.budget < 1:
        raise MiningError(f"a budget of {settings.budget} frames chooses nothing; expected 1 or more")
    if not glances:
        raise MiningError("there is no frame to choose from: not one could be read")
    weights = np.array([glance.information for glance in glances])
    recordings = np.array([glance.origin for glance in glances])
    vectors, times = np.stack([glance.vector for glance in glances]), _seconds(glances)
    apart = {"apart_s": settings.apart_s, "alike": settings.alike}
    kept = np.flatnonzero(distinct(vectors, weights, times, recordings, **apart))
    order = kept[representatives(vectors[kept], np.sqrt(weights[kept]), settings.budget)]
    usual = float(np.median(weights))
    picks = [Pick(glances[k], rank, _score(weights[k], usual)) for rank, k in enumerate(order.tolist(), 1)]
    return _named_once(picks)


def _seconds(glances: Sequence[Glance]) -> np.ndarray:
    """(n,) float64 from the first frame of each recording on: nanoseconds since 1970 are too long for a float."""
    starts: dict[int, int] = {}
    found = np.full(len(glances), np.nan)
    for k, glance in enumerate(glances):
        if glance.stamp_ns is not None:
            found[k] = (glance.stamp_ns - starts.setdefault(glance.origin, glance.stamp_ns)) / 1e9
    return found


def _score(weight: float, usual: float) -> float:
    return float(weight / (weight + usual)) if weight > 0 else 0.0


def _named_once(picks: Sequence[Pick]) -> list[Pick]:
    """Names that are file names everywhere, each once, upper and lower case alike."""
    taken: set[str] = set()
    found = []
    for pick in picks:
        name = base = pick.glance.name.translate(_FORBIDDEN).strip(" .") or "frame"
        number = 2
        while name.casefold() in taken:
            name, number = f"{base} {number}", number + 1
        taken.add(name.casefold())
        found.append(replace(pick, glance=replace(pick.glance, name=name)))
    return found
