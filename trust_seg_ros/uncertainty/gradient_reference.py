"""Gradient scores straight from their definitions, in float64: the reference that faster versions must match.

Norms are kept as logarithms: with p = 0.1 they leave the range of float32 and with smaller p that of float64.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from trust_seg_ros.types import LogitMaps, Placement
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
from trust_seg_ros.uncertainty.kernels import grid_taps


def reference_gradients(
    maps: LogitMaps, settings: GradientSettings, labels: tuple[Label, ...] = LABELS, *, threads: int | None = None
) -> GradientMaps:
    """Scores of the requested labels; see ``gradient_maps``.

    Args:
        maps: logits, features and classifier on any device.
        settings: p, variant and scale.
        labels: which maps to compute.
        threads: not used; keeps the signature of the faster versions.
    """
    layer = read_last_layer(maps)
    features = layer.features.double().cpu().numpy()
    logits = layer.prepared.values.double().cpu().numpy()
    patch, bad = _log_patch_norm(features, layer, settings.p)
    if layer.prepared.bad is not None:
        bad |= layer.prepared.bad.cpu().numpy()
    device = layer.prepared.values.device
    found: dict[Label, torch.Tensor] = {}
    limited = False
    for label in labels:
        log_norm = np.where(bad, -np.inf, patch + log_norm_of(_difference(logits, label, settings), settings.p))
        score, beyond = _score(log_norm, maps.size, settings, label, maps.placement)
        found[label] = torch.from_numpy(score).to(device)
        limited |= beyond
    return finish(found, layer, torch.from_numpy(bad).to(device), limited)


def _difference(logits: np.ndarray, label: Label, settings: GradientSettings) -> np.ndarray:
    """The label's factor of the gradient, (q, h, w): f - y, or its counterpart in the published code."""
    q = len(logits)
    e = np.exp(logits - logits.max(0))
    f = e / e.sum(0)
    predicted = np.arange(q)[:, None, None] == logits.argmax(0)
    found: np.ndarray
    if settings.variant == "published":
        found = np.where(predicted, 0.0, f) if label == "onehot" else (q - 1) / q * f
    elif label == "uniform":
        found = f - 1 / q
    else:
        others = np.where(predicted, 0.0, f).sum(0)  # 1 - f of the predicted class, to full precision
        found = np.where(predicted, -others, f)
    return found


def log_norm_of(values: np.ndarray, p: float) -> np.ndarray:
    """log of the p-norm over the first axis; -inf where all are zero."""
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(values))
    largest = np.where(np.isneginf(logs).all(0), 0.0, logs.max(0))
    with np.errstate(divide="ignore"):
        found: np.ndarray = largest + np.log(np.exp(p * (logs - largest)).sum(0)) / p
    return found


def _log_patch_norm(features: np.ndarray, layer: LastLayer, p: float) -> tuple[np.ndarray, np.ndarray]:
    """log ‖patch(φ)‖_p of every pixel, and where the patch holds a value that is not finite."""
    height, width = features.shape[1:]
    reach = layer.offsets[-1]
    padded = np.pad(features, ((0, 0), (reach, reach), (reach, reach)))
    parts = [
        padded[:, reach + dy : reach + dy + height, reach + dx : reach + dx + width]
        for dy in layer.offsets
        for dx in layer.offsets
    ]
    if layer.bias:
        parts.append(np.ones((1, height, width)))
    patch = np.concatenate(parts)
    bad = ~np.isfinite(patch).all(0)
    return log_norm_of(np.where(bad, 0.0, patch), p), bad


def _score(
    log_norm: np.ndarray,
    size: tuple[int, int],
    settings: GradientSettings,
    label: Label,
    placement: Placement | None = None,
) -> tuple[np.ndarray, bool]:
    """Norms upsampled as norms, then converted to the requested scale and sign."""
    peak = log_norm.max() if np.isfinite(log_norm.max()) else 0.0
    norm = _upsample(np.exp(log_norm - peak), size, placement)  # in units of e^peak
    with np.errstate(divide="ignore", over="ignore"):
        logs = np.maximum(np.log(norm) + peak, LOG_LEAST)
        norm = np.minimum(norm * np.exp(min(peak, 700.0)), FLOAT32_MAX)
    score, limited = (logs, False) if settings.scale == "log" else (norm, bool(peak > math.log(FLOAT32_MAX)))
    return (settings.sign(label) * score).astype(np.float32), limited


def _upsample(plane: np.ndarray, size: tuple[int, int], placement: Placement | None) -> np.ndarray:
    """Bilinear, as the logits are upsampled, with the weights that torch uses for float32."""
    (top, bottom, mix), (left, right, weight) = grid_taps(plane.shape, size, placement)
    mix = mix.astype(np.float64)[:, None]
    weight = weight.astype(np.float64)
    wide = (1 - weight) * plane[:, left] + weight * plane[:, right]
    out: np.ndarray = (1 - mix) * wide[top] + mix * wide[bottom]
    return out
