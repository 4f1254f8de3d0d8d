"""Caution maps of the real node: a drawn obstacle is a hazard at its place, and nothing behind it is known."""

import numpy as np
import pytest
from ground_bench import COLUMNS, FOCAL, FOOT_X, GroundBench, cells, ground_node, points, scene
from ros_bench import watched

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def bench():
    node, bench = ground_node("seen"), GroundBench("seen")
    with watched(node, bench):
        bench.listen("caution", "hazards", "free_space")
        bench.camera(depth=10)
        bench.fresh("caution", good=known)
        yield bench


def known(grid):
    return max(grid.data) >= 0


def test_an_obstacle_is_a_hazard_at_its_foot_and_nothing_is_known_behind_it(bench):
    grid = bench.fresh("caution", good=known)
    assert grid.header.frame_id == "base_link"
    assert (grid.header.stamp.sec, grid.header.stamp.nanosec) in bench.sent, "the stamp of the image"
    data, x, y = cells(grid)
    half = (COLUMNS[1] - COLUMNS[0]) / 2 / FOCAL * FOOT_X
    at_foot = (np.abs(x - FOOT_X) < 0.6) & (np.abs(y) < half - 0.3)
    behind = (x > FOOT_X + 0.8) & (np.abs(y) < half * x / FOOT_X - 0.3)
    before = (x > 4.0) & (x < FOOT_X - 1.0) & (np.abs(y) < half)
    beside = (x > 4.0) & (x < 15.0) & (np.abs(y) > half * x / FOOT_X + 0.6) & (np.abs(y) < 0.6 * x - 1.0)
    assert data[at_foot].max() >= 50
    assert (data[behind] == -1).all()
    assert behind.sum() > 100
    for free in (before, beside):
        assert free.sum() > 100
        assert (data[free] >= 0).all()
        assert (data[free] < 20).all()


def test_feet_and_free_ground_come_as_points(bench):
    feet = points(bench.fresh("hazards", good=lambda cloud: cloud.width))
    np.testing.assert_allclose(feet["x"], FOOT_X, atol=0.4)
    assert np.abs(feet["y"]).max() < (COLUMNS[1] - COLUMNS[0]) / 2 / FOCAL * FOOT_X + 0.2
    np.testing.assert_allclose(feet["z"], 0.0, atol=1e-4)
    assert set(feet["class_id"].tolist()) == {1}
    assert set(feet["kind"].tolist()) == {1}
    assert (feet["p"] >= 0.5).all()
    assert (feet["sigma"] > 0).all()
    free = points(bench.fresh("free_space", good=lambda cloud: cloud.width))
    assert (free["p"] < 0.3).all()
    assert not ((free["x"] > FOOT_X + 0.6) & (np.abs(free["y"]) < 0.5)).any(), "behind the obstacle"


def test_the_report_says_what_the_map_was_made_with(bench):
    bench.fresh("caution", good=known)
    bench.until(lambda: bench.value("caution", "camera height m") == "1.50", "a report", each=bench.send)
    assert bench.value("caution", "frame") == "base_link"
    assert int(bench.value("caution", "cells free")) > 1000
    assert bench.value("caution", "last reason to start anew") == "none"
    bench.until(lambda: bench.value("processing", "caution ms (p50)"), "the time it takes", each=bench.send)


def test_the_threshold_on_free_ground_changes_at_the_next_frame(bench):
    assert bench.set("caution.free_below", 0.0).successful
    grid = bench.fresh("free_space", good=lambda cloud: cloud.width == 0, what="no free ground")
    assert grid.width == 0
    assert bench.set("caution.free_below", 0.3).successful
    bench.fresh("free_space", good=lambda cloud: cloud.width > 0, what="free ground again")
    assert not bench.set("caution.free_below", 2.0).successful


def test_a_picture_of_nothing_but_obstacles_has_no_free_cell(bench):
    grey = np.full_like(scene(), 128)
    free = bench.fresh("free_space", grey, good=lambda cloud: cloud.header.stamp.sec == bench._stamp)
    assert free.width == 0
