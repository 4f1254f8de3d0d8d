"""Kernels of the road's borders against their readable reference."""

from __future__ import annotations

import numpy as np
import pytest

from trust_seg_ros.ground import road_kernels, road_reference


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("any_beside", [False, True])
def test_outermost_pixels_are_the_same(share: float, any_beside: bool) -> None:
    rng = np.random.default_rng(int(100 * share))
    ground, beside = rng.random(600) < share, rng.random(600) < 0.3
    index = rng.integers(0, 600, (25, 40))
    index[rng.random(index.shape) < 0.1] = -1
    index[:, :5] = -1
    found = []
    for module in (road_kernels, road_reference):
        places = [np.full(50, -7, np.int64) for _ in range(3)]
        n = module.outermost(ground, beside, any_beside, index, *places)
        found.append([n, *(each[:n].tolist() for each in places)])
    assert found[0] == found[1]
    assert (found[0][0] > 0) == (share > 0)


def test_normal_equations_are_the_same() -> None:
    rng = np.random.default_rng(1)
    mean = np.array([2.5, -2.0, 1.5, -1.0, 0.02, 0.001, 0.03])
    border = rng.integers(0, 4, 80)
    q = rng.uniform(-0.05, 0.3, 80)
    p = mean[border] * (q + 0.03) + 0.02 + rng.normal(0, 0.02, 80)
    wavy, alike = np.array([0.1, 0.1, 0.5, 0.5]), np.array([4.0, 4.0, 60.0, 60.0])
    found = []
    for module in (road_kernels, road_reference):
        information, gradient, used = np.eye(7), np.ones(7), np.empty(80, bool)
        module.normal_equations(q, p, border, mean, 0.003, wavy, alike, 0.025, 3.0, information, gradient, used)
        found.append((information, gradient, used))
    assert np.allclose(found[0][0], found[1][0])
    assert np.allclose(found[0][1], found[1][1])
    assert (found[0][2] == found[1][2]).all()
    assert 10 < found[0][2].sum() < 80
