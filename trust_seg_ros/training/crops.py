"""Crops of fine-tuning: the published ones, and stronger ones."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.training.augment import random_crop
from trust_seg_ros.types import UNLABELLED

AUGMENTATIONS = ("published", "strong")
"""A random crop, mirrored half of the time; and the same with zoom, a slight turn and other colours."""
STRONG_ZOOM = (0.75, 1.5)

Size = tuple[int, int]


def crop_size(wished: Size, spec: InputSpec) -> Size:
    """(h, w) of the crops: the wanted size, but no larger than the network's input, in multiples of its stride."""
    limits = spec.size or wished
    height, width = (max(min(w, n) // spec.stride, 1) * spec.stride for w, n in zip(wished, limits, strict=True))
    return height, width


def as_seen(image: np.ndarray, codes: np.ndarray, spec: InputSpec) -> tuple[np.ndarray, np.ndarray]:
    """Image and codes, scaled to the network's input unless that is as the image."""
    height, width = spec.size_for((image.shape[0], image.shape[1]))
    if (spec.size is None and spec.edges is None) or image.shape[:2] == (height, width):
        return image, codes
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return image, cv2.resize(codes, (width, height), interpolation=cv2.INTER_NEAREST)


def cropped(
    image: np.ndarray, codes: np.ndarray, size: Size, rng: np.random.Generator, augmentation: str
) -> tuple[np.ndarray, np.ndarray]:
    """A random crop, mirrored half of the time.

    Args:
        image: (H, W, 3) uint8.
        codes: (H, W) uint8.
        size: (h, w) of the crop.
        rng: source of all randomness.
        augmentation: ``published``: nothing else. ``strong``: zoomed and slightly turned, too.

    Returns:
        (h, w, 3) uint8 and (h, w) uint8; beyond the image codes are 255 and the image is mirrored.
    """
    if augmentation == "strong":
        return random_crop(image, codes, size, rng, STRONG_ZOOM)
    (h, w), (big_h, big_w) = size, codes.shape
    missing_h, missing_w = max(h - big_h, 0), max(w - big_w, 0)
    if missing_h or missing_w:
        image = cv2.copyMakeBorder(image, 0, missing_h, 0, missing_w, cv2.BORDER_REFLECT)
        codes = cv2.copyMakeBorder(codes, 0, missing_h, 0, missing_w, cv2.BORDER_CONSTANT, value=UNLABELLED)
    top = int(rng.integers(codes.shape[0] - h + 1))
    left = int(rng.integers(codes.shape[1] - w + 1))
    image, codes = image[top : top + h, left : left + w], codes[top : top + h, left : left + w]
    if rng.random() < 0.5:
        image, codes = image[:, ::-1], codes[:, ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(codes)
