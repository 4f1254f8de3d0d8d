"""Errors made on purpose in labels, to learn from them what a label error looks like to a network.

Three kinds, as annotators make them: a segment gets another class (``swapped``), an object is left out (``missing``),
the border of a segment lies elsewhere (``shifted``). What is changed is drawn without looking at the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.types import UNLABELLED

KINDS = ("swapped", "missing", "shifted")
SMALLEST = 1 / 1000
"""Pixels that an error changes at least, as a share of the image (173 at 480×360)."""
LARGEST = 0.15
"""Share of the image that a segment may have whose class is swapped, or that is left out."""
_BORDERS = (0.01, 0.025)  # by which a border is shifted, as shares of the image's height; 4 to 9 pixels of 360
_TRIES = 40


@dataclass(frozen=True, eq=False)
class MadeError:
    """An error that was made.

    Attributes:
        kind: one of ``KINDS``.
        before: class that the labels said.
        after: class that they say now, on most of the changed pixels.
        changed: (H, W) bool, pixels whose label was changed.
    """

    kind: str
    before: int
    after: int
    changed: np.ndarray


def make_errors(truth: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, list[MadeError]]:
    """Change labels in up to ``count`` places, which do not overlap.

    Args:
        truth: (H, W) uint8 labels, 255 = no class.
        count: number of errors wanted; fewer where the image has no fitting segments.
        rng: source of chance.

    Returns:
        New labels (H, W) uint8, and the errors.
    """
    labels, made = truth.copy(), []
    taken = np.zeros(truth.shape, bool)
    for number in rng.permutation(count):
        error = make_error(truth, KINDS[number % len(KINDS)], rng, taken)
        if error is None:
            continue
        new, found = error
        labels[found.changed] = new[found.changed]
        taken |= cv2.dilate(found.changed.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
        made.append(found)
    return labels, made


def make_error(
    truth: np.ndarray, kind: str, rng: np.random.Generator, taken: np.ndarray
) -> tuple[np.ndarray, MadeError] | None:
    """Labels with one error of a kind, away from the pixels ``taken``; None if no try fits."""
    found = find_components(truth)
    least = max(SMALLEST * truth.size, 1)
    fitting = np.flatnonzero((found.sizes >= least) & ((found.sizes <= LARGEST * truth.size) | (kind == "shifted")))
    if not len(fitting):
        return None
    for _ in range(_TRIES):
        chosen = int(rng.choice(fitting))
        before, inside = int(found.class_ids[chosen]), found.ids == chosen + 1
        new = _MAKERS[kind](truth, inside, before, rng)
        changed = (new != truth) & (truth != UNLABELLED) & (new != UNLABELLED)
        if changed.sum() >= least and not (changed & taken).any():
            after = int(np.bincount(new[changed]).argmax())
            return np.where(changed, new, truth), MadeError(kind, before, after, changed)
    return None


def _swapped(truth: np.ndarray, inside: np.ndarray, before: int, rng: np.random.Generator) -> np.ndarray:
    """The segment as another class that the image holds."""
    others = [int(c) for c in np.unique(truth) if c not in (before, UNLABELLED)]
    return np.where(inside, np.uint8(rng.choice(others)), truth) if others else truth


def _missing(truth: np.ndarray, inside: np.ndarray, before: int, rng: np.random.Generator) -> np.ndarray:
    """Its pixels with the nearest label around it that is another class."""
    return filled(truth, inside, (truth != UNLABELLED) & (truth != before))


def _shifted(truth: np.ndarray, inside: np.ndarray, before: int, rng: np.random.Generator) -> np.ndarray:
    """The segment larger, smaller, or moved."""
    low, high = (share * truth.shape[0] for share in _BORDERS)
    width = max(round(rng.uniform(low, high)), TOO_NARROW)
    kernel, area = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1)), inside.astype(np.uint8)
    how = rng.integers(3)
    if how == 0:
        return np.where(cv2.dilate(area, kernel).astype(bool), np.uint8(before), truth)
    if how == 1:
        return filled(truth, inside & ~cv2.erode(area, kernel).astype(bool), (truth != UNLABELLED) & ~inside)
    angle = rng.uniform(0, 2 * np.pi)
    step = np.array([[1, 0, 1.5 * width * np.cos(angle)], [0, 1, 1.5 * width * np.sin(angle)]], np.float32)
    moved = cv2.warpAffine(area, step, truth.shape[::-1], flags=cv2.INTER_NEAREST).astype(bool)
    return np.where(moved, np.uint8(before), filled(truth, inside & ~moved, (truth != UNLABELLED) & ~inside))


TOO_NARROW = 3
"""Pixels by which a border is shifted at least."""
_MAKERS = {"swapped": _swapped, "missing": _missing, "shifted": _shifted}


def filled(truth: np.ndarray, hole: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Labels with the pixels of ``hole`` taken from the nearest pixel of ``source``; unchanged if there is none."""
    if not source.any():
        return truth
    mask = (~source).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(mask, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    values = np.zeros(int(nearest.max()) + 1, np.uint8)
    values[nearest[source]] = truth[source]
    return np.where(hole, values[nearest], truth)
