"""Gradient scores on the CPU: one pass over the features, the rest at their resolution, then the upsampling."""

from __future__ import annotations

import math

import numpy as np
import torch

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.gradient_inputs import (
    FLOAT32_MAX,
    LABELS,
    GradientMaps,
    GradientSettings,
    Label,
    LastLayer,
    finish,
    read_last_layer,
)
from trust_seg_ros.uncertainty.gradient_kernels import LABEL_NORMS, SUMS_BY_CHANNEL, SUMS_BY_PIXEL, mode_of
from trust_seg_ros.uncertainty.gradient_upsample import upsample_scores
from trust_seg_ros.uncertainty.threads import run_bands

SMALLEST_P, LARGEST_P = 0.1, 4.0
"""Range of p for the kernels; outside it, powers may exceed the range of the kernels' number types."""

_LEAST, _MOST = 2.0**-80, 2.0**120  # float32 sums between these are accurate enough


def fast_gradients(
    maps: LogitMaps, settings: GradientSettings, labels: tuple[Label, ...] = LABELS, *, threads: int | None = None
) -> GradientMaps:
    """Scores of the requested labels, for tensors on the CPU and SMALLEST_P <= p <= LARGEST_P.

    Equal to ``reference_gradients`` up to rounding, see docs/methods/gradient.md. Safe to call from any thread and from
    several at once.

    Args:
        maps: logits, features and classifier.
        settings: p, variant and scale.
        labels: which maps to compute, in the order of ``LABELS``.
        threads: how many threads work; None for one per core this process may use, at most 8.

    Returns:
        Maps on the CPU.

    Raises:
        UncertaintyError: as ``gradient_maps``.
    """
    layer = read_last_layer(maps)
    norms, bad = _log_norms(layer, settings, labels, threads)
    peaks = norms.reshape(len(labels), -1).max(1)
    peaks[np.isneginf(peaks)] = 0.0
    norms -= peaks[:, None, None]
    np.exp(norms, out=norms)  # in units of e^peak: the largest is 1
    out = torch.empty((len(labels), *maps.size))
    signs = np.array([settings.sign(label) for label in labels], np.float64)
    upsample_scores(norms, peaks, signs, settings.scale == "log", out.numpy(), threads, maps.placement)
    limited = settings.scale == "norm" and bool(peaks.max() > math.log(FLOAT32_MAX))
    return finish(dict(zip(labels, out, strict=True)), layer, bad, limited)


def _log_norms(
    layer: LastLayer, settings: GradientSettings, labels: tuple[Label, ...], threads: int | None
) -> tuple[np.ndarray, torch.Tensor | None]:
    """(labels, h, w) float64 log ‖∂L/∂K‖_p, -inf where it is 0 or bad; (h, w) where features or logits are bad."""
    logits = layer.prepared.array()
    q, height, width = logits.shape
    values, by_pixel = _as_rows(layer.features)
    sums, bad = np.empty(height * width), np.zeros(height * width, np.bool_)
    norms = np.empty((len(labels), height * width))
    wanted = ("onehot" in labels, "uniform" in labels)
    p, mode, published = np.float32(settings.p), mode_of(settings.p), settings.variant == "published"
    add = (SUMS_BY_PIXEL if by_pixel else SUMS_BY_CHANNEL)[mode]

    def band(first: int, last: int) -> None:
        pixels = slice(first * width, last * width)
        add(values, pixels.start, pixels.stop, p, sums)
        _second_look(values[pixels].T if by_pixel else values[:, pixels], settings.p, sums[pixels], bad[pixels])
        LABEL_NORMS[mode](logits.reshape(q, -1), pixels.start, pixels.stop, p, published, wanted, norms[0], norms[-1])

    run_bands(band, height, threads)
    norms = norms.reshape(-1, height, width)
    patch, bad = _log_patch_norm(sums.reshape(height, width), bad.reshape(height, width), layer, settings.p)
    norms += patch
    if layer.prepared.bad is not None:
        bad = bad | layer.prepared.bad.numpy()
    if not bad.any():
        return norms, None
    norms[:, bad] = -np.inf
    return norms, torch.from_numpy(bad)


def _second_look(values: np.ndarray, p: float, sums: np.ndarray, bad: np.ndarray) -> None:
    """Recompute in float64 the sums that are not finite, or so near the limits of float32 that terms are lost.

    Args:
        values: (D, pixels) float32.
        p: exponent.
        sums: (pixels,) float64, set to 0 where a feature is not finite.
        bad: (pixels,) bool, set there.
    """
    doubtful = np.flatnonzero(~((sums >= _LEAST) & (sums <= _MOST)))
    if doubtful.size == 0:
        return
    values = values if doubtful.size == sums.size else values[:, doubtful]
    largest = np.maximum(values.max(0), -values.min(0))  # NaN wins
    bad[doubtful] = ~np.isfinite(largest)
    sums[doubtful] = 0.0
    usable = np.flatnonzero(np.isfinite(largest) & (largest > 0.0))
    if usable.size:
        magnitudes = np.abs(values[:, usable]).astype(np.float64)
        sums[doubtful[usable]] = np.power(magnitudes, p, out=magnitudes).sum(0)


def _log_patch_norm(sums: np.ndarray, bad: np.ndarray, layer: LastLayer, p: float) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) log ‖patch(φ)‖_p from Σ_d |φ_d|^p, and (h, w) where the patch holds a value that is not finite."""
    if layer.side > 1:
        sums = box_sum(sums, layer.offsets)
        bad = box_sum(bad, layer.offsets) if bad.any() else bad
    if layer.bias:
        sums += 1.0
    with np.errstate(divide="ignore"):
        np.log(sums, out=sums)
    sums /= p
    return sums, bad


def _as_rows(features: torch.Tensor) -> tuple[np.ndarray, bool]:
    """Features as (D, pixels) and False or, if they are stored channels last, as (pixels, D) and True."""
    by_pixel = features.stride(0) == 1 and features.permute(1, 2, 0).is_contiguous()
    values = features.to(torch.float32)  # keeps the order in memory
    values = values.permute(1, 2, 0) if by_pixel else values
    array = values.contiguous().numpy()
    return (array.reshape(-1, array.shape[2]) if by_pixel else array.reshape(array.shape[0], -1)), by_pixel


def box_sum(plane: np.ndarray, offsets: range) -> np.ndarray:
    """Sum of ``plane`` (h, w) over all pairs of ``offsets`` (for bool: any); it is zero outside its borders."""
    for axis in (0, 1):
        length, out = plane.shape[axis], np.zeros_like(plane)
        into, source = np.moveaxis(out, axis, 0), np.moveaxis(plane, axis, 0)
        for offset in offsets:
            if abs(offset) < length:
                into[max(-offset, 0) : length - max(offset, 0)] += source[max(offset, 0) : length - max(-offset, 0)]
        plane = out
    return plane
