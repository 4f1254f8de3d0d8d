"""The images of a pool that are chosen: by ``trust-seg mine``'s rule, or at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trust_seg_ros.meta.shipped import shipped_meta
from trust_seg_ros.mining.choice import k_centre
from trust_seg_ros.mining.origins import open_origin
from trust_seg_ros.mining.survey import Glance, Surveyor, survey

NETWORK = "embedded:synthetic"
"""Has seen drawn streets only."""


def glances(data: Path, split: str, table: Path) -> list[Glance]:
    """What the first pass keeps of every image; a second call reads it from the table."""
    pipeline = Surveyor.load(NETWORK, device="cpu")
    assert shipped_meta(NETWORK, "segments") is not None
    origin = open_origin(str(data), split=split)
    return survey(pipeline, [origin], table, {"network": NETWORK})


def mined(pool: list[Glance], number: int, seed: int, power: float = 1.0) -> list[str]:
    """Names of the chosen; seed k begins with the image of the (k + 1)th most information, as 0 does in the command.

    Args:
        pool: images to choose from.
        number: how many.
        seed: 0 or more.
        power: of the information: 1 as in the command, 0 = what is alike alone decides.
    """
    weights = np.array([glance.information for glance in pool])
    first = int(np.argsort(-weights, kind="stable")[seed])
    vectors = np.stack([glance.vector for glance in pool])
    return [pool[k].name for k in k_centre(vectors, weights**power, number, first=first)]


def most_informative(pool: list[Glance], number: int) -> list[str]:
    """Names of the images of the most information, however alike they are."""
    weights = np.array([glance.information for glance in pool])
    return [pool[k].name for k in np.argsort(-weights, kind="stable")[:number]]


def at_random(pool: list[Glance], number: int, seed: int) -> list[str]:
    """Names of images drawn evenly."""
    return [pool[k].name for k in np.random.default_rng(seed).permutation(len(pool))[:number]]
