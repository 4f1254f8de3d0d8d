"""Builds the statuses of /diagnostics from plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from trust_seg_ros.meta.ood_judge import fitted_thresholds
from trust_seg_ros.node.caution_report import FORGOTTEN, NO_GROUND, NO_POINTS, WITHDRAWN, CautionReport
from trust_seg_ros.node.feedback import REFUSED
from trust_seg_ros.node.findings import image_period
from trust_seg_ros.node.levels import ERROR, OK, WARN, Steady
from trust_seg_ros.node.liveness import Status, Verdict, verdict
from trust_seg_ros.node.parameter_notes import ParameterNotes
from trust_seg_ros.node.statistics import Spread, Summary
from trust_seg_ros.node.threshold_watch import InForce
from trust_seg_ros.node.view import NOT_AVAILABLE, NodeView
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.remarks import remarks
from trust_seg_ros.segmentation.protocol import network_remarks
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.policies.settings import PolicySettings
from trust_seg_ros.thresholds.settings import OF_MODEL, OOD_OF_MODEL

__all__ = ["ERROR", "OK", "WARN", "NodeView", "report", "with_model"]


def with_model(view: NodeView, pipeline: TrustPipeline, in_force: InForce) -> NodeView:
    """The view of a node that has loaded this pipeline, with its current thresholds."""
    thresholds = view.settings.thresholds
    return replace(
        view,
        model=model_facts(pipeline),
        ood_meta=ood_meta_words(pipeline, thresholds),
        remarks=remarks(pipeline, thresholds),
        outside=pipeline.outside,
        in_force=in_force,
    )


def model_facts(pipeline: TrustPipeline) -> dict[str, str]:
    """Facts about the loaded model, key -> value."""
    network, meta = pipeline.network, pipeline.meta
    gradient = pipeline.gradient
    return {
        "model": network.name,
        "sha256": network_sha256(network) or NOT_AVAILABLE,
        "classes": f"{len(network.labels.names)} ({network.labels.name})",
        "meta model": "none" if meta is None else getattr(meta, "name", "loaded"),
        "ood meta model": "none" if pipeline.ood_model is None else f"of {pipeline.ood_model.score}",
        "calibration": "none" if pipeline.calibration is None else pipeline.calibration.describe(),
        "grid": str(pipeline.grid),
        "segments from": pipeline.segments_from,
        "tracking": str(pipeline.tracking),
        "gradient": f"p = {gradient.p:g}, {gradient.variant}",
        "device": str(network.device),
        "gpu kernels": pipeline.gpu_kernels,
        "backend": getattr(network, "backend", "torch"),
        "passes": str(getattr(network, "passes", "one pass")),
        "shared": str(getattr(network, "batch", "no")),
        "half precision": str(network.input_spec.half).lower(),
        "remarks": "; ".join(network_remarks(network)) or "none",
    }


def ood_meta_words(pipeline: TrustPipeline, thresholds: ThresholdSettings) -> str:
    """Which model judges OoD segments under these thresholds, and the threshold it was fitted at if that differs."""
    model, fitted = pipeline.ood_model, pipeline.ood_fitted_at
    if model is None or fitted is None:
        return "none: no P(OoD)"
    if model.score != thresholds.ood_score:
        return f"none for {thresholds.ood_score}: no P(OoD)"
    if gap := model.size_gap(pipeline.grid_size):
        return f"none: no P(OoD), {gap}"
    text = f"segments of {model.score} at {fitted:g}"
    ood = pipeline.resolved(thresholds).ood
    if ood.policy == "fixed" and math.isclose(fitted, ood.value, rel_tol=1e-6):
        return text
    other = f"{ood.value:g}" if ood.policy == "fixed" else ood.describe()
    effect = "" if _fitted_at(pipeline, ood) else ", nothing is discarded"
    return f"{text}, the current threshold is {other}: P(OoD) is less certain{effect}"


def _fitted_at(pipeline: TrustPipeline, ood: PolicySettings) -> bool:
    """Whether the OoD meta model was fitted at this constant threshold, among others."""
    model = pipeline.ood_model
    if model is None or ood.policy != "fixed":
        return False
    low, high = fitted_thresholds(model, pipeline.gradient)
    return low <= ood.value <= high


def report(view: NodeView, judged: Verdict | None = None) -> list[DiagnosticStatus]:
    """All statuses of one report.

    Args:
        view: snapshot of the node.
        judged: levels and messages of camera and processing; None = those of this view alone.
    """
    judged = verdict(view, Steady(), Steady(), 0.0) if judged is None else judged
    always = [_camera(view, judged.camera), _processing(view, judged.processing), _thresholds(view), _model(view)]
    return always if view.caution is None else [*always, _caution(view, view.caution)]


def _camera(view: NodeView, judged: Status) -> DiagnosticStatus:
    camera, summary, ages = view.camera, view.summary, view.ages
    values = {
        "topic": camera.topic,
        "publishers": str(camera.publishers),
        "reliability": camera.reliability or NOT_AVAILABLE,
        "frames/s": f"{summary.input_rate:.1f}",
        "last image s ago": _seconds(ages.image),
        "usual period s": _seconds(image_period(ages, view.settings.liveness)),
        "received": _count(summary, "received"),
        "overwritten": _count(summary, "overwritten"),
        "refused": _count(summary, "refused"),
        "last refusal": summary.reason("refused") or "none",
        "time jumps": _count(summary, "time_jumps"),
        "images": "; ".join(summary.image_remarks) or "as they are",
    }
    return _status(view, "camera", *judged, values)


def _processing(view: NodeView, judged: Status) -> DiagnosticStatus:
    summary, ages = view.summary, view.ages
    values = {
        "processing ms (p50)": _ms(summary.processing, "p50"),
        "processing ms (p99)": _ms(summary.processing, "p99"),
        "latency ms (p50)": _ms(summary.latency, "p50"),
        "latency ms (p99)": _ms(summary.latency, "p99"),
        "frames/s": f"{summary.output_rate:.1f}",
        "last result s ago": _seconds(ages.result),
        "longest in hand s": _seconds(ages.longest),
        "processed": _count(summary, "processed"),
        "nobody listened": _count(summary, "unwatched"),
        "failed": _count(summary, "failed"),
        "last failure": summary.reason("failed") or "none",
        "faulty": _count(summary, "faulty"),
        "frozen": _count(summary, "frozen"),
        "too old": _count(summary, "late"),
    }
    values |= {f"{step} ms (p50)": f"{ms:.1f}" for step, ms in summary.steps.items()}
    return _status(view, "processing", *judged, values)


def _thresholds(view: NodeView) -> DiagnosticStatus:
    settings, summary = view.settings.thresholds, view.summary
    in_force = InForce(_set_constants(settings)) if view.in_force is None else view.in_force
    numbers = in_force.numbers
    told = {name: _number(numbers.get(name)) for name in ("unreliable", "pixel", "ood")}
    sizes = {"unreliable_min_share": f"{settings.min_share:g}", "ood_min_size": str(settings.ood_min_size)}
    values = {**told, "ood_meta": _number(numbers.get("ood_meta")), **sizes}
    values |= {f"{target} policy": policy.describe() for target, policy in settings.policies.items()}
    values["pixel policy"] = in_force.pixel_policy or values["pixel policy"]
    if in_force.pixel_groups:
        values["pixel thresholds"] = in_force.pixel_groups
    values |= {
        "pixel_score": settings.pixel_score,
        "ood_score": settings.ood_score,
        "ood meta model": view.ood_meta,
        "pixels flagged": _percent(summary.flagged_pixels),
        "segments flagged": _percent(summary.flagged_segments),
        **{f"{what} outside the fitted range": _percent(share) for what, share in view.outside.items()},
        "calibration shift": in_force.shift,
        "watched for shift": in_force.watched,
        "not watched for shift": in_force.not_watched,
        "guarantee": in_force.guarantee,
        **in_force.adapted,
        "void by shift": in_force.void or "nothing",
        "still holds": in_force.holds or "everything",
    }
    refused = ""
    if in_force.adapted:
        last = summary.reason(REFUSED)
        refused = f"feedback refused: {last}" if view.new(REFUSED) else ""
        values |= {REFUSED: _count(summary, REFUSED), "last feedback refused": last or "none"}
    level, message = OK, ", ".join(f"{name} {value}" for name, value in told.items())
    fired = (f"the data no longer resembles the calibration data, {in_force.fired}",) if in_force.fired else ()
    if view.remarks or fired or refused:
        level, message = WARN, "; ".join((*fired, *view.remarks, *filter(None, [refused])))
    return _status(view, "thresholds", level, message, values)


def _caution(view: NodeView, report: CautionReport) -> DiagnosticStatus:
    level, message = report.judged(view.idle, view.new(NO_GROUND), view.summary.reason(NO_GROUND))
    values = {
        **report.values,
        "frames without a map": _count(view.summary, NO_GROUND),
        "last reason": view.summary.reason(NO_GROUND) or "none",
        "started anew": _count(view.summary, FORGOTTEN),
        "last reason to start anew": view.summary.reason(FORGOTTEN) or "none",
        "emptied as too old": _count(view.summary, WITHDRAWN),
        "frames without points": _count(view.summary, NO_POINTS),
        "last reason without points": view.summary.reason(NO_POINTS) or "none",
    }
    return _status(view, "caution", level, message, values)


def _set_constants(settings: ThresholdSettings) -> dict[str, float]:
    found = {target: policy.value for target, policy in settings.policies.items() if policy.policy == "fixed"}
    left_open = (("ood_meta", OF_MODEL), ("ood", OOD_OF_MODEL))
    return {target: value for target, value in found.items() if (target, value) not in left_open}


def _number(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f"{value:g}"


def _percent(share: float | None) -> str:
    return NOT_AVAILABLE if share is None else f"{100 * share:.2f} %"


def _model(view: NodeView) -> DiagnosticStatus:
    level, message = OK, view.model.get("model", f"none: the node is {view.state}")
    noted = view.model.get("remarks", "none")
    if noted != "none":
        level, message = WARN, f"{message}: {noted}"
    if view.problem:
        level, message = ERROR, view.problem
    values = {"lifecycle": view.state, "enabled": str(view.enabled).lower(), **view.model}
    values.setdefault("model", NOT_AVAILABLE)
    values.setdefault("device", NOT_AVAILABLE)
    return _status(view, "model", level, message, values)


def parameters_status(view: NodeView, notes: ParameterNotes) -> DiagnosticStatus:
    """The status of settings that have no effect."""
    level, message = OK, "every parameter that was set is known"
    if notes.warnings:
        level, message = WARN, "; ".join(notes.warnings)
    values = {
        "unknown parameters": ", ".join(notes.unknown) or "none",
        "files and options without effect": "; ".join(notes.unheard) or "none",
        "unknown names for every node": ", ".join(notes.of_others) or "none",
    }
    return _status(view, "parameters", level, message, values)


def _count(summary: Summary, name: str) -> str:
    return str(summary.counts.get(name, 0))


def _seconds(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f"{value:.2f}"


def _ms(spread: Spread | None, part: str) -> str:
    return NOT_AVAILABLE if spread is None else f"{getattr(spread, part):.1f}"


def _status(view: NodeView, part: str, level: bytes, message: str, values: Mapping[str, str]) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(
        level=level,
        name=f"{view.name.lstrip('/')}: {part}",
        message=message,
        hardware_id=view.camera.topic,
        values=pairs,
    )
