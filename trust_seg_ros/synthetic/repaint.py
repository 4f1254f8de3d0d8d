"""Other looks of a scene: every surface gets random colours and patterns, its shape and class stay.

A network that has seen the drive's own paint only takes it for the world's. Source of the idea: Tobin et al., "Domain
randomization for transferring deep neural networks from simulation to the real world", IROS 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trust_seg_ros.synthetic.patterns import PATTERNS, SIDE, UNSEEN_PATTERNS, VARIANTS, pattern
from trust_seg_ros.synthetic.settings import CLASS_NAMES, PAVEMENT, ROAD, SKY, TREE


@dataclass(frozen=True)
class Repaint:
    """How scenes are painted over.

    Attributes:
        share: share of the scenes painted over, in [0, 1].
        surfaces: share of a scene's classes painted over, in [0, 1].
        colour: spread of the colours, in [0, 1]; 0 = the drive's own, 1 = any.
        patterns: families of ``patterns.pattern`` in use.
        tiles: further patterns, (512, 512) uint8 of mean 128 and deviation 32, as ``patterns.tiles_of`` cuts them from
            photographs; where there are any, half of the surfaces get one of them.
    """

    share: float = 0.7
    surfaces: float = 0.5
    colour: float = 0.5
    patterns: tuple[str, ...] = PATTERNS
    tiles: tuple[np.ndarray, ...] = ()


TRAINING = Repaint()
UNSEEN = Repaint(1.0, 0.8, 0.6, UNSEEN_PATTERNS)
"""To judge by: every scene painted over, with patterns that training never uses."""


def repainted(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, how: Repaint = TRAINING) -> np.ndarray:
    """The scene in other colours and patterns.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 class ids, 255 = no class; such pixels are kept as they are.
        rng: source of all randomness.
        how: how strongly.

    Returns:
        (H, W, 3) uint8.
    """
    if rng.random() >= how.share:
        return image
    gains, shifts = np.ones((256, 3), np.float32), np.zeros((256, 3), np.float32)
    relief = np.zeros(labels.shape, np.float32)
    means = _means(image, labels)
    for c in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)[: len(CLASS_NAMES)]):
        if rng.random() >= how.surfaces:
            continue
        gains[c], shifts[c] = _colour(int(c), means[c], rng, how.colour)
        strength = float(np.exp(rng.uniform(np.log(0.02), np.log(0.35)))) * (0.15 if c == SKY else 1.0)
        mask = (labels == c).view(np.uint8)
        left, top, width, height = cv2.boundingRect(mask)
        box = slice(top, top + height), slice(left, left + width)
        tile = _laid((height, width), int(c) in (ROAD, PAVEMENT), rng, how)
        cv2.copyTo((tile.astype(np.float32) - 128) * np.float32(strength / 32), mask[box], relief[box])
    triple = cv2.merge([labels] * 3)
    gain, shift = np.asarray(cv2.LUT(triple, gains[None])), np.asarray(cv2.LUT(triple, shifts[None]))
    if rng.random() < 0.7:  # soft seams: a hard one would give every outline away
        for soft in (gain, shift, relief):
            cv2.blur(soft, (3, 3), soft)
    cv2.multiply(gain, image, gain, 1.0, cv2.CV_32F)
    cv2.add(gain, shift, gain)
    relief += 1
    cv2.multiply(gain, cv2.merge([relief] * 3), gain)
    return cv2.convertScaleAbs(np.maximum(gain, 0, out=gain))


def _means(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean colour of every class, (256, 3)."""
    small, ids = image[::4, ::4].reshape(-1, 3), labels[::4, ::4].ravel()
    count = np.maximum(np.bincount(ids, minlength=256), 1)
    return np.stack([np.bincount(ids, small[:, k], minlength=256) / count for k in range(3)], 1)


def _colour(c: int, mean: np.ndarray, rng: np.random.Generator, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Gain and shift per colour channel that turn the mean colour of a class into another."""
    wild = rng.uniform(15, 240, 3)
    if c == TREE:  # what grows is green to brown nearly everywhere
        wild = rng.uniform(25, 170) * np.array([rng.uniform(0.6, 1.25), 1.0, rng.uniform(0.25, 0.85)])
    elif c == SKY:
        wild = rng.uniform(120, 255) * np.array([rng.uniform(0.6, 1.05), rng.uniform(0.8, 1.02), 1.0])
    elif c in (ROAD, PAVEMENT):
        wild = rng.uniform(40, 225) * np.exp(rng.normal(0, 0.07, 3))
    weight = rng.uniform(0, 1) ** (1 / max(2 * spread, 1e-3))
    target = mean + (wild - mean) * weight
    contrast = float(np.exp(rng.uniform(-0.7, 0.7)))
    return np.float32(contrast), np.asarray(target - contrast * mean, np.float32)


def _laid(size: tuple[int, int], ground: bool, rng: np.random.Generator, how: Repaint) -> np.ndarray:
    """A pattern laid over a box, (h, w) uint8: flat, or for ground in perspective, its horizon above the first row."""
    if how.tiles and rng.random() < 0.5:
        tile = how.tiles[int(rng.integers(len(how.tiles)))]
    else:
        tile = pattern(str(rng.choice(how.patterns)), int(rng.integers(VARIANTS)))
    height, width = size
    zoom = float(np.exp(rng.uniform(np.log(0.3), np.log(2.5))))
    if not ground:
        turn = rng.normal(0, 0.15) if rng.random() < 0.7 else rng.uniform(0, 6.3)
        a, b = np.cos(turn) / zoom, np.sin(turn) / zoom
        matrix = np.array([[a, -b, rng.uniform(0, SIDE)], [b, a, rng.uniform(0, SIDE)]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(tile, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_WRAP)
    below = (np.arange(height, dtype=np.float32)[:, None] + 4) / max(height, 40)
    cols = np.arange(width, dtype=np.float32)[None] / width - np.float32(rng.uniform(0.3, 0.7))
    scale = np.float32(120 / zoom)
    across = (cols / below * scale) % SIDE
    along = np.broadcast_to(scale / below * np.float32(rng.uniform(0.5, 1.5)) % SIDE, size)
    return cv2.remap(tile, across, np.ascontiguousarray(along), cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
