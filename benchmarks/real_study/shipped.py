"""The shipped network and judges, set up as the node sets them up."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from remembered import Remembered

from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.thresholds.settings import ThresholdSettings
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.score_names import SOFTMAX_SCORES

HAS_GRID = any(field.name == "grid" for field in fields(PipelineSettings))
GRIDS = ("image", "fitted") if HAS_GRID else ("image",)
"""Grids to judge on; "image" is how it was before there were grids."""
DEFAULT_GRID = GRIDS[-1]
_FROM_LOGITS = {*SOFTMAX_SCORES, "max_logit", "energy", "standardized_max_logit"}


def load(runs: Path, grid: str = DEFAULT_GRID, model: str = "embedded") -> TrustPipeline:
    """The node's default pipeline on a grid; its judge of OoD segments is asked about images of any size.

    A judge that names the sizes it was fitted on is not asked about others by the node: the segments are kept then.
    What it would say is what this study is about.
    """
    settings = replace(settings_from({}).pipeline, model=model)
    chosen: dict[str, Any] = {"grid": grid} if HAS_GRID else {}
    made = TrustPipeline.load(replace(settings, **chosen))
    judge = made.ood_model
    if judge is not None and grid == "image":
        judge = replace(judge, image_sizes=(), **({"grid": None} if HAS_GRID else {}))
    used = {thresholds().pixel_score, thresholds().ood_score, *made.segment_scores}
    network = made.network if used - _FROM_LOGITS else Remembered(made.network, runs / "answers")
    return TrustPipeline(
        network,
        made.meta,
        settings.features,
        ood_model=judge,
        gradient=settings.gradient,
        calibration=made.calibration,
        segment_scores=settings.segment_scores,
        **chosen,
    )


def thresholds() -> ThresholdSettings:
    """The node's default thresholds."""
    return settings_from({}).thresholds


def answer(pipeline: TrustPipeline, image: np.ndarray) -> LogitMaps:
    """The network's answer, on the pipeline's grid."""
    return pipeline.infer(image) if HAS_GRID else pipeline.network.infer(image)


def resized(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Numbers or classes (h, w) at another size (H, W), the nearest ones."""
    if plane.shape == size:
        return plane
    return cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
