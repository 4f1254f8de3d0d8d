"""States, retries and ends of the node process; compressed images, queues and simulated time."""

import signal
import tempfile

import cv2
import numpy as np
import pytest
import rclpy
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy
from ros_bench import Bench, NodeProcess, mixed, starting
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger
from warm_processes import WarmProcess

from trust_seg_ros.node.parameters import ParameterError
from trust_seg_ros.node.qos import camera_qos, output_qos

pytestmark = pytest.mark.ros


def ends_quietly(node, how=signal.SIGINT, heard=0):
    """Ends a node, by the signal unless it has ended; looks at what it said after the first ``heard`` characters."""
    running = node.process.poll() is None
    try:
        status, output = node.stop(how) if running else node.wait()
    finally:
        node.kill()
    print(output)
    assert status == 0
    assert "Traceback" not in output[heard:]
    assert "RCLError" not in output[heard:]


@pytest.fixture
def run():
    """Starts a node and a bench; when the test is over, the node must end quietly on Ctrl-C."""
    with starting(ends_quietly) as begin:
        yield begin


class Common:
    """A node that several tests configure, each as it needs it."""

    def __init__(self):
        depth = {"qos_overrides./common/segmentation.publisher.depth": 50}
        self.node = NodeProcess("common", autostart=False, **depth)
        self.heard = 0
        self.tracebacks = 0
        self.bench = None
        self._before = {}

    def configured(self, **parameters):
        """A bench, once the node is active with these parameters."""
        bench = self.fresh(**parameters)
        assert bench.change("configure")
        assert bench.change("activate")
        return bench

    def fresh(self, **parameters):
        """A bench, once the parameters are set; the node is unconfigured."""
        self.bench, self.tracebacks = Bench("common"), 0
        for name, value in parameters.items():
            self._before[name] = self.bench.get(name)
            assert self.bench.set(name, value).successful
        return self.bench

    def said(self):
        """What the node has said during this test."""
        return self.node.said()[self.heard :]

    def put_back(self):
        """The node unconfigured, with the parameters it had; it has said nothing bad."""
        state = self.bench.state()
        for label in {"active": ("deactivate", "cleanup"), "inactive": ("cleanup",)}.get(state, ()):
            assert self.bench.change(label)
        while self._before:
            assert self.bench.set(*self._before.popitem()).successful
        self.bench.close()
        said = self.said()
        self.heard += len(said)
        assert said.count("Traceback") == self.tracebacks
        assert "RCLError" not in said


@pytest.fixture(scope="module")
def shared():
    shared = Common()
    yield shared
    ends_quietly(shared.node, signal.SIGTERM, shared.heard)


@pytest.fixture
def common(shared):
    yield shared
    shared.put_back()


@pytest.mark.slow
def test_states_retries_and_an_orderly_end(run):
    node, bench = run("states", autostart=False, model="missing.pt2", use_sim_time=True)
    assert bench.state() == "unconfigured"
    assert "unconfigured" in bench.says("camera", "not listening").message
    assert bench.value("model", "model") == "n/a"
    assert not bench.call(Trigger, "reset", Trigger.Request()).success
    assert "once the node is active" in bench.call(SetBool, "enable", SetBool.Request(data=True)).message

    # a model that is not there, a corrupt one, labels that do not fit: say so, stay, try again
    assert not bench.change("configure")
    assert bench.says("model", "missing.pt2").level == b"\x02"
    assert bench.state() == "unconfigured"
    assert bench.set("labels", "camvid11").successful
    assert bench.set("model", "node_networks:colours").successful
    assert not bench.change("configure")
    bench.says("model", "11")
    assert bench.set("labels", "").successful
    assert bench.change("configure")
    assert bench.state() == "inactive"
    bench.says("model", "node_networks:colours")

    bench.listen("segmentation")
    bench.camera()
    assert bench._camera.get_subscription_count() == 0, "an inactive node does not listen"
    assert bench.change("activate")
    assert bench.answer("segmentation").header.frame_id == "front"
    bench.until(lambda: bench.value("processing", "processing ms (p50)") not in (None, "n/a"), "a processing time",
                each=bench.send)  # fmt: skip
    assert bench.value("processing", "latency ms (p50)") == "n/a", "there is no /clock"

    assert bench.change("deactivate")
    bench.until(lambda: bench._camera.get_subscription_count() == 0, "the node to stop listening")
    assert bench.change("activate")
    assert bench.answer("segmentation").height == 48
    assert bench.change("deactivate")
    assert bench.change("cleanup")
    bench.says("model", "none: the node is unconfigured")
    assert bench.change("configure")
    assert bench.change("activate")
    assert bench.answer("segmentation").height == 48
    assert bench.change("shutdown")
    assert bench.state() == "finalized"
    assert node.said().count("on_configure failed") == 2


def test_a_corrupt_model_file_is_named_and_can_be_replaced(common, tmp_path):
    file = tmp_path / "broken.pt2"
    file.write_bytes(b"PK\x03\x04 not a model")
    bench = common.fresh(model=str(file), labels="camvid11")
    assert not bench.change("configure")
    bench.says("model", "broken.pt2")
    assert bench.state() == "unconfigured"
    assert bench.set("model", "node_networks:colours").successful
    assert bench.set("labels", "").successful
    assert bench.change("configure")
    assert bench.change("activate")
    bench.listen("segmentation")
    bench.camera()
    assert bench.answer("segmentation").height == 48


def test_a_network_that_fails_costs_one_frame(common):
    bench = common.configured(model="node_networks:fails_on_white")
    bench.listen("segmentation")
    bench.camera()
    bench.answer("segmentation")
    white = np.full((48, 64, 3), 255, np.uint8)
    assert bench.says("processing", "white is too much", each=lambda: bench.send(white)).level == b"\x02"
    assert int(bench.value("processing", "failed")) > 0
    assert bench.answer("segmentation").height == 48
    bench.says("processing", "ms per frame", each=bench.send)


def test_a_frame_that_never_ends_is_left_behind_and_the_node_can_be_configured_again(run):
    node, bench = run("stuck", model="node_networks:blocks_on_white")
    bench.listen("segmentation")
    bench.camera()
    bench.answer("segmentation")
    white = np.full((48, 64, 3), 255, np.uint8)
    bench.until(lambda: "blocking" in node.said(), "the network to block", each=lambda: bench.send(white))
    assert not bench.change("deactivate")
    assert bench.state() == "unconfigured", "neither active nor half active"
    assert bench.says("model", "the current frame has not finished").level == b"\x02"
    bench.says("camera", "not listening: the node is unconfigured")
    assert bench.change("configure")
    assert bench.change("activate")
    assert bench.answer("segmentation").height == 48
    bench.says("processing", "ms per frame", each=bench.send)
    # the end of the process, which the fixture looks at, must not wait for the thread left behind


def test_an_unexpected_error_while_configuring_is_cleaned_up_and_one_may_try_again(common):
    bench = common.fresh(model="node_networks:with_a_fault_at_first")
    common.tracebacks = 1
    bench.listen("segmentation")
    bench.camera()
    assert not bench.change("configure")
    assert bench.state() == "unconfigured"
    assert bench.says("model", "KeyError: 'a slip of the programmer'").level == b"\x02"
    assert common.said().count("Traceback") == 1, "where it happened is in the log"
    assert bench.change("configure")
    assert bench.state() == "inactive"
    assert bench.change("activate")
    assert bench.answer("segmentation").height == 48
    assert bench.says("model", "node_networks:with_a_fault_at_first").level == b"\x00"


def test_compressed_images(common):
    bench = common.configured(input="compressed")
    bench.listen("segmentation")
    bench.camera(kind=CompressedImage)
    bgr = np.ascontiguousarray(mixed()[..., ::-1])
    png, jpeg = (cv2.imencode(kind, bgr)[1].tobytes() for kind in (".png", ".jpg"))
    swapped, tiff = cv2.imencode(".png", mixed())[1].tobytes(), cv2.imencode(".tif", bgr)[1].tobytes()
    for data, form in (
        (png, "jpeg"),
        (jpeg, "rgb8; jpeg compressed bgr8"),
        (jpeg + b"stale bytes", "jpeg"),
        (swapped, "bgr8; png compressed rgb8"),
        (tiff, "bgr8; tiff compressed "),
    ):
        bench.received["segmentation"].clear()

        def send(data=data, form=form):
            bench.send_compressed(data, form)

        bench.until(lambda: bench.received["segmentation"], "an answer", each=send)
        msg = bench.received["segmentation"][-1]
        assert np.frombuffer(msg.data, np.uint8).reshape(48, 64)[24, [4, 60]].tolist() == [0, 2]
        assert (msg.header.stamp.sec, msg.header.stamp.nanosec) in bench.sent
    for data, words in (
        (jpeg[:200], "cut short"),
        (b"", "expected JPEG"),
        (b"\0" * 100, "expected JPEG"),
        (jpeg[:-40] + b"\xff\xd9", "damaged or cut short"),
        (png[:60] + bytes(20) + png[80:], "PNG"),
    ):
        bench.says("camera", words, each=lambda d=data: bench.send_compressed(d))
    bench.received["segmentation"].clear()
    bench.until(lambda: bench.received["segmentation"], "an answer", each=lambda: bench.send_compressed(jpeg))
    assert bench.set("refuse_damaged_jpegs", False).successful
    bench.received["segmentation"].clear()
    ended = jpeg[:-40] + b"\xff\xd9"
    bench.until(lambda: bench.received["segmentation"], "an answer", each=lambda: bench.send_compressed(ended))
    words = "damaged JPEGs are not noticed: refuse_damaged_jpegs is false"
    bench.until(lambda: bench.value("camera", "images") == words, "the doubt in diagnostics")


def test_mode_every_answers_every_frame_in_order(common):
    bench = common.configured(mode="every", queue_size=50)
    bench.listen("segmentation")
    bench.camera(depth=50)
    bench.answer("segmentation")
    bench.until(lambda: bench.value("camera", "reliability") == "reliable", "a reliable subscription", each=bench.send)
    bench.answer("segmentation")
    burst = [bench.send() for _ in range(30)]

    def stamps():
        return [m.header.stamp.sec for m in bench.received["segmentation"] if m.header.stamp.sec >= burst[0]]

    bench.until(lambda: len(stamps()) >= 30, "an answer to each of 30 frames")
    assert stamps() == burst


def test_a_fixed_reliability_that_no_publisher_offers_is_explained(common):
    bench = common.configured(image_reliability="reliable")
    bench.camera(ReliabilityPolicy.BEST_EFFORT)
    status = bench.says("camera", "incompatible QoS")
    assert status.level == b"\x02"
    assert "RELIABILITY" in status.message.upper() or "RELIABLE" in status.message.upper()
    bench.camera(ReliabilityPolicy.RELIABLE)
    bench.listen("segmentation")
    assert bench.answer("segmentation").height == 48


def test_qos_overrides_win(run):
    _, bench = run("overridden", **{"qos_overrides./overridden/image.subscription.reliability": "best_effort"})
    bench.camera(ReliabilityPolicy.RELIABLE)
    bench.listen("segmentation")
    assert bench.answer("segmentation").height == 48
    bench.says("camera", "frames/s", each=bench.send)
    assert bench.value("camera", "reliability") == "best_effort"


@pytest.fixture
def overridden():
    """Makes nodes of this process with such start values for parameters."""
    context = rclpy.Context()
    rclpy.init(context=context)
    nodes = []

    def make(**values):
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        nodes.append(rclpy.create_node(f"overridden_{len(nodes)}", context=context, parameter_overrides=overrides))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize(
    ("policy", "value", "words"),
    [
        ("depth", "x", ["'x'", "an integer from 1 to 1000"]),
        ("depth", -3, ["-3", "an integer from 1 to 1000"]),
        ("depth", 10**9, ["1000000000", "an integer from 1 to 1000"]),
        ("depth", True, ["True", "an integer"]),
        ("reliability", 3, ["3", "one of best_effort, reliable"]),
        ("reliability", 0, ["0", "one of best_effort, reliable"]),
        ("reliability", "banana", ["'banana'", "one of best_effort, reliable"]),
        ("durability", [1.0], ["1.0", "one of volatile, transient_local"]),
        ("history", "some", ["'some'", "one of keep_last, keep_all"]),
    ],
)
def test_an_impossible_qos_override_is_refused_by_name(overridden, policy, value, words):
    makers = {"subscription": lambda n: camera_qos(n, "/t", ReliabilityPolicy.RELIABLE, 1),
              "publisher": lambda n: output_qos(n, "/t")}  # fmt: skip
    for side, make in makers.items():
        if policy == ("durability" if side == "publisher" else "history"):
            continue  # not an override of this side
        name = f"qos_overrides./t.{side}.{policy}"
        node = overridden(**{name: value})
        for _ in range(2):  # when tried again, too
            with pytest.raises(ParameterError) as error:
                make(node)
            assert [word for word in (name, *words) if word not in str(error.value)] == []


def test_qos_overrides_are_taken(overridden):
    assert output_qos(overridden(), "/t").depth == 5
    side = "qos_overrides./t.publisher."
    qos = output_qos(overridden(**{f"{side}depth": 2, f"{side}reliability": "best_effort"}), "/t")
    assert (qos.depth, qos.reliability) == (2, ReliabilityPolicy.BEST_EFFORT)
    node = overridden(**{"qos_overrides./t.subscription.depth": 7})
    assert camera_qos(node, "/t", ReliabilityPolicy.RELIABLE, 1).depth == 7


@pytest.mark.slow
def test_an_impossible_qos_override_leaves_the_node_in_its_state(run):
    name = "qos_overrides./badqos/image.subscription.depth"
    _, bench = run("badqos", **{name: "x"})
    assert name in bench.says("model", "'x', expected an integer").message
    assert bench.state() == "inactive"
    assert not bench.change("activate")
    assert bench.state() == "inactive"


def test_an_end_while_a_model_loads_is_quiet(run):
    node, bench = run("loading", model="node_networks:slow")
    bench.until(lambda: "loading slowly" in node.said(), "the model to be loading")
    status, output = node.stop()
    assert (status, output.strip()) == (0, "loading slowly")


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("thresholds.unreliable:=7.0", ["thresholds.unreliable", "7.0"]),
        ("thresholds.pixel:=high", ["thresholds.pixel", "'high' (string)"]),
    ],
)
def test_an_impossible_start_value_ends_the_start_with_a_reason(parameter, words):
    with tempfile.TemporaryFile("w+") as said:
        process = WarmProcess("trust_seg_ros.node.main", "--ros-args", "-p", parameter, output=said)
        assert process.wait(timeout=60) == 2
        said.seek(0)
        output = said.read()
    assert [word for word in words if word not in output] == []
    assert "Traceback" not in output
