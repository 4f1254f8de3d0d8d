"""Class maps of every shape and texture on which a labelling may go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

NO_CLASS = 255


def random_maps(seed: int, count: int, largest: tuple[int, int] = (300, 400)) -> Iterator[np.ndarray]:
    """``count`` maps (H, W) uint8 from 1x1 to ``largest``, of one to 255 classes; the same for the same seed.

    All drawings of :data:`DRAWINGS` take turns. A third of the maps has pixels without a class (255).
    """
    rng = np.random.default_rng(seed)
    drawings = list(DRAWINGS.values())
    for index in range(count):
        height, width = (int(np.exp(rng.uniform(0, np.log(most + 1)))) for most in largest)
        classes = drawings[index % len(drawings)](height, width, rng)
        if rng.random() < 1 / 3:
            classes[rng.random(classes.shape) < rng.choice([0.02, 0.2, 0.5])] = NO_CLASS
        yield classes


def noise(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Every pixel by itself, of one to 255 classes: small values draw long winding components."""
    q = int(rng.choice([1, 2, 2, 3, 5, 19, 255]))
    return rng.integers(0, q, (height, width), dtype=np.uint8)


def blocks(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    size, q = int(rng.integers(2, 40)), int(rng.choice([2, 4, 19, 255]))
    small = rng.integers(0, q, (-(-height // size), -(-width // size)), dtype=np.uint8)
    return np.repeat(np.repeat(small, size, 0), size, 1)[:height, :width].copy()


def one_segment(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return np.full((height, width), rng.integers(0, NO_CLASS), np.uint8)


def specks(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Every pixel is a component."""
    y, x = np.indices((height, width))
    return (y % 2 * 2 + x % 2 + rng.integers(0, NO_CLASS - 4)).astype(np.uint8)


def checkerboard(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Two components that cross each other in every pixel; with wider fields, and 255 for one of them, also one."""
    size = int(rng.integers(1, 4))
    y, x = np.indices((height, width)) // size
    return np.where((y + x) % 2, rng.choice([1, NO_CLASS]), 0).astype(np.uint8)


def comb(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Teeth joined on one side only, turned at random: joined at the bottom, numbers meet at the very end."""
    turns = int(rng.integers(0, 4))
    tall, wide = (width, height) if turns % 2 else (height, width)
    classes = np.broadcast_to(np.arange(wide) % 2, (tall, wide)).astype(np.uint8)
    classes[-1] = 0
    return np.rot90(classes, turns).copy()


def diagonals(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Lines that are joined by corners alone, falling or rising."""
    y, x = np.indices((height, width))
    return ((x + rng.choice([-1, 1]) * y) % int(rng.integers(2, 7))).astype(np.uint8)


def spiral(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A path of one pixel's width from the rim to the middle, between walls of its own width."""
    classes = np.ones((height, width), np.uint8)
    y, x, down, right = 0, 0, 0, 1
    classes[0, 0] = 0
    turns = 0
    while turns < 2:
        ahead = classes[max(y + 2 * down, 0) : y + 2 * down + 1, max(x + 2 * right, 0) : x + 2 * right + 1]
        inside = 0 <= y + down < height and 0 <= x + right < width
        if inside and (not ahead.size or ahead[0, 0]) and classes[y + down, x + right]:
            y, x, turns = y + down, x + right, 0
            classes[y, x] = 0
        else:
            down, right, turns = right, -down, turns + 1
    return np.rot90(classes, 2 * int(rng.integers(0, 2))).copy()


DRAWINGS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    draw.__name__: draw for draw in (noise, spiral, blocks, comb, one_segment, checkerboard, specks, diagonals)
}
