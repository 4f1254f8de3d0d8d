"""The per-pixel maps, by the implementation that suits the device of the logits."""

from __future__ import annotations

import torch

from trust_seg_ros.support.gpu import kernels_for
from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.banded import banded_maps
from trust_seg_ros.uncertainty.fast import fast_maps
from trust_seg_ros.uncertainty.scores import energy


def uncertainty_maps(maps: LogitMaps, *, threads: int | None = None) -> UncertaintyMaps:
    """Class, entropy, margin and variation ratio of every pixel of the grid ``maps.size``.

    Logits are upsampled bilinearly, then turned into a softmax; class sums of a mask network are upsampled, then
    divided by their sum. Entropy as in Rottmann et al., MetaSeg (2020), eq. 2, margin eq. 3. ``reference_maps`` has the
    formulas as code. On the CPU compiled kernels do it row by row, on NVIDIA GPUs with triton one kernel does, on other
    devices torch; the maps stay there. Safe to call from any thread and from several at once.

    Args:
        maps: logits (q, h, w) with q = 2 .. 254, any floating type, any strides, any device.
        threads: CPU threads to use; None for one per core this process may use, at most 8.

    Returns:
        Maps (H, W) on the device of the logits. Pixels whose logits were not finite have class 255 and the largest
        value of every score, and are counted; so do, uncounted, those that no query of a mask network claims.

    Raises:
        LogitsError: wrong shape, data type or number of classes.
    """
    if not maps.linear and kernels_for(maps.logits.device):
        from trust_seg_ros.uncertainty.maps_gpu import device_maps

        return device_maps(maps).maps()
    if maps.logits.device.type == "cpu":
        return fast_maps(maps, threads=threads)
    return banded_maps(maps)


def warm_up() -> None:
    """Compile, or load from the cache, everything that this package needs on the CPU, and start its threads.

    A few seconds on the first run after an installation, a fraction of a second afterwards.
    """
    logits = torch.linspace(-1.0, 1.0, 3 * 16 * 4).reshape(3, 16, 4)
    for size in ((64, 16), (64, 15)):
        fast_maps(LogitMaps(logits, size))
        fast_maps(LogitMaps(logits.abs(), size, raw=False, linear=True))
    energy(LogitMaps(logits, (64, 16)))
