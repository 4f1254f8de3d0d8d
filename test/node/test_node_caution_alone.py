"""Caution maps of nodes that have the wire to themselves: without tf, without listeners, without images."""

import numpy as np
import pytest
from ground_bench import SIZE, GroundBench, ground_node, points, scene, without_tf
from ros_bench import watched

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def known(grid):
    return max(grid.data) >= 0


def test_nothing_is_mapped_while_nobody_subscribes_and_late_subscribers_get_no_old_map():
    node, bench = ground_node("alone", **without_tf()), GroundBench("alone", tf=False)
    with watched(node, bench):
        bench.camera(depth=10)
        bench.says("processing", "nobody subscribes to an output", each=bench.send)
        bench.says("caution", "no map yet")
        assert bench.value("processing", "caution ms (p50)") is None
        bench.listen("caution")
        grid = bench.fresh("caution", good=known)
        assert grid.header.frame_id == "base_link", "by parameters, without tf"
        bench.deafen("caution")
        bench.statuses.clear()
        count = int(bench.until(lambda: bench.value("processing", "nobody listened"), "a report"))
        bench.until(
            lambda: int(bench.value("processing", "nobody listened")) > count + 5, "frames nobody gets", each=bench.send
        )
        bench.listen("caution")
        late = bench.until(lambda: bench.received["caution"], "the map that is kept")[0]
        assert set(late.data) == {-1}
        assert late.info.width == grid.info.width
        bench.fresh("caution", good=known)
        assert bench.change("deactivate")
        bench.until(lambda: not known(bench.received["caution"][-1]), "an empty map at the end")


def test_when_no_image_comes_any_more_the_map_becomes_empty():
    node = ground_node("held", **without_tf(**{"caution.hold_s": 0.4, "caution.points": "depth"}))
    bench = GroundBench("held", tf=False)
    with watched(node, bench):
        bench.listen("caution", "labelled_points")
        bench.camera(depth=10)
        bench.fresh("caution", good=known)
        bench.until(lambda: not known(bench.received["caution"][-1]), "an empty map")
        count = len(bench.received["caution"])
        bench.until(lambda: int(bench.value("caution", "emptied as too old") or 0) >= 1, "it is said")
        assert len(bench.received["caution"]) == count, "it is emptied once"
        bench.says("caution", "free cells", each=bench.send)

        depth = np.full(SIZE, 5.0, np.float32)
        bench.depth = depth
        cloud = bench.fresh("labelled_points")
        found = points(cloud)
        assert cloud.header.frame_id == "front"
        np.testing.assert_allclose(found["z"], 5.0)
        car = (np.abs(found["x"]) < 0.4) & (found["y"] > 0.0) & (found["y"] < 0.7)
        assert set(found["class_id"][car].tolist()) == {1}
        assert set(found["kind"][car].tolist()) == {1}
        bench.depth = depth.astype(np.float64)
        bench.until(
            lambda: "depth refused: encoding '64FC1'" in (bench.value("caution", "last reason without points") or ""),
            "a refusal of the depth image",
            each=bench.send,
        )


def test_no_camera_info_and_no_tf_are_told_from_the_start_and_the_map_is_empty():
    node, bench = ground_node("blank"), GroundBench("blank", tf=False)
    with watched(node, bench):
        bench.listen("caution", "free_space")
        bench.camera(depth=10)
        info, bench.info = bench.info, type("Nobody", (), {"publish": lambda *_: None})()
        grid = bench.fresh("caution")
        assert set(grid.data) == {-1}
        assert (grid.info.height, grid.info.width, grid.header.frame_id) == (100, 100, "base_link")
        bench.says("caution", "no CameraInfo on /blank/camera_info yet", each=bench.send)
        bench.info = info
        bench.says("caution", "tf: frame base_link is not known: no transform has arrived", each=bench.send)
        assert bench.received["free_space"] == []
        assert int(bench.value("caution", "frames without a map")) > 0


def test_a_sized_down_image_is_taken_only_where_that_is_allowed():
    more = without_tf(**{"caution.camera_info_scaled": True})
    node, bench = ground_node("small", **more), GroundBench("small", tf=False)
    with watched(node, bench):
        bench.listen("caution")
        bench.camera(depth=10)
        bench.fresh("caution", np.ascontiguousarray(scene()[::2, ::2]), good=known)
        cut = np.ascontiguousarray(scene()[:, : SIZE[1] // 2])
        bench.says("caution", "of another shape", each=lambda: bench.send(cut))
