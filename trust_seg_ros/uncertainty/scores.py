"""Scores that need raw logits, which the softmax does not preserve: the largest logit and the energy."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from trust_seg_ros.support.gpu import kernels_for
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.banded import bands
from trust_seg_ros.uncertainty.errors import RawLogitsNeededError, SettingError
from trust_seg_ros.uncertainty.fast import fill_scores
from trust_seg_ros.uncertainty.logits import LARGEST, Prepared, prepare


def max_logit(maps: LogitMaps) -> torch.Tensor:
    """-max_y l_y of the upsampled logits (Hendrycks et al., Scaling out-of-distribution detection, 2022).

    Args:
        maps: raw logits (q, h, w), any floating type, any device.

    Returns:
        (H, W) float32 on the same device, any real number; +inf, the score's maximum, at faulty pixels.

    Raises:
        RawLogitsNeededError: the network gives probabilities only.
        LogitsError: the logits cannot be used.
    """
    _need_raw(maps, "max_logit")
    if kernels_for(maps.logits.device):
        from trust_seg_ros.uncertainty.maps_gpu import device_score

        return device_score(maps, energy=False)
    prepared = prepare(maps)
    out = torch.empty(prepared.size, device=prepared.values.device)
    if _compiled(out):
        fill_scores(prepared.array(), out.numpy(), energy=False, placement=prepared.placement)
    else:
        for rows, logits in bands(prepared):
            out[rows] = logits.amax(0).neg_()
    return _overwrite_faulty(out, prepared)


def energy(maps: LogitMaps, *, temperature: float = 1.0) -> torch.Tensor:
    """-T logsumexp(l / T) of the upsampled logits (Liu et al., Energy-based out-of-distribution detection, 2020).

    Args:
        maps: raw logits (q, h, w), any floating type, any device.
        temperature: T > 0.

    Returns:
        (H, W) float32 on the same device, any real number; +inf, the score's maximum, at faulty pixels.

    Raises:
        RawLogitsNeededError: the network gives probabilities only.
        LogitsError: the logits cannot be used.
        SettingError: the temperature is not a positive finite number.
    """
    if not (math.isfinite(temperature) and temperature > 0.0):
        raise SettingError(f"the temperature of the energy is {temperature}; expected a finite number above 0.")
    _need_raw(maps, "energy")
    if kernels_for(maps.logits.device):
        from trust_seg_ros.uncertainty.maps_gpu import device_score

        return device_score(maps, energy=True, temperature=temperature)
    prepared = prepare(maps)
    if temperature != 1.0:
        prepared = replace(prepared, values=(prepared.values / temperature).clamp_(-LARGEST, LARGEST))
    out = torch.empty(prepared.size, device=prepared.values.device)
    if _compiled(out):
        low, high = prepared.array(), out.numpy()
        fill_scores(low, high, energy=True, temperature=temperature, placement=prepared.placement)
    else:
        for rows, logits in bands(prepared):
            out[rows] = logits.logsumexp(0).mul_(-temperature)
    return _overwrite_faulty(out, prepared)


def _need_raw(maps: LogitMaps, name: str) -> None:
    if maps.linear:
        raise RawLogitsNeededError(
            f"the score {name!r} needs raw logits, but this mask network gives class sums. Use rba, max_class_sum or "
            "mask_uncertainty, which are made for them, or entropy, margin or variation_ratio"
        )
    if not maps.raw:
        raise RawLogitsNeededError(
            f"the score {name!r} needs raw logits, but this network gives probabilities only (raw=False). "
            "Use entropy, margin or variation_ratio, or let the network return its logits before the softmax."
        )


def _overwrite_faulty(out: torch.Tensor, prepared: Prepared) -> torch.Tensor:
    faulty = prepared.faulty()
    return out if faulty is None else out.masked_fill_(faulty, torch.inf)


def _compiled(out: torch.Tensor) -> bool:
    return out.device.type == "cpu"
