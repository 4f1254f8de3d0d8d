"""Builds the statuses of /diagnostics from plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from trust_seg_ros.node.camera import CameraView
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.node.statistics import Spread, Summary
from trust_seg_ros.node.threshold_watch import InForce
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.remarks import remarks
from trust_seg_ros.segmentation.protocol import network_remarks
from trust_seg_ros.thresholds import ThresholdSettings

NOT_AVAILABLE = "n/a"
SILENCE_S = 1.0
"""A camera that sent nothing for this long, or for five of its own periods, is called silent."""

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@dataclass(frozen=True)
class NodeView:
    """Input of one diagnostics report.

    Attributes:
        name: fully qualified name of the node.
        state: lifecycle state.
        enabled: whether the node listens to the camera, as last set by ``~/enable``.
        settings: the current parameters.
        camera: state of the camera topic in the ROS graph.
        summary: counters and times.
        open_s: seconds since the camera was subscribed to; None while it is not.
        model: facts about the loaded model; empty while there is none.
        ood_meta: which model judges out-of-distribution segments, in words.
        remarks: warnings about the current thresholds.
        in_force: current thresholds; None without a model, and then constants are reported as set.
        working: whether the worker accepts frames; only looked at while the node is active.
        problem: why the last transition failed, or "".
        before: counters at the last report, to detect new events.
    """

    name: str
    state: str
    enabled: bool
    settings: NodeSettings
    camera: CameraView
    summary: Summary
    open_s: float | None = None
    model: Mapping[str, str] = field(default_factory=dict)
    ood_meta: str = NOT_AVAILABLE
    remarks: tuple[str, ...] = ()
    in_force: InForce | None = None
    working: bool = True
    problem: str = ""
    before: Mapping[str, int] = field(default_factory=dict)


def with_model(view: NodeView, pipeline: TrustPipeline, in_force: InForce) -> NodeView:
    """The view of a node that has loaded this pipeline, with its current thresholds."""
    thresholds = view.settings.thresholds
    return replace(
        view,
        model=model_facts(pipeline),
        ood_meta=ood_meta_words(pipeline, thresholds),
        remarks=remarks(pipeline, thresholds),
        in_force=in_force,
    )


def model_facts(pipeline: TrustPipeline) -> dict[str, str]:
    """Facts about the loaded model, key -> value."""
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
        "remarks": "; ".join(network_remarks(network)) or "none",
    }


def ood_meta_words(pipeline: TrustPipeline, thresholds: ThresholdSettings) -> str:
    """Which model judges OoD segments under these thresholds, and the threshold it was fitted at if that differs."""
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
    return f"{text}, the current threshold is {other}: P(OoD) is less certain"


def report(view: NodeView) -> list[DiagnosticStatus]:
    """All statuses of one report."""
    return [_camera(view), _processing(view), _thresholds(view), _model(view)]


def camera_state(view: NodeView) -> tuple[bytes, str]:
    """Level and message of the camera's status."""
    camera, summary = view.camera, view.summary
    if view.state != "active":
        return OK, f"not listening: the node is {view.state}"
    if not view.enabled:
        return OK, "not listening: disabled by ~/enable"
    if view.open_s is None:
        return ERROR, f"not listening: {camera.topic} could not be subscribed to; call ~/enable to try again"
    if camera.publishers == 0:
        return WARN, f"no publisher on {camera.topic}"
    if camera.wanted_type not in camera.types:
        hint = "; set the parameter input" if any("Image" in t for t in camera.types) else ""
        return ERROR, f"{camera.topic} carries {', '.join(camera.types)}, expected {camera.wanted_type}{hint}"
    if camera.incompatible:
        return ERROR, f"incompatible QoS: {camera.incompatible}"
    silent = view.open_s if summary.silent_s is None else summary.silent_s
    patience = max(SILENCE_S, 5 / summary.input_rate) if summary.input_rate else SILENCE_S
    if silent > patience:
        return ERROR, (
            f"publisher present, no frames arriving for {silent:.1f} s (paused? image larger than the transport's "
            "shared memory? see config/fastdds_shm.xml)"
        )
    if summary.silent_s is None:
        return OK, "waiting for the first frame"
    if _new(view, "refused"):
        return WARN, summary.last_refusal
    return OK, f"{summary.input_rate:.1f} frames/s"


def _camera(view: NodeView) -> DiagnosticStatus:
    level, message = camera_state(view)
    camera, summary = view.camera, view.summary
    values = {
        "topic": camera.topic,
        "publishers": str(camera.publishers),
        "reliability": camera.reliability or NOT_AVAILABLE,
        "frames/s": f"{summary.input_rate:.1f}",
        "received": _count(summary, "received"),
        "overwritten": _count(summary, "overwritten"),
        "refused": _count(summary, "refused"),
        "last refusal": summary.last_refusal or "none",
        "time jumps": _count(summary, "time_jumps"),
        "images": "; ".join(summary.image_remarks) or "as they are",
    }
    return _status(view, "camera", level, message, values)


def _processing(view: NodeView) -> DiagnosticStatus:
    summary = view.summary
    level, message = OK, "no frame yet"
    if summary.processing is not None:
        message = f"{summary.processing.p50:.1f} ms per frame, {summary.output_rate:.1f} frames/s"
    if _new(view, "unwatched") and not _new(view, "processed"):
        message = "nobody subscribes to an output, so nothing is computed"
    if _new(view, "late"):
        level, message = WARN, f"results are older than max_age_ms = {view.settings.max_age_ms:g}"
    if _new(view, "unfilled"):
        level, message = WARN, summary.last_unfilled
    if _new(view, "faulty"):
        level, message = WARN, summary.last_fault
    if _new(view, "failed"):
        level, message = ERROR, f"frames are lost: {summary.last_failure}"
    if view.state == "active" and not view.working:
        level, message = ERROR, "the worker is not running, so no frame is processed; deactivate and activate the node"
    values = {
        "processing ms (p50)": _ms(summary.processing, "p50"),
        "processing ms (p99)": _ms(summary.processing, "p99"),
        "latency ms (p50)": _ms(summary.latency, "p50"),
        "latency ms (p99)": _ms(summary.latency, "p99"),
        "frames/s": f"{summary.output_rate:.1f}",
        "processed": _count(summary, "processed"),
        "nobody listened": _count(summary, "unwatched"),
        "failed": _count(summary, "failed"),
        "last failure": summary.last_failure or "none",
        "faulty": _count(summary, "faulty"),
        "too old": _count(summary, "late"),
    }
    values |= {f"{step} ms (p50)": f"{ms:.1f}" for step, ms in summary.steps.items()}
    return _status(view, "processing", level, message, values)


def _thresholds(view: NodeView) -> DiagnosticStatus:
    settings, summary = view.settings.thresholds, view.summary
    in_force = InForce(_set_constants(settings)) if view.in_force is None else view.in_force
    numbers = in_force.numbers
    told = {name: _number(numbers.get(name)) for name in ("unreliable", "pixel", "ood")}
    values = {**told, "ood_meta": _number(numbers.get("ood_meta")), "ood_min_size": str(settings.ood_min_size)}
    values |= {f"{target} policy": policy.describe() for target, policy in settings.policies.items()}
    values |= {
        "pixel_score": settings.pixel_score,
        "ood_score": settings.ood_score,
        "ood meta model": view.ood_meta,
        "pixels flagged": _percent(summary.flagged_pixels),
        "segments flagged": _percent(summary.flagged_segments),
        "calibration shift": in_force.shift,
        "guarantee": in_force.guarantee,
    }
    level, message = OK, ", ".join(f"{name} {value}" for name, value in told.items())
    fired = (f"the data no longer resembles the calibration data, {in_force.fired}",) if in_force.fired else ()
    if view.remarks or fired:
        level, message = WARN, "; ".join((*fired, *view.remarks))
    return _status(view, "thresholds", level, message, values)


def _set_constants(settings: ThresholdSettings) -> dict[str, float]:
    return {target: policy.value for target, policy in settings.policies.items() if policy.policy == "fixed"}


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


def _new(view: NodeView, counter: str) -> bool:
    return view.summary.counts.get(counter, 0) > view.before.get(counter, 0)


def _count(summary: Summary, name: str) -> str:
    return str(summary.counts.get(name, 0))


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
