"""What /diagnostics tells of the loaded network and its meta models, in words."""

from __future__ import annotations

import math

from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.thresholds import ThresholdSettings


def model_facts(pipeline: TrustPipeline) -> dict[str, str]:
    """Key -> value."""
    network, meta = pipeline.network, pipeline.meta
    gradient = pipeline.gradient
    return {
        "model": network.name,
        "classes": f"{len(network.labels.names)} ({network.labels.name})",
        "meta model": "none" if meta is None else getattr(meta, "name", "loaded"),
        "ood meta model": "none" if pipeline.ood_model is None else f"of {pipeline.ood_model.score}",
        "calibration": "none" if pipeline.calibration is None else "loaded",
        "gradient": f"p = {gradient.p:g}, {gradient.variant}",
        "device": str(network.device),
        "half precision": str(network.input_spec.half).lower(),
    }


def ood_meta_words(pipeline: TrustPipeline, thresholds: ThresholdSettings) -> str:
    """What judges OoD segments under these thresholds, and at which threshold it was fitted where that differs."""
    model, fitted = pipeline.ood_model, pipeline.ood_fitted_at
    if model is None or fitted is None:
        return "none: no P(OoD)"
    if model.score != thresholds.ood_score:
        return f"none for {thresholds.ood_score}: no P(OoD)"
    if gap := model.size_gap(pipeline.image_size):
        return f"none: no P(OoD), {gap}"
    text = f"segments of {model.score} at {fitted:g}"
    ood = thresholds.ood
    if ood.policy == "fixed" and math.isclose(fitted, ood.value, rel_tol=1e-6):
        return text
    other = f"{ood.value:g}" if ood.policy == "fixed" else ood.describe()
    return f"{text}, in force is {other}: P(OoD) is less certain"
