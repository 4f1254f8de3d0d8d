"""The shipped network and judges, set up as the node sets them up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from remembered import Remembered

from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.thresholds.settings import ThresholdSettings
from trust_seg_ros.uncertainty.score_names import SOFTMAX_SCORES

GRIDS = ("image", "fitted")
"""Grids to judge on; "image" is how it was before there were grids, "fitted" is the default."""
_FROM_LOGITS = {*SOFTMAX_SCORES, "max_logit", "energy", "standardized_max_logit"}


def load(runs: Path, grid: str = GRIDS[-1], model: str = "embedded") -> TrustPipeline:
    """The node's default pipeline on a grid; its judge of OoD segments is asked about images of any size.

    A judge that names the sizes it was fitted on is not asked about others by the node: the segments are kept then.
    What it would say is what this study is about.
    """
    settings = replace(settings_from({}).pipeline, model=model, grid=grid)
    made = TrustPipeline.load(settings)
    judge = made.ood_model
    if judge is not None and grid == "image":
        judge = replace(judge, image_sizes=(), grid=None)
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
        grid=grid,
    )


def thresholds() -> ThresholdSettings:
    """The node's default thresholds."""
    return settings_from({}).thresholds
