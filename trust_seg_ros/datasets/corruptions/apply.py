"""``corrupt``: one image, one corruption."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from trust_seg_ros.datasets.corruptions.defocus import defocus
from trust_seg_ros.datasets.corruptions.fog import fog
from trust_seg_ros.datasets.corruptions.low_contrast import low_contrast
from trust_seg_ros.datasets.corruptions.motion_blur import motion_blur
from trust_seg_ros.datasets.corruptions.names import Corruption, CorruptionError
from trust_seg_ros.datasets.corruptions.night import night
from trust_seg_ros.datasets.corruptions.over_exposure import over_exposure
from trust_seg_ros.datasets.corruptions.rain import rain

Family = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
"""(image (H, W, 3) uint8, severity - 1, generator) -> image (H, W, 3) uint8."""

FAMILIES: dict[str, Family] = {
    "night": night,
    "fog": fog,
    "rain": rain,
    "motion_blur": motion_blur,
    "defocus": defocus,
    "low_contrast": low_contrast,
    "over_exposure": over_exposure,
}
LEAST_SIDE = 16


def corrupt(image: np.ndarray, kind: str, severity: int = 3, seed: int = 0, name: str = "") -> np.ndarray:
    """A corrupted copy of an image; docs/corruptions.md has formulas and parameters.

    Everything random (noise, fog banks, streaks, directions) depends only on seed, kind and name: the five severities
    of an image show the same rain falling harder, and other images show other rain.

    Args:
        image: (H, W, 3) uint8 RGB, both sides at least 16; may be strided and read-only.
        kind: one of ``CORRUPTIONS``.
        severity: 1 (hardly noticeable) to 5 (severe).
        seed: from 0.
        name: of the image.

    Returns:
        (H, W, 3) uint8 RGB, a new array; the same bytes for the same arguments.

    Raises:
        CorruptionError: unknown kind or severity, or an image of another shape, type or size.
    """
    wish = Corruption(kind, severity, seed)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        what = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
        raise CorruptionError(f"image is {what}; expected (H, W, 3) uint8 RGB")
    if min(image.shape[:2]) < LEAST_SIDE:
        raise CorruptionError(
            f"image of {image.shape[1]}x{image.shape[0]} pixels; expected at least {LEAST_SIDE}x{LEAST_SIDE}: "
            f"{kind} would not be recognisable"
        )
    return FAMILIES[kind](np.ascontiguousarray(image), severity - 1, _generator(wish, name))


def _generator(wish: Corruption, name: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{wish.seed}\0{wish.kind}\0{name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
