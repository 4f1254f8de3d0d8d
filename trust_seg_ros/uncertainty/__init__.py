"""Logits to per-pixel maps: how sure the network's own softmax is, pixel by pixel."""

from trust_seg_ros.uncertainty.errors import (
    FeaturesError,
    FeaturesNeededError,
    LogitsError,
    MaskQueriesNeededError,
    RawLogitsNeededError,
    SettingError,
    UncertaintyError,
)
from trust_seg_ros.uncertainty.gradient import gradient_maps, gradient_onehot, gradient_uniform, warm_up_gradients
from trust_seg_ros.uncertainty.gradient_inputs import GradientMaps, GradientSettings
from trust_seg_ros.uncertainty.gradient_reference import reference_gradients
from trust_seg_ros.uncertainty.grid import on_grid
from trust_seg_ros.uncertainty.maps import uncertainty_maps, warm_up
from trust_seg_ros.uncertainty.reference import reference_maps
from trust_seg_ros.uncertainty.scores import energy, max_logit
from trust_seg_ros.uncertainty.standardized import ClassStatistics, StatisticsBuilder, standardized_max_logit

__all__ = [
    "ClassStatistics",
    "FeaturesError",
    "FeaturesNeededError",
    "GradientMaps",
    "GradientSettings",
    "LogitsError",
    "MaskQueriesNeededError",
    "RawLogitsNeededError",
    "SettingError",
    "StatisticsBuilder",
    "UncertaintyError",
    "energy",
    "gradient_maps",
    "gradient_onehot",
    "gradient_uniform",
    "max_logit",
    "on_grid",
    "reference_gradients",
    "reference_maps",
    "standardized_max_logit",
    "uncertainty_maps",
    "warm_up",
    "warm_up_gradients",
]
