"""Nothing is done that nobody asked for, and nothing is compiled after configure."""

import pytest
from ros_bench import Bench, NodeProcess
from warm_processes import warm_run

pytestmark = pytest.mark.ros


@pytest.mark.slow
def test_only_what_somebody_listens_to_is_computed():
    node, bench = NodeProcess("economy", model="node_networks:talkative"), Bench("economy")

    def forwards():
        return node.said().splitlines().count("forward")  # others say that stamps jumped forward

    def count(key):
        return int(bench.value("processing", key) or 0)

    try:
        bench.camera()
        bench.says("processing", "nobody subscribes to an output", each=bench.send)
        warmed = forwards()
        assert warmed > 0
        before = count("nobody listened")
        bench.until(lambda: count("nobody listened") > before + 10, "ten more frames", each=bench.send)
        assert (forwards(), count("processed")) == (warmed, 0)

        bench.listen("segmentation")
        bench.answer("segmentation")
        bench.until(lambda: bench.value("processing", "maps ms (p50)"), "a report of the steps", each=bench.send)
        assert forwards() > warmed
        steps = {v.key for v in bench.statuses["processing"].values}
        others = {"segments ms (p50)", "flags ms (p50)", "ood ms (p50)", "scores ms (p50)"}
        assert steps.isdisjoint(others), "what only overlays need"

        bench.listen("overlay")
        bench.answer("overlay")
        bench.until(lambda: bench.value("processing", "segments ms (p50)"), "the segments' step", each=bench.send)
        assert node.stop()[0] == 0
    finally:
        bench.close()
        node.kill()
        print(node.said())


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "compressed"])
def test_the_first_frame_compiles_nothing(encoding):
    status, output, errors = warm_run("first_frame_process", encoding, kernels=False)
    assert status == 0, output + errors
    assert output.splitlines()[-1] == encoding, "kernels compiled after configure"
