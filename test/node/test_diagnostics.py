import math
from dataclasses import replace

import pytest

from trust_seg_ros.node.camera import CameraView
from trust_seg_ros.node.diagnostics import ERROR, OK, WARN, NodeView, report
from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.node.statistics import Spread, Summary
from trust_seg_ros.node.threshold_watch import InForce
from trust_seg_ros.node.timeline import Ages

IMAGE = "sensor_msgs/msg/Image"
CAMERA = CameraView("/front/image", IMAGE, (IMAGE,), 1, "reliable", "")
RUNNING = Summary({"received": 10}, input_rate=10.0)
AGES = Ages(image=0.05, image_gap=0.1, result=0.05, period=0.1, took=0.02)
VIEW = NodeView("/front/trust_seg", "active", True, settings_from({}), CAMERA, RUNNING, ages=AGES, open_s=100.0)


def camera_state(view):
    """Level and message of the camera's status."""
    (status,) = (s for s in report(view) if s.name.endswith(": camera"))
    return status.level, status.message


def silent(seconds):
    return replace(AGES, image=seconds, image_gap=seconds)


STILL = replace(RUNNING, counts={"still": 9}, reasons={"still": "the last 31 images are the same"})
REFUSED = replace(RUNNING, counts={"refused": 1}, reasons={"refused": "bad step"})


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, OK, "10.0 frames/s"),
        ({"state": "inactive"}, OK, "the node is inactive"),
        ({"enabled": False, "open_s": None}, OK, "disabled by ~/enable"),
        ({"open_s": None}, ERROR, "/front/image could not be subscribed to"),
        ({"camera": replace(CAMERA, publishers=0, types=()), "ages": Ages()}, WARN, "no publisher on /front/image"),
        (
            {"camera": replace(CAMERA, publishers=0, types=()), "ages": silent(23.1)},
            ERROR,
            "no publisher on /front/image any more, last image 23.1 s ago",
        ),
        ({"camera": replace(CAMERA, types=("sensor_msgs/msg/CompressedImage",))}, ERROR, "set the parameter input"),
        (
            {"camera": replace(CAMERA, incompatible="driver: reliability")},
            ERROR,
            "incompatible QoS: driver: reliability",
        ),
        ({"ages": silent(3.2)}, ERROR, "publisher present, no frames arriving for 3.2 s"),
        ({"ages": silent(0.4)}, WARN, "publisher present, no frames arriving for 0.4 s"),
        ({"ages": replace(AGES, image_gap=0.7)}, ERROR, "0.7 s without an image, usually 0.1 s"),
        ({"ages": Ages()}, ERROR, "no frames arriving for 100.0 s"),
        ({"ages": Ages(), "open_s": 0.3}, OK, "waiting for the first frame"),
        ({"summary": replace(RUNNING, input_rate=0.5), "ages": replace(silent(3.2), period=2.0)}, OK, "0.5 frames/s"),
        ({"ages": silent(9.0), "clock_still_s": 9.0}, WARN, "simulated time stands still"),
        ({"summary": STILL}, WARN, "10.0 frames/s, but the last 31 images are the same"),
        ({"summary": REFUSED}, WARN, "bad step"),
        ({"summary": REFUSED, "before": {"refused": 1}}, OK, "frames/s"),
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
    reasons = {"failed": "out of memory", "faulty": "NaN", "late": "old", "frozen": "frozen"}
    bad = replace(RUNNING, counts={"failed": 2, "late": 3, "faulty": 1, "frozen": 1}, reasons=reasons)
    assert status("processing", summary=bad).level == ERROR
    assert status("processing", summary=bad).message == "frames are lost: out of memory; frozen; NaN; old"
    known = {"failed": 2, "frozen": 1}
    assert (status("processing", summary=bad, before=known).level) == WARN
    assert status("processing", summary=bad, before=known).message == "NaN; old"
    assert status("processing", summary=bad, before=known | {"faulty": 1}).message == "old"
    assert status("processing", summary=bad, before=known | {"faulty": 1, "late": 3}).level == OK
    blind = replace(bad, counts={"faulty": 1, "blind": 1})
    assert status("processing", summary=blind).level == ERROR


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"ages": replace(AGES, hand=0.4, longest=0.4)}, WARN, "a frame has been in hand for 0.4 s, usually 0.1 s"),
        ({"ages": replace(AGES, hand=18.2)}, ERROR, "a frame has been in hand for 18.2 s, usually 0.1 s"),
        ({"ages": replace(AGES, hand=0.01, owed=18.2)}, ERROR, "18.2 s without a result although images arrive"),
        ({"ages": replace(AGES, took=3.0, hand=3.0, longest=3.0)}, ERROR, "in hand for 3.0 s, max_age_ms = 1000"),
        ({"ages": replace(AGES, took=1.5, hand=1.5, longest=1.5)}, WARN, "in hand for 1.5 s, max_age_ms = 1000"),
        (
            {"ages": replace(AGES, took=3.0, hand=3.0, longest=3.0), "settings": settings_from({"max_age_ms": 0})},
            OK,
            "ms per frame",
        ),
        ({"ages": silent(23.0)}, OK, "nothing to do: no image for 23.0 s"),
        ({"ages": replace(AGES, result=11.0), "summary": RUNNING}, OK, "last result 11.0 s ago"),
        ({"ages": Ages()}, OK, "no frame yet"),
        ({"stood_still_s": 1.5}, WARN, "the whole node stood still for 1.5 s"),
        ({"state": "inactive"}, OK, "not processing: the node is inactive"),
        ({"enabled": False}, OK, "not processing: disabled by ~/enable"),
        ({"enabled": False, "ages": replace(AGES, hand=9.0, owed=9.0)}, ERROR, "in hand for 9.0 s"),
        ({"enabled": False, "ages": replace(AGES, owed=9.0)}, OK, "disabled"),
    ],
)
def test_the_processing_is_judged_by_its_ages(changes, level, words):
    well = replace(RUNNING, processing=Spread(20.0, 31.5), output_rate=10.0)
    found = status("processing", **{"summary": well} | changes)
    assert (found.level, words in found.message) == (level, True), found.message
    assert ("frames/s" in found.message) == (words == "ms per frame")


def test_a_full_queue_is_told_where_every_frame_counts():
    lost = replace(RUNNING, counts={"overwritten": 3})
    assert status("processing", summary=lost).level == OK
    every = status("processing", summary=lost, settings=settings_from({"mode": "every"}))
    assert (every.level, "3 frames were dropped" in every.message) == (WARN, True)


def test_a_worker_that_does_not_run_is_an_error_while_the_node_is_active():
    assert status("processing", working=False).level == ERROR
    assert "worker is not running" in status("processing", working=False).message
    assert status("processing", working=False, state="inactive").level == OK


def test_what_is_remarkable_about_thresholds_is_a_warning():
    assert status("thresholds").level == OK
    assert status("thresholds").message == "unreliable 0.5, pixel n/a, ood n/a"
    odd = {"remarks": ("OoD threshold 3.2 is above", "no P(OoD)"), "ood_meta": "none for energy: no P(OoD)"}
    assert (status("thresholds", **odd).level, status("thresholds", **odd).message) == (
        WARN,
        "OoD threshold 3.2 is above; no P(OoD)",
    )
    assert values("thresholds", **odd)["ood meta model"] == "none for energy: no P(OoD)"
    assert values("thresholds")["ood_score"] == "entropy"
    assert values("thresholds")["ood_meta"] == "n/a", "the model's own, and there is no model"


def test_thresholds_by_group_are_listed():
    assert "pixel thresholds" not in values("thresholds")
    found = values("thresholds", in_force=InForce({"pixel": 0.2}, pixel_groups="road 0.1; the common 0.2: sky"))
    assert found["pixel thresholds"] == "road 0.1; the common 0.2: sky"
    assert found["pixel"] == "0.2"


def test_a_topic_that_cannot_be_filled_is_told_while_it_is_asked_for():
    unfilled = replace(RUNNING, counts={"unfilled": 4}, reasons={"unfilled": "~/gradient stays empty: no features"})
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


def test_what_is_remarkable_about_the_network_is_a_warning():
    told = {"model": "net.pt2", "remarks": "the network gives probabilities × 255"}
    assert status("model", model={**told, "remarks": "none"}).level == OK
    assert status("model", model=told).level == WARN
    assert status("model", model=told).message == "net.pt2: the network gives probabilities × 255"
    assert status("model", model=told, problem="on_configure: missing.pt2").level == ERROR


def test_thresholds_in_force_their_policies_and_shifts_are_told():
    numbers = {"pixel": math.inf, "unreliable": 0.25, "ood_meta": 0.5}
    conformal = settings_from({"thresholds.pixel_policy": "conformal", "ood.policy": "otsu"})
    view = {"settings": conformal, "in_force": InForce(numbers, "none: entropy", "", "holds: pixel flags")}
    told = values("thresholds", **view)
    assert [told[key] for key in ("pixel", "unreliable", "ood", "ood_meta")] == ["inf", "0.25", "n/a", "0.5"]
    assert (told["pixel policy"], told["ood policy"]) == ("conformal alpha = 0.1", "otsu")
    assert (told["calibration shift"], told["guarantee"]) == ("none: entropy", "holds: pixel flags")
    assert status("thresholds", **view).message == "unreliable 0.25, pixel inf, ood n/a"
    assert told["unreliable_min_share"] == "0.0003"
    promised = settings_from({"thresholds.unreliable_policy": "conformal"})
    assert values("thresholds", **{**view, "settings": promised})["unreliable_min_share"] == "0"
    fired = status("thresholds", in_force=InForce(numbers, fired="entropy: 3.1 standard deviations above"))
    assert (fired.level, "entropy: 3.1 standard deviations above" in fired.message) == (WARN, True)
    shares = replace(RUNNING, flagged_pixels=0.0625)
    assert values("thresholds", summary=shares)["pixels flagged"] == "6.25 %"
    assert values("thresholds", summary=shares)["segments flagged"] == "n/a"
