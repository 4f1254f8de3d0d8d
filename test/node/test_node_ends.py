"""Ctrl-C and SIGTERM end the node's process within two seconds, whatever it is doing, with status 0."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest
from ros_bench import Bench, NodeProcess, start, starting

pytestmark = pytest.mark.ros

LIMIT_S = 2.0
BOTH = pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
WHITE = np.full((48, 64, 3), 255, np.uint8)


@pytest.fixture
def run():
    with starting(NodeProcess.kill) as begin:
        yield begin


def says(node, bench, words, **options):
    bench.until(lambda: words in node.said(), f"the node to say {words!r}", **options)


def shared_memory(pid):
    """The segments of shared memory that Fast DDS made for a process, which keeps a lock file of each open."""
    files = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()]
    return [Path(file.removesuffix("_el")) for file in files if "dds_" in file and "port" not in file]


def ends(node, how, in_order=True):
    """Signals it, and looks at how and when it ends; returns what it said."""
    segments = shared_memory(node.process.pid)
    assert segments
    signalled = time.monotonic()
    status, said = node.stop(how)
    took = time.monotonic() - signalled
    assert (status, took < LIMIT_S) == (0, True), f"status {status} after {took:.2f} s: {said}"
    assert [word for word in ("Traceback", "RCLError", "failed") if word in said] == []
    if in_order:
        assert [path for path in segments if path.exists()] == []
    return said


@BOTH
@pytest.mark.parametrize(("network", "words"), [("never_ends", "never ending"), ("holds_the_lock", "holding the lock")])
def test_while_a_network_loads(run, how, network, words):
    node, bench = run("ends_loading", model=f"node_networks:{network}")
    says(node, bench, words)
    said = ends(node, how, in_order=network != "holds_the_lock").splitlines()
    # a process of another test may have left shared memory behind
    assert [line for line in said if "shared memory that killed processes" not in line] == [words]


@BOTH
@pytest.mark.parametrize("state", ["unconfigured", "inactive", "active"])
def test_in_every_resting_state(run, how, state):
    node, bench = run("ends_resting", autostart=False)
    for label in {"unconfigured": (), "inactive": ("configure",), "active": ("configure", "activate")}[state]:
        assert bench.change(label)
    assert bench.state() == state
    ends(node, how)


@BOTH
@pytest.mark.parametrize(
    ("network", "words"), [("blocks_on_white", "blocking"), ("holds_the_lock_on_white", "holding the lock")]
)
def test_with_a_frame_in_hand_that_never_ends(run, how, network, words):
    node, bench = run("ends_frame", model=f"node_networks:{network}")
    bench.listen("segmentation")
    bench.camera()
    bench.answer("segmentation")
    says(node, bench, words, each=lambda: bench.send(WHITE))
    ends(node, how, in_order=network == "blocks_on_white")


@pytest.mark.parametrize("label", ["deactivate", "shutdown"])
def test_while_a_transition_waits_for_a_frame(run, label):
    node, bench = run("ends_waiting", model="node_networks:blocks_on_white")
    bench.listen("segmentation")
    bench.camera()
    bench.answer("segmentation")
    says(node, bench, "blocking", each=lambda: bench.send(WHITE))
    bench.ask(label)
    bench.until(lambda: bench.state() in ("deactivating", "shuttingdown"), "the transition to have begun")
    ends(node, signal.SIGINT)


@pytest.mark.slow
@BOTH
def test_while_the_libraries_load(how):
    process = start("-m", "trust_seg_ros.node.main")
    caught = f"/proc/{process.pid}/status"
    until = time.monotonic() + 60
    while not int(Path(caught).read_text().split("SigCgt:")[1].split()[0], 16) >> (signal.SIGTERM - 1) & 1:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text()
    process.send_signal(how)
    try:
        said, _ = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert (process.returncode, said) == (0, "")


@pytest.mark.slow
def test_while_kernels_compile(tmp_path):
    model = ("-p", "model:=node_networks:colours", "-p", "meta_model:=none", "-r", "__node:=ends_compiling")
    with (tmp_path / "said").open("w+") as said:
        line = ("-m", "trust_seg_ros.node.main", "--ros-args", *model)
        process = start(*line, output=said, XDG_CACHE_HOME=str(tmp_path))
        bench = Bench("ends_compiling")
        try:
            bench.says("model", "compiling kernels, part 1 of 5")
            signalled = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            assert time.monotonic() - signalled < LIMIT_S
        finally:
            bench.close()
            process.kill()
            process.wait()
        assert (tmp_path / "said").read_text() == ""
