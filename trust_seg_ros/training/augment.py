"""Random crops and colours for training, in OpenCV and NumPy."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.types import UNLABELLED


def random_crop(
    image: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    rng: np.random.Generator,
    scale: tuple[float, float],
    rare: tuple[int, ...] = (),
    rare_share: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """A randomly scaled, mirrored, slightly turned crop of an image and its labels.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W) uint8.
        size: (h, w) of the crop.
        rng: source of all randomness.
        scale: range of the zoom, drawn log-uniformly.
        rare: classes to centre some crops on, if the image contains one.
        rare_share: share of the crops that are centred on a rare class.

    Returns:
        (h, w, 3) uint8 and (h, w) uint8; outside the image the labels are 255 and the image is reflected.
    """
    (h, w), (big_h, big_w) = size, labels.shape
    zoom = float(np.exp(rng.uniform(np.log(scale[0]), np.log(scale[1]))))
    half_h, half_w = h / zoom / 2, w / zoom / 2
    cy = rng.uniform(half_h, big_h - half_h) if big_h > 2 * half_h else big_h / 2
    cx = rng.uniform(half_w, big_w - half_w) if big_w > 2 * half_w else big_w / 2
    if rare and rng.random() < rare_share:
        rows, cols = np.nonzero(np.isin(labels, rare))
        if rows.size:
            pick = rng.integers(rows.size)
            cy = float(np.clip(rows[pick], half_h, max(big_h - half_h, half_h)))
            cx = float(np.clip(cols[pick], half_w, max(big_w - half_w, half_w)))
    turn = np.deg2rad(rng.normal(0, 2.0))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    c, s = zoom * np.cos(turn), zoom * np.sin(turn)
    matrix = np.array([[mirror * c, -mirror * s, 0], [s, c, 0]])
    matrix[:, 2] = np.array([w / 2, h / 2]) - matrix[:, :2] @ np.array([cx, cy])
    image = cv2.warpAffine(image, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    labels = cv2.warpAffine(
        labels, matrix, (w, h), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=UNLABELLED
    )
    return image, labels


def jitter_colours(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random brightness, contrast, gamma, colour cast, saturation, sometimes blur or noise; uint8 in and out."""
    levels = np.linspace(0, 1, 256, dtype=np.float32)[:, None] ** np.exp(rng.normal(0, 0.25))
    levels = levels * np.exp(rng.normal(0, 0.08, 3))
    middle = float(levels[int(image[::4, ::4].mean())].mean())
    levels = (levels - middle) * np.exp(rng.normal(0, 0.25)) + middle + rng.normal(0, 0.08)
    table = (np.clip(levels, 0, 1) * 255 + 0.5).astype(np.uint8)
    image = cv2.LUT(image, table[None])
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    saturation = float(rng.uniform(0.2, 1.6))
    image = cv2.addWeighted(image, saturation, gray, 1 - saturation, 0)
    kind = rng.random()
    if kind < 0.12:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4)))
    elif kind < 0.3:
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(255 * rng.uniform(0.01, 0.06))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return image
