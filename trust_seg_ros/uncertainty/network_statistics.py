"""All statistics of one network that pixel scores compare with; ``trust-seg calibrate`` makes them."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.uncertainty.feature_statistics import FeatureSource
from trust_seg_ros.uncertainty.standardized import ClassStatistics


@dataclass(frozen=True)
class NetworkStatistics:
    """Statistics of one network on in-distribution images.

    Attributes:
        classes: of its largest logits by class, for standardized_max_logit; None = not known.
        features: gives those of its features, for feature scores, when they are first needed; None = not known.
    """

    classes: ClassStatistics | None = None
    features: FeatureSource | None = None

    @property
    def features_id(self) -> str:
        """What identifies the statistics of features without reading them: the hash of their file; "" = nothing."""
        return str(getattr(self.features, "sha256", ""))


NO_STATISTICS = NetworkStatistics()
