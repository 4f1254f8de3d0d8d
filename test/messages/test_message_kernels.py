import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.messages.kernels import overlap, overlap_reference, paint, paint_reference


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.integers(0, 9), st.integers(0, 5))
def test_compiled_passes_equal_their_references(seed, height, width, n, m):
    rng = np.random.default_rng(seed)
    ids, other = (rng.integers(0, k + 1, (height, width), dtype=np.int32) for k in (n, m))
    kept, score = rng.random(m) < 0.5, rng.random(m)
    for others in (0, 128):
        np.testing.assert_array_equal(paint(other, kept, others), paint_reference(other, kept, others))
    for fast, slow in zip(
        overlap(ids, n, other, kept, score), overlap_reference(ids, n, other, kept, score), strict=True
    ):
        np.testing.assert_allclose(fast, slow, rtol=1e-12)


def test_views_are_taken_as_they_are():
    ids = np.arange(24, dtype=np.int32).reshape(4, 6)[::2, ::3]
    flagged = np.arange(1, 24) % 2 == 0
    np.testing.assert_array_equal(paint(ids, flagged), paint_reference(ids, flagged))


def test_segments_that_are_not_flagged_take_the_other_value():
    ids = np.array([[0, 1, 2, 2]], np.int32)
    assert paint(ids, np.array([False, True]), others=128).tolist() == [[0, 128, 255, 255]]
    assert paint(ids, np.array([False, False]), others=128).tolist() == [[0, 128, 128, 128]]
    assert paint(ids, np.array([False, False])).tolist() == [[0, 0, 0, 0]]
