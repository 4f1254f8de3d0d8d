"""Networks' answers with features, at random, for the tests of the gradient scores, and what equals the reference."""

import numpy as np
import torch
from hypothesis import strategies as st
from placements import placements

from trust_seg_ros.types import Classifier, LogitMaps
from trust_seg_ros.uncertainty import gradient_reference
from trust_seg_ros.uncertainty.gradient_inputs import LABELS, read_last_layer
from trust_seg_ros.uncertainty.gradient_reference import log_norm_of

CLOSE = 2e-5  # of the norm, relative


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
def answers(draw, most=(12, 30), largest=(40, 70)):
    """Arguments of ``answer``: they are short to print when a test fails."""
    h, w = draw(st.integers(1, most[0])), draw(st.integers(1, most[1]))
    if draw(st.booleans()):
        size = (h * draw(st.integers(1, 5)), w * draw(st.integers(1, 9)))
    else:
        size = (draw(st.integers(1, largest[0])), draw(st.integers(1, largest[1])))
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


def limits(logits, p):
    """Logarithms of the least and the largest ‖f - 1/q‖_p for a softmax whose digits are right to 2e-6.

    f - 1/q cancels where a class is as likely as under the uniform softmax, and a small p makes much of what is left.
    """
    e = np.exp(logits.astype(np.float64) - logits.max(0))
    f, q = e / e.sum(0), len(logits)
    distance, slack = np.abs(f - 1 / q), 2e-6 * (f + 1 / q)
    return log_norm_of(np.maximum(distance - slack, 0.0), p), log_norm_of(distance + slack, p)


def uniform_limits(maps, chosen):
    """The same as scores on the output grid, with all steps but the softmax as in the reference."""
    layer = read_last_layer(maps)
    patch, _ = gradient_reference._log_patch_norm(layer.features.double().numpy(), layer, chosen.p)
    factors = limits(layer.prepared.values.numpy(), chosen.p)
    scores = [
        gradient_reference._score(patch + factor, maps.size, chosen, "uniform", maps.placement)[0] for factor in factors
    ]
    return torch.from_numpy(scores[1]), torch.from_numpy(scores[0])  # minus the norm: the largest norm comes first


def assert_equal(got, want, chosen, maps):
    __tracebackhide__ = True
    relative, absolute = (1e-6, CLOSE) if chosen.scale == "log" else (CLOSE, 1e-37)
    for label in LABELS:
        found, least = getattr(got, label).double(), getattr(want, label).double()
        most = least
        if chosen.variant == "exact" and label == "uniform":
            least, most = (limit.double() for limit in uniform_limits(maps, chosen))
        assert (found >= least - absolute - relative * least.abs()).all(), label
        assert (found <= most + absolute + relative * most.abs()).all(), label
    assert got.faulty_pixels == want.faulty_pixels
    assert got.limited == want.limited
