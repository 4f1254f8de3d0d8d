"""Policy ``otsu``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trust_seg_ros.thresholds.policies.base import About, PerImage

if TYPE_CHECKING:
    import numpy as np
    import torch


@dataclass(frozen=True)
class Otsu(PerImage):
    """The best split of the image's histogram in two (Otsu 1979, equations 14 to 18)."""

    name = "otsu"
    about = About(
        threshold="the split of this image's histogram that separates its two parts best",
        choose="scores have two humps, or nothing is known about their scale",
        beware="splits an image without errors, too",
    )

    def of_image(self, scores: np.ndarray, threads: int | None) -> float:
        """Of 256 equal bins from the smallest to the largest score."""
        from trust_seg_ros.thresholds import policy_fast  # kernels: not for --help

        return policy_fast.otsu_threshold(scores, threads)

    def of_device(self, scores: torch.Tensor, classes: torch.Tensor | None) -> float:
        """The same number."""
        from trust_seg_ros.thresholds.histogram_gpu import otsu_gpu  # needs triton

        return otsu_gpu(scores, classes)
