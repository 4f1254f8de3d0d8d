"""Scores of perturbed passes on the wire: the real node, its parameters, and what it refuses."""

import re

import numpy as np
import pytest
from ros_bench import Bench, NodeProcess, mixed

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.types import Frame, Wanted
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings

pytestmark = pytest.mark.ros

COLOURS, SLUGGISH = "node_networks:colours", "node_networks:sluggish"
STEP = "perturbation ms (p50)"


def pixels(msg):
    return np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width)


def ended(bench, node):
    bench.close()
    node.kill()
    print(node.said())


def test_live_the_flags_of_the_next_frames_are_the_librarys():
    pipeline = TrustPipeline.load(PipelineSettings(model=COLOURS, device="cpu"))

    def expected(score, **perturbation):
        passes = PerturbationSettings("input_noise", **perturbation)
        settings = ThresholdSettings(PolicySettings(value=0.02), pixel_score=score, perturbation=passes)
        return pipeline(Frame(mixed()), settings, Wanted(False, False)).pixel_flags

    node, bench = NodeProcess("noisy", **{"thresholds.pixel": 0.02}), Bench("noisy")
    try:
        bench.listen("segmentation")
        bench.camera()
        assert bench.set("thresholds.pixel_score", "input_noise").successful
        bench.answer("segmentation")
        bench.until(lambda: bench.value("processing", "maps ms (p50)"), "a report of the steps", each=bench.send)
        assert bench.value("processing", STEP) is None, "nobody listens to flags"
        bench.listen("unreliable")
        flags = [expected("entropy")]
        assert bench.set("thresholds.pixel_score", "entropy").successful
        np.testing.assert_array_equal(pixels(bench.answer("unreliable")) == 128, flags[0])
        assert bench.set("thresholds.pixel_score", "input_noise").successful
        wished = {"noise": 100.0, "passes": 3, "statistic": "mutual_information"}
        for name, value in wished.items():
            assert bench.set(f"perturbation.{name}", value).successful
        flags.append(expected("input_noise", sigma=100.0, passes=3, statistic="mutual_information"))
        np.testing.assert_array_equal(pixels(bench.answer("unreliable")) == 128, flags[1])
        assert 0 < flags[1].mean() < 1
        assert (flags[0] != flags[1]).any()
        bench.until(lambda: bench.value("processing", STEP), "the passes' step", each=bench.send)
        assert bench.set("thresholds.pixel_score", "input_scale").successful
        flags.append(expected("input_scale", passes=3, statistic="mutual_information"))
        np.testing.assert_array_equal(pixels(bench.answer("unreliable")) == 128, flags[2])
        assert int(bench.value("processing", "failed")) == 0
    finally:
        ended(bench, node)


def test_what_the_network_cannot_give_or_no_time_is_left_for_is_refused_live():
    node, bench = NodeProcess("refusing", model=SLUGGISH, **{"perturbation.budget_ms": 2000.0}), Bench("refusing")

    def refused(name, value, *words):
        answer = bench.set(name, value)
        assert not answer.successful
        assert [word for word in words if word not in answer.reason] == []
        assert bench.get(name) != value
        bench.until(lambda: f"refused: {answer.reason}"[:60] in node.said(), "a warning")
        return answer.reason

    try:
        bench.listen("unreliable")
        bench.camera()
        bench.answer("unreliable")
        refused("thresholds.pixel_score", "mc_dropout", "'mc_dropout' for pixel flags", "no dropout layers")
        refused("ood.score", "input_noise", "expected one of entropy, margin")
        assert bench.set("thresholds.pixel_score", "input_noise").successful
        reason = refused("perturbation.passes", 64, "perturbation.passes = 64", "perturbation.budget_ms = 2000")
        most = int(re.search(r"largest number that fits is (\d+)", reason).group(1))
        assert 2 <= most < 40, "each takes 50 ms at least"
        assert bench.set("perturbation.passes", 2).successful
        assert bench.answer("unreliable").height == 48
        refused("perturbation.budget_ms", 100.0, "not even 2 fit")
        refused("thresholds.pixel_policy", "conformal", "not calibrated")
        assert bench.set("thresholds.pixel_score", "entropy").successful
        assert bench.set("perturbation.budget_ms", 100.0).successful
        assert bench.set("perturbation.passes", 64).successful, "it does not count now"
        refused("thresholds.pixel_score", "input_scale", "not even 2 fit")
    finally:
        ended(bench, node)


def test_as_start_values_they_fail_configure_and_one_may_try_again():
    values = {"thresholds.pixel_score": "input_noise", "perturbation.passes": 64, "perturbation.budget_ms": 2000.0}
    node, bench = NodeProcess("startled", model=SLUGGISH, **values), Bench("startled")
    try:
        status = bench.says("model", "on_configure: perturbation.passes = 64")
        assert (status.level, "largest number that fits is" in status.message) == (b"\x02", True)
        assert bench.state() == "unconfigured"
        assert bench.set("thresholds.pixel_score", "mc_dropout").successful, "nobody knows the network yet"
        assert not bench.change("configure")
        bench.says("model", "cannot give the score 'mc_dropout'")
        assert bench.set("thresholds.pixel_score", "input_noise").successful
        assert bench.set("perturbation.passes", 2).successful
        assert bench.change("configure")
        assert bench.change("activate")
        bench.listen("unreliable")
        bench.camera()
        assert bench.answer("unreliable").height == 48
    finally:
        ended(bench, node)
