"""Several cameras in one process, which share one network: whose answer is whose, and who waits for whom."""

import signal
import time
from contextlib import contextmanager

import numpy as np
import pytest
from ros_bench import DEADLINE, Bench, NodeProcess
from test_node_ends import ends
from warm_processes import warm_run

pytestmark = pytest.mark.ros

NAMES = ("front", "rear", "side")
SIZES = {"front": (48, 64), "rear": (48, 64), "side": (60, 80)}


def picture(name):
    """All red, green or blue, which is class 0, 1 or 2."""
    kind = name.partition("/")[0]
    painted = np.zeros((*SIZES[kind], 3), np.uint8)
    painted[..., NAMES.index(kind)] = 255
    return painted


class Benches:
    """A bench for each camera of one process."""

    def __init__(self, names, first_stamp=100):
        topics = {name: f"/{name}/image_raw" for name in names}
        self.of = {name: Bench(f"{name}/trust_seg", topics[name], f"{name}/optical") for name in names}
        for number, bench in enumerate(self.of.values()):
            bench._stamp = first_stamp + 100_000 * number  # a stamp tells whose frame it is
            bench.listen("segmentation")
            bench.camera()

    def close(self):
        for bench in self.of.values():
            bench.close()

    def until(self, condition, what, each=lambda: None, deadline=DEADLINE):
        """Spin all until the condition holds; ``each`` runs every 50 ms."""
        end, due = time.monotonic() + deadline, 0.0
        while not condition():
            now = time.monotonic()
            said = {name: bench.messages() for name, bench in self.of.items()}
            assert now < end, f"not within {deadline:.0f} s: {what}; diagnostics: {said}"
            if now >= due:
                each()
                due = now + 0.05
            for bench in self.of.values():
                bench.executor.spin_once(timeout_sec=0.005)

    def send(self, *names):
        for name in names:
            self.of[name].send(picture(name))

    def answers(self, name):
        return self.of[name].received["segmentation"]


@contextmanager
def several(names, file=None, **parameters):
    parameters = {"batch.images": len(names)} | parameters
    node = NodeProcess(cameras=(f"{names[0]}=/{names[0]}/image_raw", *names[1:]), file=file, **parameters)
    benches = Benches(names)
    try:
        yield node, benches
        assert node.process.poll() in (None, 0), "the process did not survive"
    finally:
        benches.close()
        node.kill()
        print(node.said())


FILE = """
/**: {ros__parameters: {overlay: {alpha: 0.25}}}
/rear/trust_seg: {ros__parameters: {overlay: {alpha: 0.75}}}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Three cameras; who waited for a silent one would get an answer a second."""
    file = tmp_path_factory.mktemp("several") / "parameters.yaml"
    file.write_text(FILE)
    with several(NAMES, file, model="node_networks:announced", **{"batch.wait_ms": 1000.0}) as (node, benches):
        benches.until(
            lambda: all(benches.answers(name) for name in NAMES), "an answer each", lambda: benches.send(*NAMES)
        )
        yield node, benches


def test_every_answer_is_that_of_its_camera(running):
    _, benches = running
    before = {name: len(benches.answers(name)) for name in NAMES}
    benches.until(
        lambda: all(len(benches.answers(name)) >= before[name] + 20 for name in NAMES),
        "20 answers each",
        lambda: benches.send(*NAMES),
    )
    for number, name in enumerate(NAMES):
        answers = benches.answers(name)
        assert {answer.header.frame_id for answer in answers} == {f"{name}/optical"}
        stamps = [(answer.header.stamp.sec, answer.header.stamp.nanosec) for answer in answers]
        assert set(stamps) <= set(benches.of[name].sent)
        assert stamps == sorted(set(stamps)), "every frame once, in order"
        assert {(answer.height, answer.width) for answer in answers} == {SIZES[name]}
        assert {value for answer in answers for value in answer.data} == {number}


def test_a_parameter_file_speaks_to_all_and_to_each(running):
    _, benches = running
    assert [benches.of[name].get("overlay.alpha") for name in NAMES] == [0.25, 0.75, 0.25]


def test_they_share_one_network_and_its_passes(running):
    node, benches = running

    def images_a_pass():
        said = benches.of["front"].value("model", "shared") or ""
        return float(said.split(", ")[1].split()[0]) if "images a pass" in said else 0.0

    benches.until(lambda: images_a_pass() > 1.2, "images in one pass", lambda: benches.send(*NAMES))
    assert benches.of["rear"].value("model", "shared").startswith("3 cameras")
    assert node.said().count("a network is made") == 1


def test_a_camera_that_stops_holds_up_nobody(running):
    _, benches = running
    benches.of["side"].unplug()
    others = ("front", "rear")

    def answered(frames):
        """Send so many frames, each once the ones before are answered."""
        for _ in range(frames):
            sent = [(name, benches.of[name].send(picture(name))) for name in others]
            benches.until(
                lambda sent=sent: all(benches.answers(n)[-1].header.stamp.sec == stamp for n, stamp in sent),
                "the answers",
                deadline=30.0,
            )

    answered(4)  # within three of its periods it is still waited for
    silent = len(benches.answers("side"))  # its last frame was on the way
    started = time.monotonic()
    answered(60)
    assert time.monotonic() - started < 30, "each frame was held back for the silent camera"
    assert len(benches.answers("side")) == silent
    benches.of["side"].camera()
    benches.until(lambda: len(benches.answers("side")) > silent, "the camera to be back", lambda: benches.send("side"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_all_in_order(how):
    names = [f"{name}/{how.name}" for name in NAMES]
    with several(names) as (node, benches):
        benches.until(
            lambda: all(benches.answers(name) for name in names), "an answer each", lambda: benches.send(*names)
        )
        benches.send(*names)
        ends(node, how)


def test_a_signal_while_the_network_loads():
    with several(["front/loads", "rear/loads", "side/loads"], model="node_networks:never_ends") as (node, benches):
        benches.until(lambda: "never ending" in node.said(), "the load")
        ends(node, signal.SIGINT)


@pytest.mark.slow
def test_a_pass_that_never_ends_is_seen_by_all_and_left_behind():
    white = np.full((48, 64, 3), 255, np.uint8)
    both = ("front/hangs", "rear/hangs")
    with several(both, model="node_networks:blocks_on_white", max_age_ms=300.0) as (node, benches):
        benches.until(
            lambda: all(benches.answers(name) for name in both), "an answer each", lambda: benches.send(*both)
        )
        benches.until(lambda: "blocking" in node.said(), "the hang", lambda: benches.of[both[0]].send(white))
        for name in both:
            benches.of[name].says("processing", "in hand for", lambda name=name: benches.send(name))
        rear, before = benches.of[both[1]], len(benches.answers(both[1]))
        assert not rear.change("deactivate")
        assert rear.state() == "unconfigured"
        assert rear.change("configure"), "with a network of its own, as the other one hangs"
        assert rear.change("activate")
        benches.until(lambda: len(benches.answers(both[1])) > before, "an answer", lambda: benches.send(both[1]))
        status, _ = node.stop()
        assert status == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "cameras: none given"),
        (["front", "front=/x"], "'front' is given twice"),
        (["1st"], "is not `namespace`"),
        (["front", "--ros-args", "-p", "batch.wait_ms:=-1.0"], "batch.wait_ms: -1.0"),
    ],
)
def test_what_cannot_start_says_why(words, problem):
    status, _, errors = warm_run("trust_seg_ros.node.cameras", *words)
    assert status == 2
    assert "trust_seg_cameras: " in errors
    assert problem in errors
