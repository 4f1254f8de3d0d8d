"""Logits at random, and when two versions of their maps are equal."""

import torch
from hypothesis import strategies as st
from placements import placements

from trust_seg_ros.types import UNLABELLED, LogitMaps
from trust_seg_ros.uncertainty.logits import prepare, upsample

SCORES = ("entropy", "margin", "variation_ratio")
CLASSES = st.one_of(st.integers(2, 24), st.just(254))


def random_logits(q, h, w, seed, spread=4.0):
    return torch.randn(q, h, w, generator=torch.Generator().manual_seed(seed)) * spread


def largest(logits):
    """Of their absolute values, faulty ones aside: interpolated in float32, logits are off by about its last digit."""
    size = logits.float().abs()
    return size[size < 1e6].max().item() if (size < 1e6).any() else 0.0


def assert_equal(got, want, maps):
    __tracebackhide__ = True
    tolerance = max(1e-5, 2 * torch.finfo(torch.float32).eps * largest(maps.logits))
    for name in SCORES:
        difference = (getattr(got, name) - getattr(want, name)).abs().max().item()
        assert difference <= tolerance, f"{name} differs by {difference}, expected {tolerance} at most"
    assert got.faulty_pixels == want.faulty_pixels
    differing = got.classes != want.classes
    if differing.any():
        full = upsample(prepare(maps).values, maps.size, maps.placement)
        top = full.topk(2, 0).values
        assert ((top[0] - top[1])[differing] <= 1e-5 * top[0].abs().clamp_min(1.0)[differing]).all()
        assert ((got.classes == UNLABELLED) == (want.classes == UNLABELLED)).all()


@st.composite
def cases(draw, *, classes=CLASSES, grid=(12, 40), most=(50, 90), factor=9):
    """Logits with some faults on at most ``grid``, for maps of a multiple of its size or of anything up to ``most``."""
    q = draw(classes)
    h, w = draw(st.integers(1, grid[0])), draw(st.integers(1, grid[1]))
    if draw(st.booleans()):  # the factors that have kernels of their own, and those around them
        size = (h * draw(st.integers(1, factor)), w * draw(st.integers(1, factor)))
    else:
        size = (draw(st.integers(1, most[0])), draw(st.integers(1, most[1])))
    logits = random_logits(q, h, w, draw(st.integers(0, 2**31)), draw(st.sampled_from([0.01, 1.0, 5.0, 40.0])))
    raw = draw(st.booleans())
    if not raw:
        logits = logits.log_softmax(0)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, q - 1)), draw(st.integers(0, h - 1)), draw(st.integers(0, w - 1))
        logits[place] = draw(st.sampled_from([torch.nan, torch.inf, -torch.inf, torch.finfo(torch.float32).min]))
    return LogitMaps(logits, size, raw=raw, placement=draw(placements(h, w)))
