"""Scores, gradients and the OoD meta classifier on the wire: a network with features, and one without."""

from dataclasses import replace

import numpy as np
import pytest
from node_networks import NAMES
from ood_models import size_model
from ros_bench import Bench, NodeProcess, mixed, watched

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.calibration import Calibration
from trust_seg_ros.types import Frame, Wanted
from trust_seg_ros.uncertainty import GradientSettings, gradient_maps
from trust_seg_ros.uncertainty.standardized import ClassStatistics

pytestmark = pytest.mark.ros

TOPICS = ("segmentation", "ood", "ood_ids", "segment_ids", "unreliable", "gradient", "segments")
NETWORK = "node_networks:painted"


def squares():
    """48 x 64, mixed colours; grey squares of about 16 x 16, 12 x 12 and 8 x 8: an object, a false alarm, a speck."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32, 0] = 255
    picture[:, 32:, 2] = 255
    for top, left, side in ((8, 24, 16), (28, 48, 12), (4, 52, 8)):
        picture[top : top + side, left : left + side] = 128
    return picture


def pixels(msg, dtype=np.uint8):
    return np.frombuffer(msg.data, dtype).reshape(msg.height, msg.width)


def one_frame(bench, picture):
    """All topics of one frame that was sent from now on."""
    stamp = bench.answer("segmentation", picture).header.stamp.sec

    def of_frame(name):
        return [m for m in bench.received[name] if m.header.stamp.sec == stamp]

    bench.until(lambda: all(map(of_frame, TOPICS)), f"all topics of frame {stamp}")
    return {name: of_frame(name)[0] for name in TOPICS}


def named(detection):
    return {r.hypothesis.class_id: r.hypothesis.score for r in detection.results}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "ood.json"
    replace(size_model(NETWORK, NAMES, even=150.0), image_sizes=((48, 64),)).save(path)
    return path


@pytest.fixture(scope="module")
def bench(model_file):
    node, bench = NodeProcess("judged", model=NETWORK, **{"ood.meta_model": model_file}), Bench("judged")
    with watched(node, bench):
        bench.listen(*TOPICS)
        bench.camera()
        bench.answer("segmentation")
        yield bench


@pytest.fixture(scope="module")
def pipeline(model_file):
    return TrustPipeline.load(PipelineSettings(model=NETWORK, device="cpu", ood_meta_model=str(model_file)))


def put_back(bench, *names):
    defaults = {"ood.score": "entropy", "ood.threshold": -1e6, "ood.meta_threshold": -1.0, "entropy_encoding": "mono8",
                "gradient.label": "onehot", "publish_all_segments": False, "thresholds.pixel_score": "entropy",
                "thresholds.pixel": 0.6}  # fmt: skip
    for name in names:
        assert bench.set(name, defaults[name]).successful


def test_objects_false_alarms_and_specks(bench, pipeline):
    one = one_frame(bench, squares())
    ood, ids, segments = pixels(one["ood"]), pixels(one["ood_ids"], np.uint16), pixels(one["segment_ids"], np.uint16)
    assert [ood[15, 30], ood[33, 53], ood[8, 56], ood[40, 5]] == [255, 128, 128, 0]
    np.testing.assert_array_equal(ids > 0, ood == 255)
    expected = pipeline(Frame(squares())).ood
    assert expected.kept.sum() == expected.false_alarm.sum() == 1
    (unknown,) = [d for d in one["segments"].detections if int(d.id) > segments.max()]
    assert int(unknown.id) == segments.max() + 1 == ids.max()
    rows, columns = np.nonzero(ids == int(unknown.id))
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    centre, size = unknown.bbox.center.position, (unknown.bbox.size_x, unknown.bbox.size_y)
    assert (centre.x - size[0] / 2, centre.y - size[1] / 2, centre.x + size[0] / 2, centre.y + size[1] / 2) == box
    p_ood = 1 / (1 + np.exp(-(len(rows) - 150) / 50))
    assert named(unknown)["ood"] == pytest.approx(p_ood)
    assert (unknown.results[0].hypothesis.class_id in NAMES, unknown.results[1].hypothesis.class_id) == (True, "ood")
    assert unknown.results[0].hypothesis.score == pytest.approx(1 - p_ood)


def test_every_detection_is_found_in_exactly_one_id_image(bench):
    try:
        assert bench.set("publish_all_segments", True).successful
        one = one_frame(bench, squares())
        numbers = [int(d.id) for d in one["segments"].detections]
        assert numbers == sorted(set(numbers))
        for number in numbers:
            there = [(pixels(one[name], np.uint16) == number).any() for name in ("segment_ids", "ood_ids")]
            assert sum(there) == 1, number
    finally:
        put_back(bench, "publish_all_segments")


def test_the_meta_threshold_acts_on_the_next_frame(bench):
    try:
        assert bench.set("ood.meta_threshold", 0.0).successful
        assert pixels(bench.answer("ood", squares()))[33, 53] == 255
        assert bench.set("ood.meta_threshold", 1.0).successful
        assert (pixels(bench.answer("ood", squares())) <= 128).all()
    finally:
        put_back(bench, "ood.meta_threshold")


def test_another_score_in_full_flight_shows_in_the_next_frames_and_has_no_p_ood(bench):
    def ood():
        return pixels(bench.answer("ood", squares()))[[15, 33, 40], [30, 53, 5]].tolist()

    try:
        assert ood() == [255, 128, 0]
        assert bench.set("ood.score", "max_logit").successful
        assert ood() == [0, 0, 0]
        warning = bench.says("thresholds", "none is known for max_logit", lambda: bench.send(squares()))
        assert (warning.level, "set ood.threshold (logits" in warning.message) == (b"\x01", True)
        assert bench.value("thresholds", "ood") == "inf"
        # grey has -6, pure colours have -12
        assert bench.set("ood.threshold", -8.0).successful
        assert ood() == [255, 255, 0], "and nothing tells false alarms any more"
        warning = bench.says(
            "thresholds", "the OoD meta model judges segments of entropy", lambda: bench.send(squares())
        )
        assert (warning.level, "max_logit" in warning.message) == (b"\x01", True)
        assert bench.value("thresholds", "ood_score") == "max_logit"
        unknown = bench.answer("segments", squares()).detections[-1]
        assert -8.0 <= named(unknown)["ood_score"] <= -6.0
        assert "ood" not in named(unknown)
        assert 0.33 < unknown.results[0].hypothesis.score < 0.8, "mean softmax"
        assert bench.set("ood.score", "entropy").successful
        warning = bench.says("thresholds", "-8 is below all values of entropy", lambda: bench.send(squares()))
        assert (pixels(bench.answer("ood", squares())) == 255).all(), "one segment, as large as the image"
        put_back(bench, "ood.threshold")
        bench.until(lambda: bench.statuses["thresholds"].level == b"\x00", "no more warning")
        assert ood() == [255, 128, 0]
    finally:
        put_back(bench, "ood.score", "ood.threshold")


def test_images_of_another_size_than_fitted_on_are_not_judged_and_it_is_said(bench):
    large = squares().repeat(2, 0).repeat(2, 1)
    assert (pixels(bench.answer("ood", large)) == 128).sum() < (pixels(bench.answer("ood", squares())) == 128).sum()
    gap = "images are 128×96, the OoD meta model was fitted on images of 64×48"
    warning = bench.says("thresholds", gap, lambda: bench.send(large))
    assert (warning.level, "kept without being judged" in warning.message) == (b"\x01", True)
    assert bench.value("thresholds", "ood meta model") == f"none: no P(OoD), {gap}"
    segments = bench.answer("segments", large).detections
    assert not any("ood" in named(d) for d in segments)
    assert any("ood_score" in named(d) for d in segments)
    bench.answer("segmentation", squares())
    bench.until(lambda: bench.statuses["thresholds"].level == b"\x00", "no more warning")
    assert bench.value("thresholds", "ood meta model") == "segments of entropy at 0.7"


def test_a_threshold_other_than_the_fitted_one_is_told(bench):
    try:
        assert bench.set("ood.threshold", 0.6).successful
        bench.until(
            lambda: "at 0.7, the current threshold is 0.6" in bench.value("thresholds", "ood meta model"),
            "the difference",
        )
        warning = bench.says("thresholds", "fitted on segments at 0.7, so nothing is discarded")
        assert warning.level == b"\x01"
        assert pixels(bench.answer("ood", squares()))[33, 53] == 255
    finally:
        put_back(bench, "ood.threshold")


@pytest.mark.parametrize("label", ["onehot", "uniform"])
def test_the_gradient_is_the_librarys(bench, pipeline, label):
    try:
        assert bench.set("gradient.label", label).successful
        assert bench.set("entropy_encoding", "32FC1").successful
        expected = getattr(gradient_maps(pipeline.network.infer(mixed()), p=0.5, scale="log"), label).numpy()
        bench.answer("gradient")  # one that was under way
        floats = bench.answer("gradient")
        assert floats.encoding == "32FC1"
        np.testing.assert_allclose(pixels(floats, np.float32), expected, rtol=1e-5, atol=1e-5)
        assert bench.set("entropy_encoding", "mono8").successful
        scaled = pixels(bench.answer("gradient")).astype(float)
        wanted = 255 * (expected - expected.min()) / (expected.max() - expected.min())
        np.testing.assert_allclose(scaled, wanted, atol=0.6)
    finally:
        put_back(bench, "gradient.label", "entropy_encoding")


def test_pixels_may_be_flagged_by_gradients(bench, pipeline):
    try:
        plane = pipeline(Frame(mixed()), wanted=Wanted(False, False, False, ("gradient_onehot",))).scores
        middle = float(plane["gradient_onehot"].aminmax().max + plane["gradient_onehot"].aminmax().min) / 2
        assert bench.set("thresholds.pixel_score", "gradient_onehot").successful
        assert bench.set("thresholds.pixel", middle).successful
        flagged = pixels(bench.answer("unreliable")) == 128
        expected = pipeline(
            Frame(mixed()), ThresholdSettings.constants(pixel=middle, pixel_score="gradient_onehot")
        ).pixel_flags
        assert 0.1 < expected.mean() < 0.5
        assert (flagged == expected).mean() > 0.99
    finally:
        put_back(bench, "thresholds.pixel_score", "thresholds.pixel")


def test_p_and_variant_count_from_the_next_configure_on(bench, pipeline):
    answer = pipeline.network.infer(mixed())

    def gradient():
        return pixels(bench.answer("gradient"), np.float32)

    try:
        assert bench.set("entropy_encoding", "32FC1").successful
        bench.answer("gradient")
        before = gradient()
        assert bench.set("gradient.p", 2.0).successful
        assert bench.set("gradient.variant", "published").successful
        np.testing.assert_array_equal(gradient(), before)
        for label in ("deactivate", "cleanup", "configure", "activate"):
            assert bench.change(label), label
        settings = GradientSettings(2.0, "published", "log")
        expected = gradient_maps(answer, p=settings.p, variant=settings.variant, scale=settings.scale).onehot
        np.testing.assert_allclose(gradient(), expected.numpy(), rtol=1e-5, atol=1e-5)
        bench.until(lambda: bench.value("model", "gradient") == "p = 2, published", "diagnostics of p")
    finally:
        put_back(bench, "entropy_encoding")


def test_a_network_without_features_refuses_with_the_reason_and_goes_on():
    node, bench = NodeProcess("bare"), Bench("bare")  # its last layer is no convolution
    try:
        bench.listen("segmentation", "gradient")
        bench.camera()
        bench.answer("segmentation")
        for name in ("ood.score", "thresholds.pixel_score"):
            refused = bench.set(name, "gradient_uniform")
            assert not refused.successful
            words = ["node_networks:colours", "'gradient_uniform'", "gives no features", "choose another score"]
            assert [word for word in words if word not in refused.reason] == []
            assert bench.get(name) == "entropy"
        refused = bench.set("ood.score", "standardized_max_logit")
        assert (refused.successful, "trust-seg calibrate" in refused.reason) == (False, True)
        assert bench.set("ood.score", "energy").successful, "raw logits are enough for this one"
        warning = bench.says("processing", "~/gradient stays empty", bench.send)
        assert warning.level == b"\x01"
        assert bench.answer("segmentation").height == 48
        assert bench.received["gradient"] == []
    finally:
        bench.close()
        node.kill()
        print(node.said())


def test_with_a_calibration_the_standardised_max_logit_is_published(tmp_path):
    statistics = ClassStatistics([8.0, 9.0, 10.0], [2.0, 2.0, 2.0], [5000] * 3)
    Calibration(NETWORK, NAMES, statistics).save(tmp_path / "calibration.json")
    values = {"ood.score": "standardized_max_logit", "ood.threshold": 0.5, "ood.min_size": 1}
    node = NodeProcess("calibrated", model=NETWORK, calibration=tmp_path / "calibration.json", **values)
    bench = Bench("calibrated")
    try:
        bench.listen("ood")
        bench.camera()
        # the largest logit is 6 on grey, which is red: (8 - 6) / 2 = 1; on red 12: -2; on blue 12: -1
        assert pixels(bench.answer("ood", squares()))[[15, 40, 40], [30, 5, 60]].tolist() == [255, 0, 0]
        assert bench.set("ood.threshold", -1.5).successful
        assert pixels(bench.answer("ood", squares()))[[15, 40, 40], [30, 5, 60]].tolist() == [255, 0, 255]
        bench.until(lambda: bench.value("model", "calibration") == "loaded", "diagnostics of the calibration")
    finally:
        bench.close()
        node.kill()
        print(node.said())


@pytest.mark.slow
def test_as_a_start_value_it_fails_configure_and_one_may_try_again():
    node, bench = NodeProcess("startled", **{"ood.score": "gradient_onehot"}), Bench("startled")
    try:
        status = bench.says("model", "on_configure: network 'node_networks:colours' cannot give the score")
        assert status.level == b"\x02"
        bench.until(lambda: bench.state() == "unconfigured", "the end of on_configure, whose words come before it")
        assert bench.set("ood.score", "energy").successful
        assert not bench.change("configure")
        bench.says("model", "none is known for energy, so no pixel is out of distribution: set ood.threshold")
        assert bench.set("ood.score", "entropy").successful
        assert bench.change("configure")
        assert bench.change("activate")
        bench.listen("ood")
        bench.camera()
        assert bench.answer("ood").height == 48
    finally:
        bench.close()
        node.kill()
        print(node.said())
