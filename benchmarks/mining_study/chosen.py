"""The images of a pool that are chosen: by ``trust-seg mine``'s rule, or at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from trust_seg_ros.meta.shipped import shipped_meta
from trust_seg_ros.mining.choice import distances
from trust_seg_ros.mining.origins import open_origin
from trust_seg_ros.mining.selection import SelectionSettings, select
from trust_seg_ros.mining.survey import Glance, Surveyor, survey

NETWORK = "embedded:synthetic"
"""Has seen drawn streets only."""


def glances(data: Path, split: str, table: Path) -> list[Glance]:
    """What the first pass keeps of every image; a second call reads it from the table."""
    pipeline = Surveyor.load(NETWORK, device="cpu")
    assert shipped_meta(NETWORK, "segments") is not None
    origin = open_origin(str(data), split=split)
    return survey(pipeline, [origin], table, {"network": NETWORK})


def mined(pool: list[Glance], number: int, seed: int, alike: float = SelectionSettings.alike) -> list[str]:
    """Names of the chosen: by the command itself for seed 0, else of a random nine tenths of the images."""
    part = pool
    if seed:
        order = np.random.default_rng(seed).permutation(len(pool))
        part = [pool[k] for k in sorted(order[: round(0.9 * len(pool))])]
    return [pick.glance.name for pick in select(part, SelectionSettings(number, alike=alike))]


def unweighted(pool: list[Glance], number: int, seed: int) -> list[str]:
    """As :func:`mined`, but what there is to learn plays no part."""
    return mined([replace(glance, information=1.0) for glance in pool], number, seed)


def k_centre(pool: list[Glance], number: int, seed: int) -> list[str]:
    """Names of the chosen of information · distance to the nearest chosen one (Sener and Savarese, ICLR 2018)."""
    weights, vectors = np.array([g.information for g in pool]), np.stack([g.vector for g in pool])
    chosen = [int(np.argsort(-weights, kind="stable")[seed])]
    while len(chosen) < number:
        nearest = np.min([distances(vectors, vectors[k]) for k in chosen], axis=0)
        chosen.append(int(np.argmax(weights * nearest)))
    return [pool[k].name for k in chosen]


def most_informative(pool: list[Glance], number: int, seed: int) -> list[str]:
    """Names of the images of the most information, however alike they are; the same for every seed."""
    weights = np.array([glance.information for glance in pool])
    return [pool[k].name for k in np.argsort(-weights, kind="stable")[:number]]


def at_random(pool: list[Glance], number: int, seed: int) -> list[str]:
    """Names of images drawn evenly."""
    return [pool[k].name for k in np.random.default_rng(seed).permutation(len(pool))[:number]]


WAYS: dict[str, Callable[[list[Glance], int, int], list[str]]] = {
    "mined": mined,
    "unweighted": unweighted,
    "k_centre": k_centre,
    "informative": most_informative,
    "random": at_random,
}
"""Name -> images, number and seed to names."""
