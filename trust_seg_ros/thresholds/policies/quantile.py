"""Policy ``quantile``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trust_seg_ros.thresholds.policies.base import About, PerImage, parameter

if TYPE_CHECKING:
    import numpy as np
    import torch


@dataclass(frozen=True)
class Quantile(PerImage):
    """The image's own quantile: at most the share 1 - quantile of its pixels is flagged, those with the highest scores.

    Attributes:
        quantile: in (0, 1].

    Raises:
        PolicyError: the quantile is out of range.
    """

    name = "quantile"
    about = About(
        threshold="the value that the share 1 − quantile of *this image* lies above",
        choose="a fixed budget: people or planners can look at 5 % of the pixels",
        beware="flags 5 % of a perfect image, and only 5 % of a hopeless one",
    )
    judged = (0.95, 0.8)

    quantile: float = parameter(
        0.95,
        "scores above this quantile are flagged, at most the share 1 - quantile of the {whole}.",
        0.0,
        1.0,
        open_low=True,
        defaults={"ood": 0.99},
    )

    def of_image(self, scores: np.ndarray, threads: int | None) -> float:
        """The number right above the score of rank ceil(quantile n)."""
        from trust_seg_ros.thresholds import policy_fast, policy_reference  # kernels: not for --help

        if scores.dtype == "float32":
            return policy_fast.quantile_threshold(scores, self.quantile, threads)
        return policy_reference.quantile_threshold(scores, self.quantile)  # of segments: a few values

    def of_device(self, scores: torch.Tensor, classes: torch.Tensor | None) -> float:
        """The same number."""
        from trust_seg_ros.thresholds.histogram_gpu import quantile_gpu  # needs triton

        return quantile_gpu(scores, self.quantile, classes)

    def describe(self) -> str:
        """For example ``quantile 0.95``."""
        return f"{self.name} {self.quantile:g}"
