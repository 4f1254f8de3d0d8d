"""Gradient scores with torch alone: for tensors on a GPU, where they stay, and for p that the kernels do not support.

Terms are computed in float32, relative to the largest feature of the pixel; sums and logarithms are in float64.
Features are processed in bands of rows; only the check that everything is finite waits for the device.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.banded import bands
from trust_seg_ros.uncertainty.gradient_inputs import (
    FLOAT32_MAX,
    LABELS,
    LOG_LEAST,
    GradientMaps,
    GradientSettings,
    Label,
    LastLayer,
    finish,
    read_last_layer,
)
from trust_seg_ros.uncertainty.logits import Prepared

BAND_VALUES = 1 << 22
"""Feature values processed at a time."""


def torch_gradients(
    maps: LogitMaps, settings: GradientSettings, labels: tuple[Label, ...] = LABELS, *, threads: int | None = None
) -> GradientMaps:
    """Scores of the requested labels on any device, for any p.

    Args:
        maps: logits, features and classifier.
        settings: p, variant and scale.
        labels: which maps to compute, in the order of ``LABELS``.
        threads: not used; keeps the signature of the compiled version.

    Returns:
        Maps on the device of the logits.

    Raises:
        UncertaintyError: as ``gradient_maps``.
    """
    layer = read_last_layer(maps)
    patch, bad = _log_patch_norm(layer, settings.p)
    if layer.prepared.bad is not None:
        bad = bad | layer.prepared.bad
    logits = layer.prepared.values.double()
    factors = [_log_label_norm(logits, label, settings) for label in labels]
    norms = torch.stack(factors).add_(patch).masked_fill_(bad, -torch.inf)
    peaks = norms.amax((1, 2), keepdim=True)
    peaks = torch.where(torch.isinf(peaks), 0.0, peaks)
    out = _upsample(Prepared(norms.sub_(peaks).exp_(), None, maps.size, maps.placement), peaks, labels, settings)
    too_large = peaks.amax() > math.log(FLOAT32_MAX)
    any_bad, limited = torch.stack([bad.any(), too_large & (settings.scale == "norm")]).tolist()
    return finish(dict(zip(labels, out, strict=True)), layer, bad if any_bad else None, bool(limited))


def _log_patch_norm(layer: LastLayer, p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(h, w) float64 log ‖patch(φ)‖_p, and (h, w) bool where the patch holds a value that is not finite."""
    features = layer.features
    channels, height, width = features.shape
    sums = torch.empty((height, width), dtype=torch.float64, device=features.device)
    bad = torch.empty((height, width), dtype=torch.bool, device=features.device)
    step = max(1, BAND_VALUES // (channels * width))
    for start in range(0, height, step):
        rows = slice(start, start + step)
        sums[rows], bad[rows] = _log_power_sum(features[:, rows].abs().float(), p)
    if layer.side > 1:
        sums = _neighbours(sums, layer, -torch.inf).logsumexp(0)
        bad = _neighbours(bad.double(), layer, 0.0).amax(0) > 0
    if layer.bias:
        sums = torch.logaddexp(sums, torch.zeros_like(sums))
    return sums / p, bad


def _log_power_sum(magnitudes: torch.Tensor, p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """log Σ_d |φ_d|^p of every pixel, -inf where all are 0 or one is not finite, and where that is."""
    largest = magnitudes.amax(0)  # NaN wins
    bad = ~torch.isfinite(largest)
    usable = ~bad & (largest > 0)
    unit = torch.where(usable, largest, 1.0)
    terms = (magnitudes / unit).pow_(p)
    log = terms.sum(0, dtype=torch.float64).log_().add_(unit.double().log_(), alpha=p)
    return torch.where(usable, log, -torch.inf), bad


def _neighbours(plane: torch.Tensor, layer: LastLayer, outside: float) -> torch.Tensor:
    """(s * s, h, w): the plane shifted to every tap of the kernel."""
    height, width = plane.shape
    reach = layer.offsets[-1]
    padded = functional.pad(plane, (reach, reach, reach, reach), value=outside)
    starts = [reach + offset for offset in layer.offsets]
    return torch.stack([padded[y : y + height, x : x + width] for y in starts for x in starts])


def _log_label_norm(logits: torch.Tensor, label: Label, settings: GradientSettings) -> torch.Tensor:
    """(h, w) log of the p-norm of the label's factor, from logits (q, h, w) float64."""
    p, q = settings.p, logits.shape[0]
    log_f = logits.log_softmax(0)
    if settings.variant == "published" and label == "uniform":
        return (p * log_f).logsumexp(0) / p + math.log((q - 1) / q)
    if label == "uniform":
        logs = (log_f.exp() - 1.0 / q).abs_().log_()
        return (p * logs).logsumexp(0) / p
    predicted = logits.argmax(0, keepdim=True)
    others = log_f.scatter(0, predicted, -torch.inf)
    if settings.variant == "published":
        return (p * others).logsumexp(0) / p
    return (p * others.scatter(0, predicted, others.logsumexp(0, keepdim=True))).logsumexp(0) / p


def _upsample(
    norms: Prepared, peaks: torch.Tensor, labels: tuple[Label, ...], settings: GradientSettings
) -> torch.Tensor:
    """Norms (labels, h, w) in units of e^peak to scores (labels, H, W) float32."""
    device = norms.values.device
    out = torch.empty((len(labels), *norms.size), device=device)
    signs = torch.tensor([settings.sign(label) for label in labels], device=device)[:, None, None]
    units = peaks.clamp(-700.0, 700.0).exp()
    for rows, values in bands(norms):
        if settings.scale == "log":
            score = values.log_().add_(peaks).clamp_min_(LOG_LEAST)
        else:
            score = values.mul_(units).clamp_max_(FLOAT32_MAX)
        out[:, rows] = score.mul_(signs).float()
    return out
