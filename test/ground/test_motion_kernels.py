"""Kernels of the ground's motion against their readable reference."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.ground import motion_kernels, motion_reference
from trust_seg_ros.ground.ground_patches import STEPS


def _image(seed: int) -> np.ndarray:
    image = np.random.default_rng(seed).integers(0, 256, (60, 80)).astype(np.uint8)
    image[:, :20] = 90  # nothing to see
    return image


def test_strengths_are_the_same() -> None:
    rng = np.random.default_rng(1)
    u, v = rng.integers(5, 75, 40), rng.integers(5, 55, 40)
    angle = rng.uniform(0, 2 * np.pi, 40)
    along = np.column_stack([np.cos(angle), np.sin(angle)])
    found = [each.strengths(_image(0), u, v, along, STEPS) for each in (motion_kernels, motion_reference)]
    assert np.allclose(found[0], found[1])
    assert (found[0] > 0).any()
    assert (found[0][u < 14] == 0).all()


def test_agreement_is_the_same_also_where_patches_leave_the_image_or_have_no_place() -> None:
    rng = np.random.default_rng(2)
    u, v = rng.integers(4, 76, 60), rng.integers(4, 56, 60)
    places = np.empty((3, 60, 6))
    places[..., 0] = u + rng.normal(0, 6, (3, 60))
    places[..., 1] = v + rng.normal(0, 6, (3, 60))
    places[..., 2:] = np.array([0.8, 0.05, -0.1, 0.7]) + rng.normal(0, 0.05, (3, 60, 4))
    places[:, 7] = np.nan
    blend = rng.uniform(0, 1, (9, 3))
    blend /= blend.sum(axis=1, keepdims=True)
    found = [
        each.agreement(_image(0), _image(0), u, v, places, blend, STEPS) for each in (motion_kernels, motion_reference)
    ]
    assert np.allclose(found[0], found[1], rtol=1e-3, atol=1e-3)
    assert (found[0] > 1).all()


def test_an_image_agrees_with_itself() -> None:
    u, v = np.array([30, 50, 60]), np.array([30, 20, 40])
    places = np.zeros((1, 3, 6))
    places[0, :, 0], places[0, :, 1], places[0, :, 2], places[0, :, 5] = u, v, 1, 1
    assert np.isclose(motion_kernels.agreement(_image(0), _image(0), u, v, places, np.ones((1, 1)), STEPS)[0], 3.0)
