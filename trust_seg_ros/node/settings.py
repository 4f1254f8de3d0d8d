"""The node's parameters as one immutable snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trust_seg_ros.node.parameters import TABLE
from trust_seg_ros.node.parameters_calm import calm_settings
from trust_seg_ros.node.parameters_caution import CautionNodeSettings, caution_settings
from trust_seg_ros.node.parameters_liveness import LivenessSettings
from trust_seg_ros.node.parameters_output import output_size
from trust_seg_ros.node.parameters_passes import passes_settings
from trust_seg_ros.node.parameters_tracking import tracking_settings
from trust_seg_ros.node.parameters_trust_state import TrustStateSettings, trust_state_settings
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.policies.registry import parameters_of
from trust_seg_ros.thresholds.shift import ShiftSettings
from trust_seg_ros.thresholds.targets import TARGETS
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings


@dataclass(frozen=True)
class NodeSettings:
    """All parameters at one moment. The worker reads it once per frame, so a frame never sees a half-applied change."""

    autostart: bool
    pipeline: PipelineSettings
    batch: tuple[float, int]  # seconds that an image may be held back for other cameras, images in a pass
    warm_up_size: tuple[int, int]
    input: str
    mode: str
    queue_size: int
    image_reliability: str
    max_image_pixels: int
    image_bits: int
    refuse_damaged_jpegs: bool
    max_age_ms: float
    perturbation_budget_ms: float
    input_budget_ms: float
    thresholds: ThresholdSettings
    gradient_label: str
    entropy_encoding: str
    every_segment: bool
    overlay_alpha: float
    output_size: str
    diagnostics_period_s: float
    liveness: LivenessSettings
    trust_state: TrustStateSettings
    caution: CautionNodeSettings

    @property
    def capacity(self) -> int:
        """Frames that may wait for the worker."""
        return self.queue_size if self.mode == "every" else 1


def settings_from(values: Mapping[str, Any]) -> NodeSettings:
    """Build the settings from parameter values; missing ones get their default, unknown ones are ignored.

    Raises:
        ParameterError: a value is invalid.
    """
    v: dict[str, Any] = {p.name: p.check(values.get(p.name, p.default)) for p in TABLE}
    return NodeSettings(
        autostart=v["autostart"],
        pipeline=_pipeline(v),
        batch=(v["batch.wait_ms"] / 1e3, v["batch.images"]),
        warm_up_size=(v["warm_up.height"], v["warm_up.width"]),
        input=v["input"],
        mode=v["mode"],
        queue_size=v["queue_size"],
        image_reliability=v["image_reliability"],
        max_image_pixels=v["max_image_pixels"],
        image_bits=v["image_bits"],
        refuse_damaged_jpegs=v["refuse_damaged_jpegs"],
        max_age_ms=v["max_age_ms"],
        perturbation_budget_ms=v["perturbation.budget_ms"],
        input_budget_ms=v["model_input.budget_ms"],
        thresholds=_thresholds(v),
        gradient_label=v["gradient.label"],
        entropy_encoding=v["entropy_encoding"],
        every_segment=v["publish_all_segments"],
        overlay_alpha=v["overlay.alpha"],
        output_size=output_size(v),
        diagnostics_period_s=v["diagnostics.period_s"],
        liveness=LivenessSettings(
            image_period_s=v["diagnostics.image_period_ms"] / 1e3,
            warn_periods=v["diagnostics.warn_periods"],
            error_periods=v["diagnostics.error_periods"],
            frozen_s=v["diagnostics.frozen_s"],
            hold_s=v["diagnostics.hold_s"],
        ),
        trust_state=trust_state_settings(v),
        caution=caution_settings(v),
    )


def _policy(v: Mapping[str, Any], target: str, **shared: Any) -> PolicySettings:
    """The policy settings of one target, from its parameters."""
    name = TARGETS[target].parameter
    own = {field: v[name(field)] for field in parameters_of(target)}
    return PolicySettings(v[name("policy")], **own, **shared)


def _thresholds(v: Mapping[str, Any]) -> ThresholdSettings:
    shared = {"smoothing_s": v["thresholds.smoothing_s"], "on_shift": v["on_shift"]}
    return ThresholdSettings(
        pixel=_policy(v, "pixel", **shared),
        pixel_score=v["thresholds.pixel_score"],
        unreliable=_policy(v, "unreliable", **shared),
        unreliable_min_share=v["thresholds.unreliable_min_share"],
        ood=_policy(v, "ood", **shared),
        ood_score=v["ood.score"],
        ood_min_size=v["ood.min_size"],
        ood_meta=_policy(v, "ood_meta"),
        shift=ShiftSettings(window_s=v["shift.window_s"], level=v["shift.level"]),
        perturbation=PerturbationSettings(
            "input_noise",  # pixel_score names the kind
            passes=v["perturbation.passes"],
            sigma=v["perturbation.noise"],
            dropout=v["perturbation.dropout"],
            statistic=v["perturbation.statistic"],
        ),
        calm=calm_settings(v),
    )


def _pipeline(v: Mapping[str, Any]) -> PipelineSettings:
    size = (v["model_input.height"], v["model_input.width"])
    override = v["model_input.override_normalisation"]
    return PipelineSettings(
        model=v["model"],
        model_sha256=v["model_sha256"],
        features_layer=v["features_layer"],
        labels=v["labels"],
        meta_model=v["meta_model"],
        ood_meta_model=v["ood.meta_model"],
        calibration=v["calibration"],
        grid=v["grid"],
        segments_from=v["segments_from"],
        gradient=GradientSettings(v["gradient.p"], v["gradient.variant"], "log"),
        device=v["device"],
        threads=v["threads"],
        half=v["half"],
        gpu_kernels=v["gpu_kernels"],
        backend=v["backend"],
        providers=v["providers"],
        cuda_graph=v["cuda_graph"],
        input_size=size if min(size) > 0 else None,
        mean=tuple(v["model_input.mean"]) if override else None,
        std=tuple(v["model_input.std"]) if override else None,
        order=None if v["model_input.order"] == "auto" else v["model_input.order"],
        tracking=tracking_settings(v),
        **passes_settings(v),
    )
