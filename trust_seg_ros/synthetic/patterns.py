"""Random patterns in shades of grey, made from a seed: what surfaces of the drive are painted over with in training."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from trust_seg_ros.synthetic.textures import fractal

SIDE = 512
VARIANTS = 10
"""Patterns of each family."""


def _noise(rng: np.random.Generator) -> np.ndarray:
    return fractal(SIDE, SIDE, int(2 ** rng.integers(2, 8)), int(rng.integers(1, 7)), rng)


def _bricks(rng: np.random.Generator) -> np.ndarray:
    high, wide = int(2 ** rng.integers(3, 6)), int(2 ** rng.integers(4, 7))
    rows, cols = np.mgrid[0:SIDE, 0:SIDE]
    row = rows // high
    col = (cols + row % 2 * (wide // 2)) % SIDE // wide
    tones = rng.standard_normal((SIDE // high, SIDE // wide))
    joint = (rows % high < max(1, high // 8)) | ((cols + row % 2 * (wide // 2)) % wide < max(1, high // 8))
    return np.where(joint, rng.uniform(-3, 3), tones[row, col]) + 0.4 * _noise(rng)


def _leaves(rng: np.random.Generator) -> np.ndarray:
    tile = np.full((SIDE, SIDE), -2.0, np.float32)
    size = rng.uniform(2, 9)
    for tone in np.linspace(-1.5, 1.5, 7):
        for x, y in rng.integers(0, SIDE, (int(9000 / size**1.5), 2)):
            axes = (max(1, int(size * rng.uniform(0.5, 1.4))), max(1, int(size * rng.uniform(0.3, 0.8))))
            shade = float(tone + rng.normal(0, 0.4))
            cv2.ellipse(tile, (int(x), int(y)), axes, rng.uniform(0, 180), 0, 360, shade, -1)
    return tile + 0.8 * fractal(SIDE, SIDE, 64, 2, rng)


def _grain(rng: np.random.Generator) -> np.ndarray:
    tile = fractal(SIDE, SIDE, 4, 3, rng) + fractal(SIDE, SIDE, 128, 3, rng)
    for _ in range(int(rng.integers(0, 12))):
        steps = rng.normal(0, 6, (24, 2)) + rng.normal(0, 6, 2)
        line = np.rint(np.cumsum(steps, 0) + rng.integers(0, SIDE, 2)).astype(np.int32)
        cv2.polylines(tile, [line], False, float(rng.uniform(-5, -1)), int(rng.integers(1, 4)))
    return tile


def _panes(rng: np.random.Generator) -> np.ndarray:
    high, wide = (int(2 ** rng.integers(4, 8)) for _ in range(2))
    rows, cols = np.mgrid[0:SIDE, 0:SIDE]
    top, left = rng.uniform(0.15, 0.45, 2)
    inside = (rows % high > top * high) & (cols % wide > left * wide)
    panes = rng.normal(0, 1.0, (SIDE // high, SIDE // wide))[rows // high, cols // wide] + rng.uniform(-3, 3)
    return np.where(inside, panes, 0.0) + 0.3 * _noise(rng)


def _stripes(rng: np.random.Generator) -> np.ndarray:
    rows, cols = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) * (2 * np.pi / SIDE)
    a, b = rng.integers(-24, 25, 2)
    wave = np.sin(a * rows + b * cols + rng.uniform(0, 1.5) * fractal(SIDE, SIDE, 128, 3, rng))
    return (np.sign(wave) if rng.random() < 0.5 else wave) + 0.2 * _noise(rng)


def _marble(rng: np.random.Generator) -> np.ndarray:
    return np.sin(rng.uniform(2, 6) * fractal(SIDE, SIDE, int(2 ** rng.integers(5, 8)), 5, rng))


def _cells(rng: np.random.Generator) -> np.ndarray:
    count = int(2 ** rng.integers(6, 11))
    seeds = np.full((SIDE, SIDE), 255, np.uint8)
    seeds[tuple(rng.integers(0, SIDE, (2, count)))] = 0
    away, owner = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5)
    tones = rng.standard_normal(int(owner.max()) + 1)
    return tones[owner] - rng.uniform(0, 2) * away / max(float(away.mean()), 1e-3)


_FAMILIES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "noise": _noise, "bricks": _bricks, "leaves": _leaves, "grain": _grain, "panes": _panes, "stripes": _stripes,
    "marble": _marble, "cells": _cells,
}  # fmt: skip
PATTERNS = tuple(_FAMILIES)[:6]
"""Families to train with."""
UNSEEN_PATTERNS = tuple(_FAMILIES)[6:]
"""Families kept out of training, to judge by."""


@lru_cache(VARIANTS * len(_FAMILIES))
def pattern(family: str, variant: int) -> np.ndarray:
    """A pattern, (512, 512) uint8 of mean 128 and deviation 32; read-only."""
    return _even(_FAMILIES[family](np.random.default_rng([71, list(_FAMILIES).index(family), variant])))


def _even(tile: np.ndarray) -> np.ndarray:
    tile = (tile - tile.mean()) / max(float(tile.std()), 1e-6)
    out = np.clip(128 + 32 * tile, 0, 255).astype(np.uint8)
    out.setflags(write=False)
    return out


def tiles_of(photograph: np.ndarray, rng: np.random.Generator, count: int = 4) -> list[np.ndarray]:
    """Patterns cut from a photograph: what real surfaces look like, whatever they are.

    Args:
        photograph: (H, W, 3) uint8 RGB, 2x2 pixels or more.
        rng: source of all randomness.
        count: number of patterns.

    Returns:
        ``count`` patterns as ``pattern`` makes them: squares of a quarter to the whole of the shorter side, in shades
        of grey, without what is wider than half of them, mirrored so that they tile without seams; read-only.
    """
    grey = cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY).astype(np.float32)
    shorter, half, tiles = min(grey.shape), SIDE // 2, []
    for _ in range(count):
        side = max(2, int(shorter * rng.uniform(0.25, 1.0)))
        top, left = (int(rng.integers(n - side + 1)) for n in grey.shape)
        cut = cv2.resize(grey[top : top + side, left : left + side], (half, half), interpolation=cv2.INTER_AREA)
        # shading of the whole square is a scene, not a surface
        square = np.asarray(cut - cv2.GaussianBlur(cut, (0, 0), half / 4), np.float32)
        tiles.append(_even(np.block([[square, square[:, ::-1]], [square[::-1], square[::-1, ::-1]]])))
    return tiles
