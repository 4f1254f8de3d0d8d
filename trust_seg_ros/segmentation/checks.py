"""Checks of a network's input and output."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from trust_seg_ros.segmentation.answers import what_else
from trust_seg_ros.segmentation.errors import ImageError, ModelOutputError
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.masks.queries import CONTRACT as MASKS
from trust_seg_ros.segmentation.masks.queries import MaskAnswerError, read_masks

CONTRACT = (
    "logits (1, q, h, w), or (logits, features), or a mapping or object with 'logits' or 'out' (and maybe 'features'); "
    f"or a mask network's {MASKS}"
)


def check_image(image: object) -> np.ndarray:
    """Return ``image`` unchanged if it is (H, W, 3) uint8 with at least one pixel.

    Raises:
        ImageError: it is not; the text says what was found.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(f"image is {type(image).__name__}; expected a NumPy array (H, W, 3) uint8 RGB")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(f"image has shape {image.shape} and type {image.dtype}; expected (H, W, 3) uint8 RGB")
    return image


def read_output(output: object) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Logits and features from the return value of a network's forward.

    Args:
        output: see ``CONTRACT``.

    Returns:
        logits (1, q, h, w) and features (1, D, h, w) or None; shapes are not checked here.

    Raises:
        MaskAnswerError: masks and the classes of each.
        ModelOutputError: anything else.
    """
    if (found := read_masks(output)) is not None:
        raise MaskAnswerError(
            f"the network answers with masks {tuple(found.masks.shape)} and the classes of each, "
            f"{tuple(found.classes.shape)}, where logits of each pixel are needed"
        )
    logits: object = output
    features: object = None
    if isinstance(output, (tuple, list)) and not hasattr(output, "_fields") and 1 <= len(output) <= 2:
        logits, features = output if len(output) == 2 else (output[0], None)
    elif isinstance(output, Mapping):
        logits, features = output.get("logits", output.get("out")), output.get("features")
    elif not isinstance(output, torch.Tensor):
        logits = getattr(output, "logits", getattr(output, "out", None))
        features = getattr(output, "features", None)
    if not isinstance(logits, torch.Tensor):
        held = f" with keys {', '.join(map(str, output))}" if isinstance(output, Mapping) else ""
        raise ModelOutputError(f"the network returned {type(output).__name__}{held}; expected {CONTRACT}")
    if features is not None and not isinstance(features, torch.Tensor):
        raise ModelOutputError(f"the network's features are {type(features).__name__}; expected a tensor or nothing")
    return logits, features


def check_logits(logits: torch.Tensor, labels: LabelSet, name: str, images: int = 1) -> None:
    """Check that logits are (images, q, h, w) floating point with q the number of labels.

    Raises:
        ModelOutputError: they are not; the text names both numbers of classes.
    """
    if logits.ndim != 4 or logits.shape[0] != images or 0 in logits.shape or not logits.is_floating_point():
        raise ModelOutputError(
            f"network {name!r} returned logits of shape {tuple(logits.shape)} and type {logits.dtype}; "
            f"expected ({images}, q, h, w) floating point for {f'{images} images' if images > 1 else 'one image'}"
            f"{what_else(logits, len(labels))}"
        )
    if logits.shape[1] != len(labels):
        raise ModelOutputError(
            f"network {name!r} tells {logits.shape[1]} classes apart but labels {labels.name!r} name {len(labels)}; "
            f"give the labels it was trained with{what_else(logits, len(labels))}"
        )


def check_features(features: torch.Tensor, logits: torch.Tensor, name: str, images: int = 1) -> None:
    """Check that features are (images, D, h, w) on the grid of the logits.

    Raises:
        ModelOutputError: they are not.
    """
    if features.ndim != 4 or features.shape[0] != images or features.shape[2:] != logits.shape[2:]:
        raise ModelOutputError(
            f"network {name!r} returned features of shape {tuple(features.shape)} with logits of shape "
            f"{tuple(logits.shape)}; expected ({images}, D, {logits.shape[2]}, {logits.shape[3]}), "
            "the last layer's input"
        )
