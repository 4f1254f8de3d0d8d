"""What light, lenses and codecs do to a picture, for training from scenes and for judging by them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np


def _hue(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mix the colour channels a little, as another sensor and white balance do."""
    mix = np.eye(3) + rng.normal(0, 0.12, (3, 3))
    mix /= mix.sum(1, keepdims=True)
    return cv2.transform(image, (mix * np.exp(rng.normal(0, 0.12, (3, 1)))).astype(np.float32))


def _light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light that changes smoothly over the picture."""
    high, wide = image.shape[:2]
    grid = np.exp(rng.normal(0, 0.3, (int(rng.integers(2, 5)), int(rng.integers(2, 5))))).astype(np.float32)
    field = cv2.resize(grid, (wide, high), interpolation=cv2.INTER_CUBIC)
    return np.clip(image * np.clip(field, 0.2, 2.5)[..., None], 0, 255).astype(np.uint8)


def _shadow(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One to three shadows with straight edges, soft or sharp."""
    high, wide = image.shape[:2]
    mask = np.full((high, wide), 255, np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        corners = (rng.uniform(0, 1, (4, 2)) * (wide, high)).astype(np.int32)
        cv2.fillConvexPoly(mask, cv2.convexHull(corners), int(255 * rng.uniform(0.35, 0.85)), cv2.LINE_AA)
    side = int(rng.choice([1, 3, 9, 21]))
    return cv2.multiply(image, cv2.merge([cv2.blur(mask, (side, side))] * 3), scale=1 / 255)


def _coarse(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As taken at a lower resolution."""
    high, wide = image.shape[:2]
    factor = float(rng.uniform(0.35, 0.9))
    small = cv2.resize(image, (max(8, int(wide * factor)), max(8, int(high * factor))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (wide, high), interpolation=cv2.INTER_LINEAR)


def _moved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurred by a moving camera."""
    length, angle = int(rng.integers(2, 8)), rng.uniform(0, np.pi)
    kernel = np.zeros((9, 9), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    (x0, y0), (x1, y1) = np.rint(4 - reach), np.rint(4 + reach)
    cv2.line(kernel, (int(x0), int(y0)), (int(x1), int(y1)), 1.0, 1)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _sharp(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sharpened, as cameras do."""
    amount = float(rng.uniform(0.3, 2.0))
    return cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.8, 2))), -amount, 0)


def _jpeg(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Compressed."""
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 85))])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))


_FAULTS: tuple[tuple[float, Callable[[np.ndarray, np.random.Generator], np.ndarray]], ...] = (
    (0.25, _hue), (0.35, _light), (0.3, _shadow), (0.2, _coarse), (0.1, _moved), (0.3, _sharp), (0.3, _jpeg),
)  # fmt: skip


def camera_faults(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some of: other colours, uneven light, shadows, low resolution, motion blur, sharpening, compression.

    Args:
        image: (H, W, 3) uint8 RGB.
        rng: source of all randomness.

    Returns:
        (H, W, 3) uint8.
    """
    for share, fault in _FAULTS:
        if rng.random() < share:
            image = fault(image, rng)
    return image
