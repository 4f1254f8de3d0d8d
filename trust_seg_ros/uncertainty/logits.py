"""Checks logits and makes them finite; says which pixels of the output grid are faulty.

A pixel is faulty when a logit that takes part in its interpolation, that is, one of the four neighbours *with a weight
other than zero*, of any class, is not finite. Non-finite logits are replaced by 0 before the interpolation (so that a
weight of zero times infinity is zero, not NaN), and the faulty pixels are overwritten afterwards.

Log-probabilities (``raw=False``) are minus infinity where a class is impossible. That is not a fault: they are raised
to ``LOG_FLOOR``. A low-resolution pixel where *every* class is impossible is not a distribution and counts as faulty.

The class sums of a mask network (``linear=True``) are interpolated as they are and divided by their sum there, so their
logarithm cannot be interpolated instead. Fast readers take the sums from ``prepare_sums``; to all others ``prepare``
gives the logarithm of the finished distribution. A pixel that no query claims, whose sums are all 0, is *unclaimed*:
nothing is known of it, so its distribution is uniform and it has no class, which is no fault of the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from trust_seg_ros.types import LogitMaps, Placement
from trust_seg_ros.uncertainty.errors import LogitsError
from trust_seg_ros.uncertainty.kernels import all_within, grid_taps

LOG_FLOOR = -87.0
"""Smaller log-probabilities are raised to it before the interpolation: 1.6e-38, about the smallest normal float32."""

LARGEST = 2.0**126
"""Finite logits are limited to this magnitude, so that no interpolation of the largest float32 (masks) overflows."""

UNCLAIMED = 1e-30
"""Where no class has a larger sum, no query claims the pixel: far below what sigmoid and softmax give in float32."""

LARGEST_SUM = 1e30
"""Finite class sums are limited to it, so that neither their total nor its reciprocal leaves float32."""

MIN_CLASSES, MAX_CLASSES = 2, 254
"""One class has no uncertainty; class ids are uint8 and 255 means unlabelled."""


@dataclass(frozen=True)
class Prepared:
    """Logits, or class sums, that are safe to interpolate.

    Attributes:
        values: (q, h, w) float32, finite, contiguous; the network's own memory where nothing had to change.
        bad: (h, w) bool, low-resolution pixels with a non-finite logit; None when there are none.
        size: (H, W) of the output grid.
        placement: where it lies on the grid of the logits; None = it is that grid, stretched.
    """

    values: torch.Tensor
    bad: torch.Tensor | None
    size: tuple[int, int]
    placement: Placement | None = None

    def faulty(self) -> torch.Tensor | None:
        """(H, W) bool, the faulty pixels of the output grid; None when there are none."""
        if self.bad is None:
            return None
        return upsample(self.bad[None].float(), self.size, self.placement)[0] > 0

    def array(self) -> np.ndarray:
        """The values as (q, h, w) float32 C-contiguous array without a copy; only on the CPU."""
        return self.values.numpy()


def upsample(planes: torch.Tensor, size: tuple[int, int], placement: Placement | None = None) -> torch.Tensor:
    """Resize (n, h, w) planes bilinearly (``align_corners=False``, or as ``placement`` says) to (n, H, W)."""
    if placement is not None:
        rows, columns = grid_taps(planes.shape[1:], size, placement)
        wide = blend(planes, 2, *(torch.from_numpy(part).to(planes.device) for part in columns))
        first, second, weight = (torch.from_numpy(part).to(planes.device) for part in rows)
        return blend(wide, 1, first, second, weight[:, None])
    return functional.interpolate(planes[None], size=size, mode="bilinear", align_corners=False)[0]


def blend(
    source: torch.Tensor, dim: int, first: torch.Tensor, second: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """(1 - weight) * source[first] + weight * source[second] along one dimension."""
    out = source.index_select(dim, first).mul_(1.0 - weight)
    return out.addcmul_(source.index_select(dim, second), weight.to(source.dtype))


def prepare(maps: LogitMaps) -> Prepared:
    """Check logits, bring them to contiguous float32, and make them finite.

    Args:
        maps: logits (q, h, w) of any floating type, on any device, with any strides.

    Returns:
        The logits made finite, and where they were not finite. Of class sums, the log-probabilities (q, H, W) on the
        output grid: all classes at full resolution in memory, which :func:`prepare_sums` avoids.

    Raises:
        LogitsError: wrong rank, data type, number of classes, or an empty side; class sums below 0.
    """
    if maps.linear:
        sums = prepare_sums(maps)
        shares = to_shares(upsample(sums.values, sums.size))
        return Prepared(shares.log_().clamp_min_(LOG_FLOOR), sums.faulty(), maps.size)
    check(maps)
    values = maps.logits.detach().to(torch.float32).contiguous()
    if values.device.type == "cpu":
        low = np.float32(-LARGEST if maps.raw else LOG_FLOOR)
        if all_within(values.numpy().reshape(-1), low, np.float32(LARGEST)):
            return Prepared(values, None, maps.size, maps.placement)  # the usual case, without waking torch's threads
    bad = ~torch.isfinite(values)
    if maps.raw:
        bad = bad.any(0)
    else:
        impossible = values == -torch.inf
        bad = (bad & ~impossible).any(0) | impossible.all(0)
        values = values.clamp_min(LOG_FLOOR)
    values = torch.nan_to_num(values, 0.0, 0.0, 0.0).clamp_(-LARGEST, LARGEST)
    return Prepared(values, bad if bool(bad.any()) else None, maps.size, maps.placement)


def prepare_sums(maps: LogitMaps) -> Prepared:
    """Check the class sums of a mask network, bring them to contiguous float32, and make them finite.

    Args:
        maps: class sums (q, h, w), ``linear``, of any floating type, on any device, with any strides.

    Returns:
        The sums, at least 0, with 0 where they were not finite; to be interpolated, then divided by their sum.

    Raises:
        LogitsError: as :func:`prepare`, and for answers that are not class sums.
    """
    check(maps)
    if maps.placement is not None:
        raise LogitsError("class sums with a placement; expected sums whose grid is stretched over the image")
    if not maps.linear or maps.raw:
        raise LogitsError(
            f"linear={maps.linear} with raw={maps.raw}; expected linear=True and raw=False of the class sums of a mask "
            "network, which are neither logits nor log-probabilities"
        )
    values = maps.logits.detach().to(torch.float32).contiguous()
    if values.device.type == "cpu" and all_within(values.numpy().reshape(-1), np.float32(0.0), np.float32(LARGEST_SUM)):
        return Prepared(values, None, maps.size)
    bad = ~torch.isfinite(values)
    values = values.masked_fill(bad, 0.0)
    least = float(values.min())
    if least < 0.0:
        raise LogitsError(
            f"the class sums go down to {least:g}; expected at least 0, sums of probabilities times masks. If they are "
            "logits, the answer needs linear=False"
        )
    bad = bad.any(0)
    return Prepared(values.clamp_max_(LARGEST_SUM), bad if bool(bad.any()) else None, maps.size)


def to_shares(sums: torch.Tensor) -> torch.Tensor:
    """Class sums (q, ...) on the output grid divided by their sum, float32 or float64; 1/q each where unclaimed."""
    largest = sums.amax(0)
    scaled = torch.where(largest > UNCLAIMED, sums / largest, 1.0)
    return scaled.div_(scaled.sum(0))


def unclaimed(sums: Prepared) -> torch.Tensor | None:
    """(H, W) bool, pixels of the output grid that no query claims; None when there are none, the usual case.

    Args:
        sums: from :func:`prepare_sums`.
    """
    largest = sums.values.amax(0)
    if bool(largest.min() > 4.0 * UNCLAIMED):  # one of four neighbours has a weight of at least 1/4
        return None
    found = torch.ones(sums.size, dtype=torch.bool, device=largest.device)
    for plane in sums.values:
        found &= upsample(plane[None], sums.size)[0] <= UNCLAIMED
    return found


def class_probabilities(maps: LogitMaps) -> torch.Tensor:
    """(q, H, W) float32, the distribution that the maps are made of, all classes at full resolution in memory.

    A faulty pixel has any distribution.

    Raises:
        LogitsError: the logits cannot be used.
    """
    if maps.linear:
        sums = prepare_sums(maps)
        return to_shares(upsample(sums.values, sums.size))
    prepared = prepare(maps)
    return upsample(prepared.values, prepared.size, prepared.placement).softmax(0)


def check(maps: LogitMaps) -> None:
    """Raise ``LogitsError`` unless the logits and the size can be used."""
    logits = maps.logits
    if logits.ndim != 3 or 0 in logits.shape[1:]:
        raise LogitsError(
            f"logits have shape {tuple(logits.shape)}; expected (classes, height, width) with no empty side. "
            "Give one image at a time, without the batch dimension."
        )
    if not logits.is_floating_point():
        raise LogitsError(f"logits are {logits.dtype}; expected a floating type. Did the network give class ids?")
    if not MIN_CLASSES <= logits.shape[0] <= MAX_CLASSES:
        raise LogitsError(
            f"logits have {logits.shape[0]} classes; expected {MIN_CLASSES} to {MAX_CLASSES} (ids are 8-bit and 255 "
            "means unlabelled). A network with a single foreground logit l needs the two channels (-l/2, l/2)."
        )
    if len(maps.size) != 2 or min(maps.size) < 1:
        raise LogitsError(f"the output size is {tuple(maps.size)}; expected (height, width), both at least 1.")
