"""What a frame is like, as a vector: frames of the same scene lie close together."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.types import LogitMaps, UncertaintyMaps


def likeness(answer: LogitMaps, maps: UncertaintyMaps, classes: int) -> np.ndarray:
    """The frame as a vector of length 1: what the last layer of the network sees, averaged over the image.

    A network that does not show the input of its last layer gives the root of the share of each class and of the
    pixels without one, so that the distance of two frames is Hellinger's, times √2.

    Args:
        answer: of the network.
        maps: made from it, on the host.
        classes: number of classes of the network.

    Returns:
        (D,) float32, or (classes + 1,) without features; features that are not finite count as 0.
    """
    if answer.features is not None:
        return _unit(answer.features.float().mean((1, 2)).nan_to_num(0, 0, 0).cpu().numpy())
    seen = np.bincount(np.minimum(maps.classes.numpy().ravel(), classes), minlength=classes + 1)
    return _unit(np.sqrt(seen / max(seen.sum(), 1)))


def _unit(vector: np.ndarray) -> np.ndarray:
    """A vector (n,) of length 1; zeros stay zeros."""
    length = float(np.linalg.norm(vector))
    return (vector / length if length else vector).astype(np.float32)
