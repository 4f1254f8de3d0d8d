"""Threshold policies of the real node: set by its parameter service while frames arrive, refused, loaded from files."""

import math
import threading

import numpy as np
import pytest
import yaml
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.parameter import Parameter
from ros_bench import Bench, NodeProcess, watched
from threshold_bench import NETWORK, calibration, one_frame, picture, pixels

from trust_seg_ros.thresholds.policies import Conformal, Fixed, MeanStd, Otsu, Quantile, TargetRecall, resolve

pytestmark = pytest.mark.ros

START = {"thresholds.pixel_policy": "fixed", "thresholds.pixel": 0.6, "thresholds.pixel_score": "entropy",
         "thresholds.pixel_quantile": 0.95, "thresholds.pixel_k": 2.0, "thresholds.pixel_alpha": 0.05,
         "thresholds.pixel_recall": 0.95, "thresholds.smoothing_s": 0.0, "on_shift": "warn"}  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    path = tmp_path_factory.mktemp("calibrated") / "calibration.json"
    calibration().save(path)
    more = {"entropy_encoding": "32FC1", "mode": "every", "queue_size": 1000}
    node = NodeProcess("policies", calibration=path, **more, **START)
    bench = Bench("policies")
    with watched(node, bench):
        bench.listen("entropy", "unreliable", "label_info")
        bench.camera(depth=1000)
        bench.answer("unreliable")
        yield bench


@pytest.fixture
def fresh(bench):
    """The bench, with the parameters put back afterwards."""
    yield bench
    for name, value in START.items():
        bench.set(name, value)


class Camera:
    """Sends pictures at a camera's rate from a thread; notes what was acknowledged when each was sent."""

    def __init__(self, bench, rate=30.0):
        self._bench, self._period, self._stop = bench, 1 / rate, threading.Event()
        self.acknowledged = 0
        self.at_sending = {}
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.wait(self._period):
            known = self.acknowledged
            self.at_sending[self._bench.send(picture(len(self.at_sending)))] = known

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


CHANGES = [
    ("thresholds.pixel_policy", "quantile", Quantile(0.95)),
    ("thresholds.pixel_quantile", 0.7, Quantile(0.7)),
    ("thresholds.pixel_alpha", 0.4, Quantile(0.7)),
    ("thresholds.pixel_policy", "conformal", Conformal(0.4)),
    ("thresholds.pixel_alpha", 0.8, Conformal(0.8)),
    ("thresholds.pixel_policy", "otsu", Otsu()),
    ("thresholds.pixel_policy", "mean_std", MeanStd(2.0)),
    ("thresholds.pixel_k", 0.5, MeanStd(0.5)),
    ("thresholds.pixel_policy", "target_recall", TargetRecall(0.95)),
    ("thresholds.pixel_recall", 0.35, TargetRecall(0.35)),
    ("thresholds.pixel_policy", "fixed", Fixed(0.6)),
    ("thresholds.pixel", 0.95, Fixed(0.95)),
]


def test_under_load_every_frame_is_judged_by_one_setting_and_the_next_one_by_the_new(fresh):
    """No frame is lost, none comes between two settings, none is judged by older ones than were acknowledged."""
    bench, states = fresh, [Fixed(0.6), *(policy for *_, policy in CHANGES)]
    for name in ("entropy", "unreliable"):
        bench.received[name].clear()
    with Camera(bench) as camera:
        for number, (name, value, _) in enumerate(CHANGES, 1):
            bench.until(lambda n=number - 1: list(camera.at_sending.values()).count(n) >= 8, "frames")
            assert bench.set(name, value).successful
            camera.acknowledged = number
        bench.until(lambda: list(camera.at_sending.values()).count(len(CHANGES)) >= 8, "frames")

    def answers(name):
        return {m.header.stamp.sec: m for m in bench.received[name] if m.header.stamp.sec in camera.at_sending}

    bench.until(lambda: all(len(answers(n)) == len(camera.at_sending) for n in ("entropy", "unreliable")), "all frames")
    curves, entropies, flags = calibration().curves("entropy"), answers("entropy"), answers("unreliable")
    current, changes_seen = 0, set()
    for stamp in sorted(camera.at_sending):
        score, flagged = pixels(entropies[stamp], np.float32), pixels(flags[stamp]) == 128
        expected = [score >= np.float32(resolve(policy, score, curves)) for policy in states]
        matching = [i for i, e in enumerate(expected) if np.array_equal(flagged, e)]
        lowest = max(current, camera.at_sending[stamp])
        assert [i for i in matching if i >= lowest], f"frame {stamp}: flags of {matching}, expected {lowest} or later"
        current = min(i for i in matching if i >= lowest)
        changes_seen |= {i for i in matching if len(matching) == 1}
    assert changes_seen >= {1, 4, 5, 6, 7, 8, 9, 10, 12}, "each of them can be told from the others"


def test_label_info_is_sent_with_settings_and_never_with_frames(fresh):
    """A costmap layer rebuilds its costs at each one."""
    bench = fresh
    told = bench.received["label_info"]

    def settles_on(threshold):
        bench.until(lambda: told[-1].threshold == pytest.approx(threshold), f"label_info of {threshold}")
        return len(told)

    assert bench.set("thresholds.pixel_quantile", 0.75).successful
    assert bench.set("thresholds.pixel_policy", "quantile").successful
    before = settles_on(0.0)
    thresholds = set()
    for k in range(50):
        score, _ = one_frame(bench, bench.send(picture(k)))
        thresholds.add(round(float(resolve(Quantile(0.75), score)), 3))
    assert len(thresholds) > 10, "the threshold moves"
    bench.until(lambda: bench.value("thresholds", "pixel") not in (None, "n/a"), "diagnostics tell it")
    assert bench.set("ood.min_size", 77).successful
    assert bench.set("thresholds.pixel_quantile", 0.5).successful, "another moving threshold"
    one_frame(bench, bench.send(picture(1)))
    assert len(told) == before
    assert bench.set("thresholds.pixel_policy", "conformal").successful
    bench.until(lambda: bench.value("thresholds", "pixel policy") == "conformal alpha = 0.05", "the policy")
    # 60 images: 60/61 t + 1/61 <= 0.05
    before = settles_on(0.97)
    for k in range(50):
        one_frame(bench, bench.send(picture(k)))
    assert len(told) == before
    assert bench.value("thresholds", "pixel") == "0.03"
    assert "not known (the calibration holds no statistics of frames): pixel flags" in bench.value(
        "thresholds", "guarantee"
    )
    assert bench.value("thresholds", "unreliable policy") == "fixed"


def test_shares_of_what_is_flagged_are_told(fresh):
    bench = fresh
    assert bench.set("thresholds.pixel_quantile", 0.75).successful
    assert bench.set("thresholds.pixel_policy", "quantile").successful
    bench.until(
        lambda: bench.value("thresholds", "pixels flagged") == "25.00 %",
        "a quarter",
        each=lambda: bench.send(picture(3)),
    )
    assert bench.value("thresholds", "segments flagged") == "n/a", "no meta model"


def test_what_the_calibration_cannot_serve_is_refused_and_the_old_value_stays(fresh):
    bench = fresh

    def refused(name, value, *words):
        before, result = bench.get(name), bench.set(name, value)
        assert not result.successful
        assert [word for word in words if word not in result.reason] == []
        assert bench.get(name) == before

    assert bench.set("thresholds.pixel_policy", "conformal").successful
    refused("thresholds.pixel_alpha", 0.001, "pixel flags by entropy", "alpha = 0.001 needs at least 999", "are 60")
    refused("thresholds.pixel_score", "margin", "pixel flags by margin", "trust-seg calibrate")
    refused("thresholds.pixel_alpha", 1.0, "thresholds.pixel_alpha", "0.9999")
    refused("thresholds.pixel_policy", "best", "one of auto, fixed, quantile, mean_std, otsu, target_recall, conformal")
    refused("ood.policy", "conformal", "one of fixed, quantile, mean_std, otsu")
    refused("ood.meta_policy", "conformal", "OoD segments by p_ood", "there is none")
    score, flagged = one_frame(bench, bench.send(picture(5)))
    assert np.array_equal(flagged, score >= np.float32(0.03)), "the guarantee of 0.05 is still in force"
    assert "frames are lost" not in bench.messages()["processing"]


def test_parameters_may_come_in_any_order(fresh):
    bench = fresh
    assert bench.set("thresholds.pixel_alpha", 0.001).successful, "kept: conformal is not in use"
    result = bench.set("thresholds.pixel_policy", "conformal")
    assert not result.successful
    assert "alpha = 0.001 needs at least 999" in result.reason
    assert bench.set("thresholds.pixel_alpha", 0.5).successful
    assert bench.set("thresholds.pixel_policy", "conformal").successful
    score, flagged = one_frame(bench, bench.send(picture(6)))
    assert np.array_equal(flagged, score >= np.float32(0.49))


def test_many_parameters_at_once(fresh):
    """As ``ros2 param load`` sends them: one request, one result each; and all or none."""
    bench = fresh
    together = {"thresholds.pixel_policy": "mean_std", "thresholds.pixel_k": 1.0, "thresholds.smoothing_s": 0.5,
                "thresholds.pixel_quantile": 7.0, "on_shift": "conservative"}  # fmt: skip
    messages = [Parameter(name, value=value).to_parameter_msg() for name, value in together.items()]
    results = bench.call(SetParameters, "set_parameters", SetParameters.Request(parameters=messages)).results
    assert [r.successful for r in results] == [True, True, True, False, True]
    assert bench.get("thresholds.pixel_quantile") == 0.95
    request = SetParametersAtomically.Request(
        parameters=[
            Parameter("thresholds.pixel_alpha", value=0.001).to_parameter_msg(),
            Parameter("thresholds.pixel_policy", value="conformal").to_parameter_msg(),
        ]
    )
    result = bench.call(SetParametersAtomically, "set_parameters_atomically", request).result
    assert not result.successful
    assert (bench.get("thresholds.pixel_policy"), bench.get("thresholds.pixel_alpha")) == ("mean_std", 0.05)


def test_an_unknown_name_is_refused_with_the_nearest(fresh):
    result = fresh.set("thresholds.pixle", 0.4)
    assert not result.successful
    assert "there is no parameter thresholds.pixle; did you mean thresholds.pixel" in result.reason


def test_smoothing_is_in_message_time_and_a_jump_back_ends_it(fresh):
    bench = fresh
    assert bench.set("thresholds.smoothing_s", 100.0).successful
    assert bench.set("thresholds.pixel_quantile", 0.5).successful
    assert bench.set("thresholds.pixel_policy", "quantile").successful

    def frame(contrast, stamp):
        bench.send(picture(7, contrast), stamp=(stamp, 0))
        score, flagged = one_frame(bench, stamp)
        return score, flagged, resolve(Quantile(0.5), score)

    score, flagged, clear = frame(1.0, 50_000)
    assert np.array_equal(flagged, score >= np.float32(clear))
    score, flagged, dull = frame(0.2, 50_010)
    smoothed = dull + math.exp(-0.1) * (clear - dull)
    assert clear < smoothed < dull
    assert np.array_equal(flagged, score >= np.float32(smoothed))
    score, flagged, own = frame(0.2, 49_000)
    assert np.array_equal(flagged, score >= np.float32(own)), "the past is forgotten"


@pytest.fixture
def run(tmp_path):
    """Starts nodes and benches; all end with the test."""
    started = []

    def go(name, file=None, **parameters):
        started.extend([NodeProcess(name, file, **parameters), Bench(name)])
        return started[-1]

    yield go
    for one in reversed(started):
        one.close() if isinstance(one, Bench) else one.kill()


def test_a_start_value_that_cannot_be_served_fails_the_configuration_with_the_reason(run):
    bench = run("uncalibrated", **{"thresholds.pixel_policy": "conformal"})
    status = bench.says("model", "pixel flags by entropy: policy conformal: expected a calibration of this score")
    assert status.level == b"\x02"
    bench.until(lambda: bench.state() == "unconfigured", "the node back in unconfigured")
    assert bench.set("thresholds.pixel_policy", "otsu").successful
    assert bench.change("configure")


def test_a_calibration_of_another_network_is_refused_at_configure(run, tmp_path):
    calibration(network="other").save(tmp_path / "other.json")
    bench = run("misfit", calibration=tmp_path / "other.json")
    status = bench.says("model", "the calibration was made for network 'other'")
    assert NETWORK in status.message
    # it is said while the transition still ends
    bench.until(lambda: bench.state() == "unconfigured", "the node back in unconfigured")


@pytest.mark.slow
def test_a_file_of_start_parameters_with_all_of_it(run, tmp_path):
    calibration().save(tmp_path / "calibration.json")
    values = {
        "calibration": str(tmp_path / "calibration.json"),
        "entropy_encoding": "32FC1",
        "thresholds": {"pixel_policy": "conformal", "pixel_alpha": 0.4, "pixel_quantile": 0.9, "pixel_k": 1,
                       "pixel_recall": 0.9, "pixel_per_class": True, "unreliable_policy": "conformal",
                       "unreliable_alpha": 0.2, "unreliable_recall": 0.8, "smoothing_s": 0.5},
        "ood": {"policy": "quantile", "quantile": 0.995, "k": 3.0, "meta_policy": "fixed", "meta_alpha": 0.1},
        "on_shift": "conservative",
        "shift": {"window_s": 20.0, "level": 0.001},
    }  # fmt: skip
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({"/**": {"ros__parameters": values}}))
    bench = run("filed", tmp_path / "all.yaml")
    bench.listen("entropy", "unreliable")
    bench.camera()
    bench.answer("unreliable")
    score, flagged = one_frame(bench, bench.send(picture(8)))
    # 60 images: 60/61 t + 1/61 <= 0.4
    assert np.array_equal(flagged, score >= np.float32(0.39))
    bench.until(lambda: bench.value("thresholds", "ood policy") == "quantile 0.995", "diagnostics")
    bench.until(lambda: bench.value("thresholds", "unreliable") == "0.18", "the report after the frame")


@pytest.mark.slow
def test_a_drive_whose_scores_move_is_told_and_answered(run, tmp_path):
    """The calibration has seen pictures of full contrast; then the contrast goes, and comes back."""
    values = {"thresholds.pixel_alpha": 0.5, "shift.window_s": 12.0}  # so that 30 frames, 1 s apart, are enough
    bench = run("drive", calibration=usual(tmp_path), entropy_encoding="32FC1", **values)
    bench.listen("entropy", "unreliable")
    bench.camera()
    bench.answer("unreliable")
    bench.pause(1000)  # the pictures sent until the first answer are others, and on a busy machine many
    assert bench.set("thresholds.pixel_policy", "conformal").successful

    def drive(contrast, seconds, first=0):
        return [one_frame(bench, bench.send(picture(k, contrast))) for k in range(first, first + seconds)]

    drive(1.0, 20)
    bench.until(lambda: bench.value("thresholds", "guarantee").startswith("holds: pixel flags conformal"), "it holds")
    assert bench.value("thresholds", "calibration shift").startswith("none: mean entropy is ")
    assert bench.statuses["thresholds"].level == b"\x00"
    dull = drive(0.1, 30)
    status = bench.says("thresholds", "no longer resembles the calibration data, mean entropy is ")
    assert status.level == b"\x01"
    assert "standard deviations above the calibration data" in status.message
    assert bench.value("thresholds", "guarantee").startswith("void, the data has shifted: pixel flags conformal")
    assert bench.value("thresholds", "calibration shift").startswith("fired: ")
    score, flagged = dull[-1]
    assert np.array_equal(flagged, score >= np.float32(resolve(Conformal(0.5), None, calibration().curves("entropy"))))
    # a constant that flags nothing gives way to the image's quantile
    assert bench.set("thresholds.pixel_policy", "fixed").successful
    assert bench.set("thresholds.pixel", 1.0).successful
    assert not drive(0.1, 1)[0][1].any()
    assert bench.set("on_shift", "conservative").successful
    score, flagged = drive(0.1, 1)[0]
    assert np.array_equal(flagged, score >= np.float32(resolve(Quantile(0.95), score)))
    assert flagged.any()
    bench.until(lambda: bench.value("thresholds", "guarantee") == "none: no threshold is conformal", "no guarantee")
    assert not drive(1.0, 30)[-1][1].any(), "all is as before"
    bench.until(lambda: bench.statuses["thresholds"].level == b"\x00", "no more warning")
    drive(0.1, 30)
    bench.says("thresholds", "no longer resembles")
    bench.send(picture(0), stamp=(10, 0))
    bench.until(lambda: bench.value("thresholds", "calibration shift").startswith("not known yet"), "a fresh start")


def usual(folder):
    """A calibration file whose frame means are those of pictures 100 to 159."""
    from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
    from trust_seg_ros.types import Frame, Wanted

    pipeline = TrustPipeline.load(PipelineSettings(model=NETWORK, meta_model="none", device="cpu"))
    maps_only = Wanted(segments=False, ood=False, pixel_flags=False)
    means = [float(pipeline(Frame(picture(k)), wanted=maps_only).maps.entropy.mean()) for k in range(100, 160)]
    calibration(means).save(folder / "usual.json")
    return folder / "usual.json"
