"""An active node in its own process: frames in, every topic out, and nothing bad stops it."""

import array

import numpy as np
import pytest
from places import CAMVID, HELPERS
from rcl_interfaces.msg import ParameterType
from rclpy.qos import ReliabilityPolicy
from ros_bench import IMAGES, Bench, NodeProcess, mixed, start, watched
from std_srvs.srv import SetBool, Trigger

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def bench():
    node = NodeProcess(input="raw")  # test_node_input has what finds the type by itself
    bench = Bench()
    with watched(node, bench):
        bench.listen(*IMAGES, "segments", "label_info")
        bench.camera()
        bench.answer("segmentation")
        yield bench


def pixels(msg, dtype=np.uint8):
    return np.frombuffer(msg.data, dtype).reshape(msg.height, msg.width, -1).squeeze()


@pytest.mark.parametrize("folder", ["-", "camvid"])
def test_a_camera_process_is_answered_on_every_topic_with_its_header(bench, folder):
    if folder == "camvid" and not CAMVID.is_dir():
        pytest.skip(f"no CamVid images in {CAMVID}")
    bench.unplug()
    frame_id, source = f"camera/{folder}", "-" if folder == "-" else str(CAMVID / "test" / "images")
    program = HELPERS / "camera_process.py"
    camera = start(str(program), "/trust_seg/image", "RELIABLE", source, frame_id)

    def answers(name):
        return [m for m in bench.received[name] if m.header.frame_id == frame_id]

    topics = (*IMAGES, "segments")
    try:
        assert bench.set("publish_all_segments", folder == "-").successful
        bench.until(lambda: all(len(answers(name)) >= 30 for name in topics), "30 answers on every topic")
    finally:
        bench.set("publish_all_segments", False)
        camera.terminate()
        output = camera.communicate()[0]
        bench.camera()
    stamps = {tuple(map(int, line.split())) for line in output.splitlines() if line[:1].isdigit()}
    for name in topics:
        answered = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in answers(name)]
        assert set(answered) <= stamps, name
        assert answered == sorted(set(answered)), f"{name}: every frame once, in the order taken"
    detections = [(d.header, m.header) for m in answers("segments") for d in m.detections]
    assert len(detections) >= 30
    assert all(own == of_frame for own, of_frame in detections)
    shape = (48, 64) if folder == "-" else (360, 480)
    assert {(answers(name)[-1].height, answers(name)[-1].width) for name in IMAGES} == {shape}


def test_the_contents_belong_to_the_frame(bench):
    stamp = bench.answer("segmentation").header.stamp.sec

    def of_frame(name):
        return [m for m in bench.received[name] if m.header.stamp.sec == stamp]

    bench.until(lambda: all(map(of_frame, IMAGES)), "all topics of one frame")
    one = {name: of_frame(name)[0] for name in IMAGES}
    classes = pixels(one["segmentation"])
    assert (classes[:, 4] == 0).all()
    assert (classes[:, -4] == 2).all()
    entropy, confidence = pixels(one["entropy"]), pixels(one["confidence"])
    assert entropy[24, 32] > 250 > 5 > entropy[24, 4]
    np.testing.assert_array_equal(255 - entropy, confidence)
    assert (pixels(one["unreliable"])[24, [4, 32, 60]] == [0, 128, 0]).all()
    assert (pixels(one["ood"])[24, [4, 32, 60]] == [0, 255, 0]).all()
    ids = pixels(one["segment_ids"], np.uint16)
    assert ids[0, 0] == 1
    assert ids.max() >= 2
    assert one["overlay"].encoding == one["entropy_color"].encoding == "rgb8"


def test_a_threshold_acts_on_the_next_frame_and_on_label_info(bench):
    try:
        assert bench.set("thresholds.pixel", 0.0).successful
        assert (pixels(bench.answer("unreliable")) >= 128).all()
        bench.until(lambda: bench.received["label_info"][-1].threshold == 1.0, "label_info of threshold 0")
        assert bench.set("thresholds.pixel", 1).successful, "an integer does for a double"
        assert pixels(bench.answer("unreliable"))[24, 4] == 0
        bench.until(lambda: bench.received["label_info"][-1].threshold == 0.0, "label_info of threshold 1")
        assert bench.set("thresholds.pixel", 0.25).successful
        bench.until(lambda: bench.received["label_info"][-1].threshold == 0.75, "label_info of threshold 0.25")
        assert bench.set("thresholds.pixel_score", "margin").successful
        bench.until(lambda: bench.received["label_info"][-1].threshold == 0.0, "label_info of another score")
        assert bench.set("thresholds.pixel_score", "entropy").successful
        assert bench.set("thresholds.pixel", 1.0).successful
        names = [c.class_name for c in bench.received["label_info"][-1].class_map]
        assert names == ["red", "green", "blue"]
        assert bench.value("thresholds", "pixel") is not None
        bench.until(lambda: bench.value("thresholds", "pixel") == "1", "diagnostics of the new threshold")
    finally:
        bench.set("thresholds.pixel_score", "entropy")
        bench.set("thresholds.pixel", 0.6)


def test_encodings_and_detections_follow_their_parameters(bench):
    try:
        assert bench.set("entropy_encoding", "32FC1").successful
        assert bench.set("publish_all_segments", True).successful
        entropy = bench.answer("entropy")
        assert entropy.encoding == "32FC1"
        assert 0.99 < pixels(entropy, np.float32)[24, 32] <= 1.0
        detections = bench.answer("segments").detections
        assert [d.id for d in detections] == [str(i + 1) for i in range(len(detections))]  # with the OoD segment's
        assert {d.results[0].hypothesis.class_id for d in detections} <= {"red", "green", "blue"}
        assert all(d.header.frame_id == "front" for d in detections)
    finally:
        bench.set("entropy_encoding", "mono8")
        bench.set("publish_all_segments", False)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("thresholds.unreliable", 1.5, ["thresholds.unreliable", "1.5"]),
        ("thresholds.unreliable", -0.1, ["thresholds.unreliable", "-0.1"]),
        ("thresholds.unreliable", float("nan"), ["thresholds.unreliable", "nan"]),
        ("thresholds.unreliable", "high", ["thresholds.unreliable", "'high' (string)", "a number from 0 to 1"]),
        ("thresholds.unreliable", None, ["thresholds.unreliable"]),
        ("ood.min_size", 0, ["ood.min_size", "0"]),
        ("ood.min_size", 3.5, ["ood.min_size", "3.5 (double)", "an integer"]),
        ("mode", "newest", ["mode", "'newest'", "one of latest, every"]),
        ("model_input.std", [1.0, 2.0], ["model_input.std", "[1.0, 2.0]", "3 numbers"]),
        ("autostart", False, ["read-only", "autostart"]),
    ],
)
def test_a_refused_parameter_keeps_the_old_value(bench, name, value, words):
    before = bench.get(name)
    result = bench.set(name, value)
    assert not result.successful
    assert [word for word in words if word not in result.reason] == []
    assert bench.get(name) == before
    assert bench.answer("segmentation").height == 48


def test_parameters_describe_themselves(bench):
    descriptor = bench.describe("ood.meta_threshold")
    assert (descriptor.floating_point_range[0].from_value, descriptor.floating_point_range[0].to_value) == (-1.0, 1.0)
    assert descriptor.type == ParameterType.PARAMETER_DOUBLE
    assert "false alarm" in descriptor.description
    assert bench.describe("autostart").read_only
    assert bench.describe("mode").additional_constraints == "one of latest, every"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "rgb565"}, "encoding 'rgb565', expected one of rgb8"),
        ({"step": 10}, "step is 10 bytes, expected at least 192"),
        ({"data": array.array("B", bytes(100))}, "data holds 100 bytes, expected 9216"),
        ({"width": 0}, "size 0 × 48, expected at least 1 × 1"),
        ({"height": 0, "width": 0}, "size 0 × 0, expected at least 1 × 1"),
        ({"height": 2**31, "width": 2**31}, "expected at most 40000000"),
    ],
)
def test_an_impossible_image_is_refused_with_a_reason_and_the_next_one_works(bench, changes, words):
    status = bench.says("camera", words, each=lambda: bench.send(**changes))
    assert status.level == b"\x01"
    assert int(bench.value("camera", "refused")) > 0
    assert words in bench.value("camera", "last refusal")
    assert bench.answer("segmentation").height == 48
    bench.says("camera", "frames/s", each=bench.send)


def test_a_camera_of_12_bits_in_16_is_not_black_and_that_is_said(bench):
    wide = mixed().astype(np.uint16) << 4
    changes = {"encoding": "rgb16", "step": 6 * 64, "data": array.array("B", wide.tobytes())}
    before = len(bench.sent)

    def answers():
        return [m for m in bench.received["segmentation"] if (m.header.stamp.sec, 123) in set(bench.sent[before:])]

    bench.until(answers, "an answer", each=lambda: bench.send(**changes))
    assert pixels(answers()[0])[24, [4, 60]].tolist() == [0, 2]
    bench.until(lambda: "rgb16: 12 of 16 bits are in use" in bench.value("camera", "images"), "the bits in diagnostics")
    assert bench.answer("segmentation").height == 48


def test_logits_that_are_not_finite_become_unlabelled_and_untrusted(bench):
    picture = mixed()
    picture[:, :24] = 0
    status = bench.says("processing", "not finite", each=lambda: bench.send(picture))
    assert status.level == b"\x01"
    classes = pixels(bench.answer("segmentation", picture))
    assert (classes[:, 4] == 255).all()
    assert (classes[:, -4] == 2).all()
    assert (pixels(bench.answer("confidence", picture))[:, 4] == 0).all()
    assert bench.answer("segments", picture).header.frame_id == "front"


def test_time_that_jumps_back_is_noticed_and_frames_go_on(bench):
    before = int(bench.value("camera", "time jumps"))
    bench.answer("segmentation")
    bench.until(
        lambda: int(bench.value("camera", "time jumps")) > before, "a time jump", each=lambda: bench.send(stamp=(1, 0))
    )
    assert bench.answer("segmentation").height == 48


def test_old_frames_are_counted_and_unstamped_ones_have_no_age(bench):
    def late():
        return int(bench.value("processing", "too old"))

    def processed():
        return int(bench.value("processing", "processed"))

    try:
        assert bench.set("max_age_ms", 1000.0).successful
        status = bench.says("processing", "older than max_age_ms = 1000", each=bench.send)  # stamps of 1970
        assert status.level == b"\x01"
        bench.says("processing", "ms per frame", each=lambda: bench.send(stamp=(0, 0)))
        before, done = late(), processed()
        assert before > 0
        jumps = bench.value("camera", "time jumps")
        bench.until(lambda: processed() > done + 2, "unstamped frames", each=lambda: bench.send(stamp=(0, 0)))
        assert (late(), bench.value("camera", "time jumps")) == (before, jumps)
        assert bench.call(SetBool, "enable", SetBool.Request(data=False)).success
        assert bench.call(SetBool, "enable", SetBool.Request(data=True)).success  # times start afresh
        done = processed()
        bench.until(lambda: processed() > done + 2, "unstamped frames", each=lambda: bench.send(stamp=(0, 0)))
        assert (bench.value("processing", "latency ms (p50)"), late()) == ("n/a", before)
    finally:
        bench.set("max_age_ms", 0.0)


def test_enable_and_reset(bench):
    assert bench.call(Trigger, "reset", Trigger.Request()).success
    assert bench.answer("segmentation").height == 48
    assert bench.call(SetBool, "enable", SetBool.Request(data=False)).success
    bench.says("camera", "disabled by ~/enable")
    bench.until(lambda: bench._camera.get_subscription_count() == 0, "the node to stop listening")
    assert bench.call(SetBool, "enable", SetBool.Request(data=True)).success
    assert bench.answer("segmentation").height == 48


def test_diagnostics_tell_a_dead_camera_from_no_camera_and_from_qos(bench):
    bench.says("camera", "frames/s", each=bench.send)
    # frames may have arrived, and none be done yet
    bench.until(lambda: bench.value("processing", "processing ms (p50)") not in (None, "n/a"), "times", each=bench.send)
    assert float(bench.value("processing", "processing ms (p50)")) > 0
    assert bench.value("thresholds", "calibration shift") == "n/a: there is no calibration"
    assert (bench.value("model", "device"), bench.value("model", "lifecycle")) == ("cpu", "active")
    assert bench.set("diagnostics.image_period_ms", 500.0).successful
    bench.until(lambda: bench.statuses["camera"].level == b"\x02", "an error")
    assert "publisher present, no frames arriving" in bench.statuses["camera"].message
    bench.unplug()
    assert bench.says("camera", "no publisher on /trust_seg/image any more, last image").level == b"\x02"
    assert bench.call(SetBool, "enable", SetBool.Request(data=False)).success
    assert bench.call(SetBool, "enable", SetBool.Request(data=True)).success  # as if there never had been one
    never = b"\x01", "no publisher on /trust_seg/image"
    bench.until(lambda: (bench.statuses["camera"].level, bench.statuses["camera"].message) == never, "no publisher")
    assert bench.set("diagnostics.image_period_ms", 60_000.0).successful
    from sensor_msgs.msg import CompressedImage

    bench.camera(kind=CompressedImage)
    assert "expected sensor_msgs/msg/Image" in bench.says("camera", "carries sensor_msgs/msg/CompressedImage").message
    bench.camera()


@pytest.mark.slow
def test_auto_reliability_follows_the_publishers(bench):
    bench.camera(ReliabilityPolicy.BEST_EFFORT)
    bench.until(lambda: bench.value("camera", "reliability") == "best_effort", "best effort", each=bench.send)
    assert bench.answer("segmentation").height == 48
    bench.camera(ReliabilityPolicy.RELIABLE)
    bench.until(lambda: bench.value("camera", "reliability") == "reliable", "reliable", each=bench.send)
    assert bench.answer("segmentation").height == 48
