"""Faults of the GPU on a real node, raised by its network: the errors are torch's own, the device is a CPU."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from gpu_fault_networks import LOSES, STARVES, WELL
from ros_bench import LATCHED, starting

pytestmark = pytest.mark.ros

OK, ERROR = b"\x00", b"\x02"


def picture(code):
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    image[0, 0] = code
    return image


def ends_quietly(node):
    try:
        status, said = node.stop()
    finally:
        node.kill()
    print(said)
    assert status == 0
    assert "Traceback" not in said


@pytest.fixture
def bench():
    """The bench of an active node whose network has such faults; the node must survive them and end in order."""
    with starting(ends_quietly) as begin:
        _, bench = begin("faulty", model="gpu_fault_networks:faulty")
        bench.listen("segmentation")
        bench.camera()
        bench.answer("segmentation", picture(WELL))
        yield bench


def states(bench):
    """Everything that ~/trust_state says from now on, as (level, reasons, message)."""
    heard = []
    bench.node.create_subscription(
        DiagnosticStatus,
        "/faulty/trust_state",
        lambda m: heard.append((m.level, {v.key: v.value for v in m.values}, m.message)),
        LATCHED,
    )
    return heard


def test_a_frame_without_memory_is_lost_and_the_next_ones_are_answered(bench):
    status = bench.says("processing", "frames are lost: out of memory", each=lambda: bench.send(picture(STARVES)))
    assert status.level == ERROR
    assert "Tried to allocate 9.00 GiB" in status.message
    assert "expected room for one more frame" in status.message
    assert "model_input.width" in status.message
    assert bench.answer("segmentation", picture(WELL)).height == 48
    counted = int(bench.value("processing", "failed"))
    bench.until(
        lambda: int(bench.value("processing", "failed")) >= counted + 2,
        "further ones are counted",
        each=lambda: bench.send(picture(STARVES)),
    )
    assert bench.answer("segmentation", picture(WELL)).height == 48
    assert bench.state() == "active"


def test_a_lost_device_takes_the_node_out_of_service_and_it_ends_in_order(bench):
    heard = states(bench)
    lost = bench.send(picture(LOSES))
    bench.until(lambda: bench.state() == "inactive", "inactive", each=lambda: bench.send(picture(WELL)))
    status = bench.says("model", "device lost")
    assert status.level == ERROR
    assert "device-side assert triggered" in status.message
    assert "restart the process" in status.message
    bench.until(lambda: heard and "device lost" in heard[-1][1]["inactive"], "the trust state says why")
    assert heard[-1][0] == ERROR
    assert heard[-1][1]["state"] == "UNTRUSTED"
    assert not [m for m in bench.received["segmentation"] if m.header.stamp.sec >= lost]

    # it cannot be activated with what is loaded, and says so; what is loaded anew is another matter
    assert not bench.change("activate")
    assert bench.says("model", "on_activate: device lost").level == ERROR
    assert bench.state() == "inactive"
    assert bench.change("cleanup")
    assert bench.change("configure")
    assert bench.change("activate")
    bench.answer("segmentation", picture(WELL))
    bench.until(lambda: bench.statuses["model"].level == OK, "no problem is left")

    bench.send(picture(LOSES))
    bench.until(lambda: bench.state() == "inactive", "inactive again")
