"""Score maps at random, for the tests of thresholds computed from the image."""

import numpy as np
from hypothesis import strategies as st

TINY = np.finfo(np.float32).smallest_subnormal
ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, TINY, -TINY, np.finfo(np.float32).max, np.finfo(np.float32).min]


@st.composite
def maps(draw, sizes=(8191, 8192, 8193, 70_000, 200_001)):
    """Smooth, tied, constant and odd maps; small ones, and ``sizes``, to lie around those of blocks."""
    n = draw(st.one_of(st.integers(1, 40), st.sampled_from(sizes)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["uniform", "normal", "ties", "steep", "constant", "bits"]))
    if kind == "uniform":
        score = rng.random(n, np.float32)
    elif kind == "normal":
        score = (rng.standard_normal(n) * draw(st.sampled_from([1e-30, 1.0, 1e20]))).astype(np.float32)
    elif kind == "ties":
        score = rng.integers(-2, draw(st.integers(0, 300)), n).astype(np.float32) / 8
    elif kind == "steep":
        score = (rng.random(n) ** 40).astype(np.float32)
    elif kind == "constant":
        score = np.full(n, draw(st.floats(width=32, allow_nan=False, allow_infinity=False)), np.float32)
    else:
        score = rng.integers(0, 2**32, n, dtype=np.uint32).view(np.float32)
    for value in draw(st.lists(st.sampled_from(ODD), max_size=3)):
        score[rng.random(n) < draw(st.sampled_from([0.01, 0.5, 1.0]))] = value
    return score


QUANTILES = st.one_of(st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0, 1e-9]), st.floats(1e-6, 1.0))
