import math
from dataclasses import replace

import pytest

from trust_seg_ros.node.camera import CameraView
from trust_seg_ros.node.diagnostics import ERROR, OK, WARN, NodeView, camera_state, report
from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.node.statistics import Spread, Summary
from trust_seg_ros.node.threshold_watch import InForce

IMAGE = "sensor_msgs/msg/Image"
CAMERA = CameraView("/front/image", IMAGE, (IMAGE,), 1, "reliable", "")
RUNNING = Summary({"received": 10}, input_rate=10.0, silent_s=0.05)
VIEW = NodeView("/front/trust_seg", "active", True, settings_from({}), CAMERA, RUNNING, open_s=100.0)


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, OK, "10.0 frames/s"),
        ({"state": "inactive"}, OK, "the node is inactive"),
        ({"enabled": False, "open_s": None}, OK, "disabled by ~/enable"),
        ({"open_s": None}, ERROR, "/front/image could not be subscribed to"),
        ({"camera": replace(CAMERA, publishers=0, types=())}, WARN, "no publisher on /front/image"),
        ({"camera": replace(CAMERA, types=("sensor_msgs/msg/CompressedImage",))}, ERROR, "set the parameter input"),
        (
            {"camera": replace(CAMERA, incompatible="driver: reliability")},
            ERROR,
            "incompatible QoS: driver: reliability",
        ),
        ({"summary": replace(RUNNING, silent_s=3.2)}, ERROR, "publisher present, no frames arriving for 3.2 s"),
        ({"summary": Summary({})}, ERROR, "no frames arriving for 100.0 s"),
        ({"summary": Summary({}), "open_s": 0.3}, OK, "waiting for the first frame"),
        ({"summary": replace(RUNNING, input_rate=0.5, silent_s=3.2)}, OK, "0.5 frames/s"),
        ({"summary": replace(RUNNING, counts={"refused": 1}, last_refusal="bad step")}, WARN, "bad step"),
        (
            {"summary": replace(RUNNING, counts={"refused": 1}, last_refusal="bad step"), "before": {"refused": 1}},
            OK,
            "frames/s",
        ),
    ],
)
def test_the_camera_is_described(changes, level, words):
    state = camera_state(replace(VIEW, **changes))
    assert state[0] == level
    assert words in state[1]


def status(part, **changes):
    found = {s.name: s for s in report(replace(VIEW, **changes))}
    return found[f"front/trust_seg: {part}"]


def values(part, **changes):
    return {v.key: v.value for v in status(part, **changes).values}


def test_times_are_not_available_before_the_first_frame_or_without_a_clock():
    before = values("processing")
    assert (before["processing ms (p50)"], before["latency ms (p99)"]) == ("n/a", "n/a")
    summary = replace(RUNNING, processing=Spread(20.0, 31.5), steps={"network": 12.3})
    after = values("processing", summary=summary)
    assert (after["processing ms (p99)"], after["network ms (p50)"]) == ("31.5", "12.3")
    assert after["latency ms (p50)"] == "n/a"


def test_only_what_is_new_since_the_last_report_warns():
    bad = replace(RUNNING, counts={"failed": 2, "late": 3, "faulty": 1}, last_failure="out of memory", last_fault="NaN")
    assert status("processing", summary=bad).level == ERROR
    assert "out of memory" in status("processing", summary=bad).message
    known = {"failed": 2}
    assert status("processing", summary=bad, before=known).message == "NaN"
    assert "max_age_ms" in status("processing", summary=bad, before=known | {"faulty": 1}).message
    assert status("processing", summary=bad, before=known | {"faulty": 1, "late": 3}).level == OK


def test_a_worker_that_does_not_run_is_an_error_while_the_node_is_active():
    assert status("processing", working=False).level == ERROR
    assert "worker is not running" in status("processing", working=False).message
    assert status("processing", working=False, state="inactive").level == OK


def test_what_is_remarkable_about_thresholds_is_a_warning():
    assert status("thresholds").level == OK
    assert status("thresholds").message == "unreliable 0.5, pixel 0.6, ood 0.7"
    odd = {"remarks": ("OoD threshold 3.2 is above", "no P(OoD)"), "ood_meta": "none for energy: no P(OoD)"}
    assert (status("thresholds", **odd).level, status("thresholds", **odd).message) == (
        WARN,
        "OoD threshold 3.2 is above; no P(OoD)",
    )
    assert values("thresholds", **odd)["ood meta model"] == "none for energy: no P(OoD)"
    assert values("thresholds")["ood_score"] == "entropy"
    assert values("thresholds")["ood_meta"] == "0.5"


def test_a_topic_that_cannot_be_filled_is_told_while_it_is_asked_for():
    unfilled = replace(RUNNING, counts={"unfilled": 4}, last_unfilled="~/gradient stays empty: no features")
    assert status("processing", summary=unfilled).level == WARN
    assert status("processing", summary=unfilled).message == "~/gradient stays empty: no features"
    assert status("processing", summary=unfilled, before={"unfilled": 4}).level == OK


def test_thresholds_and_model_are_told():
    assert values("thresholds")["unreliable"] == "0.5"
    assert values("thresholds")["calibration shift"] == "n/a"
    assert values("model")["device"] == "n/a"
    told = values("model", model={"model": "embedded", "device": "cuda:0"})
    assert (told["model"], told["device"], told["lifecycle"]) == ("embedded", "cuda:0", "active")
    assert status("model", problem="on_configure: missing.pt2").level == ERROR


def test_thresholds_in_force_their_policies_and_shifts_are_told():
    numbers = {"pixel": math.inf, "unreliable": 0.25, "ood_meta": 0.5}
    conformal = settings_from({"thresholds.pixel_policy": "conformal", "ood.policy": "otsu"})
    view = {"settings": conformal, "in_force": InForce(numbers, "none: entropy", "", "holds: pixel flags")}
    told = values("thresholds", **view)
    assert [told[key] for key in ("pixel", "unreliable", "ood", "ood_meta")] == ["inf", "0.25", "n/a", "0.5"]
    assert (told["pixel policy"], told["ood policy"]) == ("conformal alpha = 0.05", "otsu")
    assert (told["calibration shift"], told["guarantee"]) == ("none: entropy", "holds: pixel flags")
    assert status("thresholds", **view).message == "unreliable 0.25, pixel inf, ood n/a"
    fired = status("thresholds", in_force=InForce(numbers, fired="entropy: 3.1 standard deviations above"))
    assert (fired.level, "entropy: 3.1 standard deviations above" in fired.message) == (WARN, True)
    shares = replace(RUNNING, flagged_pixels=0.0625)
    assert values("thresholds", summary=shares)["pixels flagged"] == "6.25 %"
    assert values("thresholds", summary=shares)["segments flagged"] == "n/a"
