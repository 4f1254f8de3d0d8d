"""While ``configure`` works, everything else is answered; who asked for it gets the answer at its end."""

import time

import numpy as np
import pytest
from node_networks import go_on_file
from ros_bench import starting

pytestmark = pytest.mark.ros


def ends(node):
    go_on_file(node.process.pid).unlink(missing_ok=True)
    status, said = node.stop()
    print(said)
    assert status == 0
    assert "Traceback" not in said


@pytest.fixture
def run():
    with starting(ends) as begin:
        yield begin


def test_services_and_diagnostics_answer_while_a_network_loads(run):
    node, bench = run("configuring", autostart=False, model="node_networks:waits")
    assert bench.state() == "unconfigured"
    bench.get("max_age_ms")
    answer = bench.ask("configure")
    bench.until(lambda: bench.state() == "configuring", "the transition to have begun")
    for ask in (bench.state, lambda: bench.get("max_age_ms"), lambda: bench.set("max_age_ms", 300.0)):
        asked = time.monotonic()
        ask()
        assert time.monotonic() - asked < 1.0
    assert "configuring: loading the network, " in bench.says("model", "configuring").message
    bench.until(lambda: "configuring: loading the network, 5 s" in node.said(), "progress to be logged")
    assert not answer.done(), "the node is not configured yet"
    second = bench.ask("configure")
    go_on_file(node.process.pid).touch()
    bench.until(lambda: answer.done() and second.done(), "both answers")
    assert (answer.result().success, second.result().success) == (True, False), "one transition after the other"
    assert bench.state() == "inactive"
    bench.says("model", "node_networks:waits")
    assert bench.get("max_age_ms") == 300.0


def test_autostart_goes_the_same_way(run):
    node, bench = run("autostarting", model="node_networks:waits")
    assert "configuring: loading the network, " in bench.says("model", "configuring").message
    assert bench.state() == "configuring"
    go_on_file(node.process.pid).touch()
    bench.until(lambda: bench.state() == "active", "the node to be active")


def test_thresholds_set_meanwhile_that_the_network_cannot_serve_make_configure_fail(run):
    node, bench = run("meanwhile", autostart=False, model="node_networks:waits")
    answer = bench.ask("configure")
    bench.until(lambda: bench.state() == "configuring", "the transition to have begun")
    assert bench.set("thresholds.pixel_score", "gradient_onehot").successful, "what the network gives is not known yet"
    go_on_file(node.process.pid).touch()
    bench.until(answer.done, "the answer")
    assert not answer.result().success
    assert "gradient_onehot" in bench.says("model", "on_configure").message
    assert bench.state() == "unconfigured"
    assert bench.set("thresholds.pixel_score", "entropy").successful
    assert bench.change("configure")


def test_diagnostics_go_on_while_deactivate_waits_for_a_frame(run):
    node, bench = run("waiting", model="node_networks:blocks_on_white")
    bench.listen("segmentation")
    bench.camera()
    bench.answer("segmentation")
    white = np.full((48, 64, 3), 255, np.uint8)
    bench.until(lambda: "blocking" in node.said(), "the network to block", each=lambda: bench.send(white))
    answer = bench.ask("deactivate")
    bench.says("camera", "not listening: the node is deactivating")
    assert not answer.done()
    bench.until(answer.done, "the answer")
    assert not answer.result().success
    assert bench.state() == "unconfigured"
