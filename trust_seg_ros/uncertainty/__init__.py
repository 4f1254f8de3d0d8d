"""Logits to per-pixel maps: how sure the network's own softmax is, pixel by pixel."""

from trust_seg_ros.uncertainty.errors import LogitsError, RawLogitsNeededError, SettingError, UncertaintyError
from trust_seg_ros.uncertainty.maps import uncertainty_maps, warm_up
from trust_seg_ros.uncertainty.reference import reference_maps
from trust_seg_ros.uncertainty.scores import energy, max_logit

__all__ = [
    "LogitsError",
    "RawLogitsNeededError",
    "SettingError",
    "UncertaintyError",
    "energy",
    "max_logit",
    "reference_maps",
    "uncertainty_maps",
    "warm_up",
]
