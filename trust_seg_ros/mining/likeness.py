"""What a frame is like, as a vector: frames of the same scene lie close together."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.types import LogitMaps, UncertaintyMaps


def likeness(answer: LogitMaps, maps: UncertaintyMaps, classes: int) -> np.ndarray:
    """The frame as a vector of length 1: half of it what the network's last layer sees, half the classes it finds.

    The first half is the mean over the image of the input of the last convolution; networks that do not show it have
    only the second half, the root of the share of each class and of the pixels without one (so that the distance is
    Hellinger's). Both halves have the same length, so that neither decides alone.

    Args:
        answer: of the network.
        maps: made from it, on the host.
        classes: number of classes of the network.

    Returns:
        (D + classes + 1,) float32, or (classes + 1,) without features; features that are not finite count as 0.
    """
    seen = np.bincount(np.minimum(maps.classes.numpy().ravel(), classes), minlength=classes + 1)
    halves = [np.sqrt(seen / max(seen.sum(), 1))]
    if answer.features is not None:
        halves.insert(0, answer.features.float().mean((1, 2)).nan_to_num(0, 0, 0).cpu().numpy())
    return unit(np.concatenate([unit(half) for half in halves])).astype(np.float32)


def unit(vector: np.ndarray) -> np.ndarray:
    """A vector (n,) of length 1; zeros stay zeros."""
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
