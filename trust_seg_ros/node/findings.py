"""What is wrong with the camera and with the processing, as findings with levels; pure functions of a view."""

from __future__ import annotations

from collections.abc import Iterator

from trust_seg_ros.node.arrivals import PACKETS, TYPES
from trust_seg_ros.node.levels import ERROR, OK, WARN, Finding
from trust_seg_ros.node.parameters_liveness import LivenessSettings
from trust_seg_ros.node.timeline import UNKNOWN_S, Ages
from trust_seg_ros.node.view import NodeView
from trust_seg_ros.trust_state.reasons import OF_IMAGES

_JITTER_S = 0.05
"""What is late by less than this is not late."""

_TOO_OLD = 2.5
"""A frame that is in hand for so many times ``max_age_ms`` is an error."""

_CLOCK_STILL_S = 0.2
_STOOD_STILL_S = 1.0


def stale_level(age_s: float, period_s: float, limits: LivenessSettings) -> bytes:
    """The level of something that comes every ``period_s`` and has now been due for ``age_s`` seconds."""
    if age_s > limits.error_periods * period_s + _JITTER_S:
        return ERROR
    return WARN if age_s > limits.warn_periods * period_s + _JITTER_S else OK


def image_period(ages: Ages, limits: LivenessSettings) -> float:
    """Usual seconds between two images: as set, or else as measured."""
    return limits.image_period_s or ages.period


def image_level(ages: Ages, open_s: float, limits: LivenessSettings) -> bytes:
    """The level of the camera by the age of its last image, or by the time it was waited for."""
    if ages.image is None:
        return stale_level(open_s, max(limits.image_period_s, UNKNOWN_S), limits)
    return stale_level(ages.image_gap, image_period(ages, limits), limits)


def result_level(ages: Ages, limits: LivenessSettings) -> bytes:
    """The level of the processing by the age of the frame in hand, and of images without an answer."""
    return stale_level(max(ages.hand, ages.owed), result_period(ages, limits), limits)


def result_period(ages: Ages, limits: LivenessSettings) -> float:
    """Usual seconds between two results: those between images, or those of a frame in the node if they are longer."""
    took = UNKNOWN_S if ages.result is None else ages.took
    return max(image_period(ages, limits), took)


def camera_findings(view: NodeView) -> Iterator[Finding]:
    """What is wrong with the camera of a node that should listen to it."""
    camera, ages = view.camera, view.ages
    if view.open_s is None:
        text = f"not listening: {camera.topic} could not be subscribed to; call ~/enable to try again"
        yield Finding("closed", ERROR, text, held=False)
        return
    if camera.publishers and camera.wanted_type not in camera.types:
        hint = ""
        if TYPES[PACKETS] in camera.types:
            hint = f"; install {TYPES[PACKETS].split('/')[0]}, then set the parameter input: packets"
        elif any("Image" in t for t in camera.types):
            hint = "; set the parameter input"
        text = f"{camera.topic} carries {', '.join(camera.types)}, expected {camera.wanted_type}{hint}"
        yield Finding("graph", ERROR, text)
    elif camera.incompatible:
        yield Finding("graph", ERROR, f"incompatible QoS: {camera.incompatible}")
    elif not camera.publishers and ages.image is None:
        yield Finding("no publisher", WARN, f"no publisher on {camera.topic}", held=False)
    else:
        yield from _stale_images(view, view.open_s)
    if view.new("refused"):
        yield Finding("refused", WARN, view.summary.reason("refused"))
    if view.new("still"):
        yield Finding("still", WARN, f"{view.summary.input_rate:.1f} frames/s, but {view.summary.reason('still')}")
    for key in OF_IMAGES:
        if view.new(key):
            yield Finding(key, WARN, view.summary.reason(key))


def _stale_images(view: NodeView, open_s: float) -> Iterator[Finding]:
    ages, limits = view.ages, view.settings.liveness
    level = image_level(ages, open_s, limits)
    if level == OK:
        return
    period = image_period(ages, limits)
    if ages.image is not None and stale_level(ages.image, period, limits) < level:
        text = f"{ages.image_gap:.1f} s without an image, usually {period:.2g} s"
    elif not view.camera.publishers:
        text = f"no publisher on {view.camera.topic} any more, last image {ages.image or 0.0:.1f} s ago"
    elif view.clock_still_s > _CLOCK_STILL_S:
        level = WARN
        text = f"{_no_frames(ages, open_s)}, and simulated time stands still (paused?)"
    else:
        text = (
            f"{_no_frames(ages, open_s)} (paused? image larger than the transport's shared memory? "
            "see config/fastdds_shm.xml)"
        )
    yield Finding("images", level, text)


def _no_frames(ages: Ages, open_s: float) -> str:
    return f"publisher present, no frames arriving for {open_s if ages.image is None else ages.image:.1f} s"


def camera_fine(view: NodeView) -> str:
    """The message about a camera with which nothing is wrong."""
    if view.ages.image is None:
        return "waiting for the first frame"
    return f"{view.summary.input_rate:.1f} frames/s"


def processing_findings(view: NodeView) -> Iterator[Finding]:
    """What is wrong with the processing of an active node."""
    summary, limit_s = view.summary, view.settings.max_age_ms / 1e3
    if not view.working:
        text = "the worker is not running, so no frame is processed; deactivate and activate the node"
        yield Finding("worker", ERROR, text, held=False)
        return
    yield from _stale_results(view)
    if 0 < limit_s < view.ages.longest:
        text = f"a frame has been in hand for {view.ages.longest:.1f} s, max_age_ms = {1e3 * limit_s:g}"
        yield Finding("slow", _too_old(view.ages.longest, limit_s), text)
    if view.new("failed"):
        yield Finding("failed", ERROR, f"frames are lost: {summary.reason('failed')}")
    if view.new("frozen"):
        yield Finding("frozen", ERROR, summary.reason("frozen"))
    if view.new("faulty"):
        yield Finding("faulty", ERROR if view.new("blind") else WARN, summary.reason("faulty"))
    if view.new("implausible"):
        yield Finding("implausible", WARN, view.summary.reason("implausible"))
    if view.new("late"):
        yield Finding("late", WARN, summary.reason("late"))
    if view.new("unfilled"):
        yield Finding("unfilled", WARN, summary.reason("unfilled"))
    if view.new("tracks_lost"):
        yield Finding("tracks", WARN, summary.reason("tracks_lost"))
    if view.settings.mode == "every" and view.new("overwritten"):
        yield Finding("dropped", WARN, f"mode every: the queue is full, {view.new('overwritten')} frames were dropped")
    if view.stood_still_s > _STOOD_STILL_S:
        text = f"the whole node stood still for {view.stood_still_s:.1f} s (stopped, or without processor time)"
        yield Finding("stood still", _too_old(view.stood_still_s, limit_s), text)


def _too_old(seconds: float, limit_s: float) -> bytes:
    """The level of a node that gives no result for longer than the largest age."""
    return ERROR if 0 < _TOO_OLD * limit_s < seconds else WARN


def _stale_results(view: NodeView) -> Iterator[Finding]:
    ages, limits = view.ages, view.settings.liveness
    level = result_level(ages, limits)
    if level == OK:
        return
    usual = f"usually {result_period(ages, limits):.2g} s"
    if ages.hand >= ages.owed / 2:
        text = f"a frame has been in hand for {ages.hand:.1f} s, {usual}"
    elif view.new("refused"):
        text = f"{ages.owed:.1f} s without a result: images are refused"
    else:
        text = f"{ages.owed:.1f} s without a result although images arrive, {usual}"
    yield Finding("results", level, text)


def processing_fine(view: NodeView) -> str:
    """The message about processing with which nothing is wrong."""
    summary, ages = view.summary, view.ages
    if summary.unwatched:
        return "nobody subscribes to an output, so nothing is computed"
    if ages.result is None:
        return "no frame yet"
    limits = view.settings.liveness
    if ages.image is not None and stale_level(ages.image, image_period(ages, limits), limits) != OK:
        return f"nothing to do: no image for {ages.image:.1f} s"
    if summary.processing is None or not summary.output_rate:
        return f"last result {ages.result:.1f} s ago"
    return f"{summary.processing.p50:.1f} ms per frame, {summary.output_rate:.1f} frames/s"
