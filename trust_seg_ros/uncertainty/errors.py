"""Errors of the package ``uncertainty``."""

from __future__ import annotations

from trust_seg_ros.errors import TrustSegError


class UncertaintyError(TrustSegError):
    """Base of the errors raised while turning logits into per-pixel maps."""


class LogitsError(UncertaintyError):
    """The logits or the size asked for cannot be used: wrong shape, data type or number of classes."""


class RawLogitsNeededError(UncertaintyError):
    """A score of raw logits was asked for, but the network gives probabilities only."""


class MaskQueriesNeededError(UncertaintyError):
    """Something of a mask network (its class sums, or its queries) was asked for, but the network is none."""


class SettingError(UncertaintyError):
    """A setting of a score is outside its range."""


class FeaturesNeededError(UncertaintyError):
    """A score of the last layer's input was asked for, but the network does not give it."""


class FeaturesError(UncertaintyError):
    """Features, classifier and logits do not fit each other."""


class StatisticsNeededError(UncertaintyError):
    """A score that compares with statistics of the network was asked for, but there are none."""


class FeatureStatisticsError(UncertaintyError):
    """Statistics of features cannot be made or read, or are of another network, layer or other features."""


class PerturbationUnavailableError(UncertaintyError):
    """A perturbation score was asked for, but the network cannot be perturbed in this way."""
