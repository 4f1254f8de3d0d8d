"""Maps of values as heat maps."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from trust_seg_ros.errors import TrustSegError

COLOUR_MAPS = {
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "cividis": cv2.COLORMAP_CIVIDIS,
    "turbo": cv2.COLORMAP_TURBO,
}
"""Names for :func:`colour_map`; all except ``turbo`` are perceptually uniform."""


class PictureError(TrustSegError):
    """The given arrays cannot be drawn as a picture."""


def colour_map(values: np.ndarray, name: str = "inferno") -> np.ndarray:
    """Draw a map of values as a heat map.

    Args:
        values: (H, W) floating point in [0, 1] (values outside are clipped, NaN shows as 1, the least trustworthy), or
            uint8 in 0..255.
        name: one of ``COLOUR_MAPS``.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        PictureError: unknown name, or an array that is not a map.
    """
    if name not in COLOUR_MAPS:
        raise PictureError(f"there is no colour map {name!r}; known: {', '.join(COLOUR_MAPS)}")
    return cv2.applyColorMap(as_bytes(values), _heat_table(name))


def as_bytes(values: np.ndarray) -> np.ndarray:
    """A map in [0, 1] as (H, W) uint8 in 0..255, rounded; uint8 passes through, NaN becomes 255.

    Raises:
        PictureError: not a two-dimensional map of floats or uint8.
    """
    if values.ndim != 2 or (values.dtype != np.uint8 and values.dtype.kind != "f"):
        raise PictureError(f"expected an (H, W) map of floats in [0, 1] or of uint8, got {values.dtype} {values.shape}")
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    # NaN goes first, because max() would turn it into 0; negative values next, because convertScaleAbs mirrors them.
    clipped = np.array(values, dtype=np.float32, order="C")
    cv2.patchNaNs(clipped, 1.0)
    np.maximum(clipped, 0.0, out=clipped)
    return cv2.convertScaleAbs(clipped, alpha=255.0)


@lru_cache(maxsize=8)
def _heat_table(name: str) -> np.ndarray:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(cv2.applyColorMap(ramp, COLOUR_MAPS[name])[..., ::-1])
