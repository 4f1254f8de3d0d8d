"""Crops of fine-tuning: the published ones, stronger ones, and objects pasted into street scenes."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.training.augment import random_crop
from trust_seg_ros.training.ood_losses import OOD
from trust_seg_ros.training.ood_sources import OodImage
from trust_seg_ros.types import UNLABELLED

AUGMENTATIONS = ("published", "strong")
"""A random crop, mirrored half of the time; and the same with zoom, a slight turn and other colours."""
STRONG_ZOOM = (0.75, 1.5)
SMALLEST_OBJECT = 64
"""Objects with fewer pixels are not worth pasting."""

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


def cut_object(source: OodImage, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray] | None:
    """One connected out-of-distribution object of an image, drawn at random.

    Returns:
        (h, w, 3) uint8 and its mask (h, w) bool, both cut to its box; None when no object has 64 pixels.
    """
    count, ids, boxes, _ = cv2.connectedComponentsWithStats((source.truth == 1).astype(np.uint8), connectivity=8)
    large = [i for i in range(1, count) if boxes[i, cv2.CC_STAT_AREA] >= SMALLEST_OBJECT]
    if not large:
        return None
    chosen = large[int(rng.integers(len(large)))]
    left, top, width, height = boxes[chosen, :4]
    box = slice(top, top + height), slice(left, left + width)
    return source.image[box], ids[box] == chosen


def paste(
    image: np.ndarray, codes: np.ndarray, cut: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Paste an object of :func:`cut_object` somewhere into an image, zoomed by 1/2 to 2, at most half as high and wide.

    The object's pixels get the code ``OOD``, all others keep theirs. Its edge is blended over about a pixel.
    """
    patch, mask = cut
    height, width = codes.shape
    zoom = float(np.exp(rng.uniform(np.log(0.5), np.log(2.0))))
    zoom = min(zoom, 0.5 * height / mask.shape[0], 0.5 * width / mask.shape[1])
    h, w = (max(1, round(n * zoom)) for n in mask.shape)
    patch = cv2.resize(patch, (w, h), interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    share = cv2.resize(mask.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        patch, share = patch[:, ::-1], share[:, ::-1]
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    box = slice(top, top + h), slice(left, left + w)
    image, codes = image.copy(), codes.copy()
    alpha = cv2.GaussianBlur(share, (3, 3), 0)[..., None] * (share > 0)[..., None]
    image[box] = np.round(image[box] * (1 - alpha) + patch * alpha).astype(np.uint8)
    codes[box][share >= 0.5] = OOD
    return image, codes
