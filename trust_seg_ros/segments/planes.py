"""Planes, that is maps (H, W), as the kernels need them: on the host, C-contiguous, of one type, writable.

To numba a read-only array is a different type, for which it would compile every kernel again in the middle of a drive.
"""

from __future__ import annotations

import numpy as np
import torch

from trust_seg_ros.segments.errors import MapShapeError
from trust_seg_ros.segments.labelling import check_classes


def to_host(values: np.ndarray | torch.Tensor) -> np.ndarray:
    """A tensor of any device as an array; an array is returned unchanged."""
    if not isinstance(values, torch.Tensor):
        return values
    host = values.detach().cpu()
    return (host.float() if host.dtype is torch.bfloat16 else host).numpy()  # NumPy has no bfloat16


def class_map(values: np.ndarray | torch.Tensor) -> np.ndarray:
    """A checked (H, W) uint8 class map; raises :class:`MapShapeError`."""
    return check_classes(to_host(values))


def float_plane(values: np.ndarray | torch.Tensor, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A (H, W) float32 map; raises :class:`MapShapeError` if it has another shape."""
    array = np.require(to_host(values), np.float32, ["C", "W"])
    if array.shape != shape:
        raise MapShapeError(f"{what} has shape {array.shape}; expected {shape}, the shape of the class map")
    return array
