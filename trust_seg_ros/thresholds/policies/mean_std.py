"""Policy ``mean_std``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trust_seg_ros.thresholds.policies.base import About, PerImage, parameter

if TYPE_CHECKING:
    import numpy as np
    import torch


@dataclass(frozen=True)
class MeanStd(PerImage):
    """Mean of the image's scores + k standard deviations.

    Attributes:
        k: in [0, 100].

    Raises:
        PolicyError: k is out of range.
    """

    name = "mean_std"
    about = About(
        threshold="mean + k standard deviations of this image",
        choose="the level drifts (light, weather) but errors stand out from it",
        beware="a hopeless image raises its own mean and deviation: less is flagged",
    )
    judged = (2.0, 1.0)

    k: float = parameter(2.0, "standard deviations above the mean of the {scores}.", 0.0, 100.0)

    def of_image(self, scores: np.ndarray, threads: int | None) -> float:
        """In float64, deviation over n."""
        from trust_seg_ros.thresholds import policy_fast, policy_reference  # kernels: not for --help

        if scores.dtype == "float32":
            return policy_fast.mean_std_threshold(scores, self.k, threads)
        return policy_reference.mean_std_threshold(scores, self.k)  # of segments: a few values

    def of_device(self, scores: torch.Tensor, classes: torch.Tensor | None) -> float:
        """The same but for rounding."""
        from trust_seg_ros.thresholds.histogram_gpu import mean_std_gpu  # needs triton

        return mean_std_gpu(scores, self.k, classes)
