"""Networks' answers with features, at random, for the tests of the gradient scores."""

import torch
from hypothesis import strategies as st
from placements import placements

from trust_seg_ros.types import Classifier, LogitMaps


def answer(
    q,
    channels,
    h,
    w,
    size,
    *,
    side=1,
    dilation=1,
    bias=False,
    last=False,
    seed=0,
    spread=3.0,
    rectified=False,
    placement=None,
):
    """Logits and features of one image; nothing says that the one comes from the other."""
    make = torch.Generator().manual_seed(seed)
    logits = torch.randn(q, h, w, generator=make) * spread
    features = torch.randn(channels, h, w, generator=make)
    features = features.relu_() if rectified else features
    if last:
        features = features.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    classifier = Classifier(torch.zeros(q, channels, side, side), torch.zeros(q) if bias else None, dilation)
    return LogitMaps(logits, size, features=features, classifier=classifier, placement=placement)


@st.composite
def answers(draw):
    """Arguments of ``answer``: they are short to print when a test fails."""
    h, w = draw(st.integers(1, 12)), draw(st.integers(1, 30))
    if draw(st.booleans()):
        size = (h * draw(st.integers(1, 5)), w * draw(st.integers(1, 9)))
    else:
        size = (draw(st.integers(1, 40)), draw(st.integers(1, 70)))
    return {
        "q": draw(st.one_of(st.integers(2, 24), st.just(254))),
        "channels": draw(st.integers(1, 40)),
        "h": h,
        "w": w,
        "size": size,
        "side": draw(st.sampled_from([1, 1, 3, 5])),
        "dilation": draw(st.integers(1, 4)),
        "bias": draw(st.booleans()),
        "last": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**31)),
        "spread": draw(st.sampled_from([0.1, 1.0, 5.0, 40.0])),
        "rectified": draw(st.booleans()),
        "placement": draw(placements(h, w)),
    }
