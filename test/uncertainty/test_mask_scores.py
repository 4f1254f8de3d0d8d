"""The scores of mask networks against their definitions, written out in float64."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_cases import mask_answer, summed

from trust_seg_ros.types import LogitMaps, MaskQueries
from trust_seg_ros.uncertainty import LogitsError, MaskQueriesNeededError, mask_scores, uncertainty_maps
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.mask_scores import (
    class_sum_entropy,
    mask_uncertainty,
    maskomaly,
    max_class_sum,
    prepare_queries,
    rba,
)
from trust_seg_ros.uncertainty.score_names import MASK_SCORES, left_out_notes, score_range

FUNCTIONS = {f.__name__: f for f in (rba, max_class_sum, class_sum_entropy, mask_uncertainty, maskomaly)}


def grown(planes, size):
    return torch.nn.functional.interpolate(planes[None], size=size, mode="bilinear", align_corners=False)[0].double()


def definition(name, maps):
    sums, masks = grown(maps.logits, maps.size), grown(maps.queries.masks, maps.size)
    p = maps.queries.probabilities.double()
    if name == "rba":
        return -sums.tanh().sum(0)
    if name == "max_class_sum":
        return 1.0 - sums.amax(0)
    if name == "class_sum_entropy":
        f = sums.softmax(0)
        return -(f * f.log()).sum(0) / math.log(len(f))
    with_void = torch.cat([p, 1.0 - p.sum(1, keepdim=True)], 1)
    score = torch.ones(maps.size, dtype=torch.float64)
    for k in range(len(p)):
        largest = int(with_void[k].argmax())
        if name == "mask_uncertainty":
            score = torch.minimum(score, 1.0 - p[k].max() * masks[k])
        elif largest < p.shape[1] and with_void[k, largest] > 0.7:
            score = torch.minimum(score, 1.0 - with_void[k, largest] * masks[k])
    if name == "maskomaly":
        positive = [masks[k] for k in range(len(p)) if int(with_void[k].argmax()) < p.shape[1]]
        for i in range(len(positive)):
            for j in range(i + 1, len(positive)):
                score[(positive[i] > 0.1) & (positive[j] > 0.1)] = 0.0
    return score


@st.composite
def cases(draw):
    q, queries = draw(st.integers(2, 30)), draw(st.integers(1, 40))
    h, w = draw(st.integers(1, 9)), draw(st.integers(1, 30))
    size = (draw(st.integers(1, 40)), draw(st.integers(1, 80)))
    return mask_answer(q, queries, h, w, size, draw(st.integers(0, 2**31)), draw(st.sampled_from([1.0, 5.0])))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", MASK_SCORES)
@settings(max_examples=30, deadline=None)
@given(maps=cases())
def test_scores_are_their_definitions(name, compiled, maps):
    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            patch.setattr(mask_scores, "_compiled", lambda out: False)
        got = FUNCTIONS[name](maps)
    want = definition(name, maps)
    assert got.dtype == torch.float32
    difference = (got - want).abs()
    if name == "maskomaly":  # a mask may lie on either side of the border's 0.1
        on_border = ((grown(maps.queries.masks, maps.size) - 0.1).abs() < 1e-5).any(0)
        difference = difference[~on_border]
    worst = difference.max() if difference.numel() else torch.zeros(())
    assert worst <= (1e-6 if name != "rba" else 1e-6 * max(1.0, float(-want.min())))
    low, high = score_range(name, len(maps.logits))
    assert ((got >= low) & (got <= high)).all()


def test_a_pixel_that_no_query_claims_has_the_largest_score():
    maps = mask_answer(5, 4, 6, 6, (6, 6))
    maps.logits[:, 2, 3] = 0.0
    maps.queries.masks[:, 2, 3] = 0.0
    for name, function in FUNCTIONS.items():
        found = function(maps)
        assert found[2, 3] == found.max() == score_range(name, 5)[1], name


def test_rba_counts_the_classes_that_claim_a_pixel():
    probabilities = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    masks = torch.tensor([[[20.0, 0.0, 20.0]], [[0.0, 0.0, 20.0]]])  # beyond 1, where tanh is 1
    assert rba(summed(probabilities, masks, (1, 3))).tolist() == [[-1.0, 0.0, -2.0]]


def test_maskomaly_by_hand():
    """Two sure queries side by side, one unsure, one of no object: the unsure one's region stays, the border goes."""
    probabilities = torch.tensor([[0.9, 0.05, 0.0], [0.0, 0.8, 0.1], [0.4, 0.1, 0.1], [0.1, 0.0, 0.0]])
    masks = torch.tensor([[[1, 0.2, 0, 0, 0]], [[0, 0.3, 1, 0, 0]], [[0, 0, 0, 1, 0]], [[0, 0, 0, 0, 1.0]]])
    found = maskomaly(summed(probabilities, masks.float(), (1, 5)))
    assert found[0].tolist() == [pytest.approx(v, abs=1e-6) for v in (0.1, 0.0, 0.2, 1.0, 1.0)]
    lone = summed(probabilities[3:], masks[3:].float(), (1, 5))
    assert (maskomaly(lone) == 1.0).all()


def test_an_object_in_two_squares_is_no_border():
    """Two overlapping squares, an object in both: its second mask is the same object; masks in one square count."""
    probabilities = torch.tensor([[0.9, 0.0], [0.0, 0.9], [0.9, 0.0], [0.0, 0.9]])
    masks = torch.tensor([[[1.0, 1, 0]], [[0, 0, 0]], [[0, 1, 0]], [[0, 0, 1]]])
    maps = summed(probabilities, masks, (1, 3))
    two = replace(maps, queries=MaskQueries(probabilities, masks, 2))
    assert maskomaly(two)[0].tolist() == pytest.approx([0.1, 0.1, 0.1], abs=1e-6)
    assert maskomaly(maps)[0, 1] == 0.0


def test_faulty_pixels_have_the_maximum():
    maps = mask_answer(5, 4, 3, 3, (3, 3))
    maps.logits[0, 1, 1] = torch.nan
    for name, function in FUNCTIONS.items():
        found = function(maps)
        assert found[1, 1] == torch.inf, name
        assert found.isfinite().sum() == 8
    maps = mask_answer(5, 4, 3, 3, (3, 3))
    maps.queries.masks[2, 0, 0] = torch.nan
    assert mask_uncertainty(maps)[0, 0] == torch.inf
    assert mask_uncertainty(maps).isfinite().sum() == 8


def test_other_networks_are_refused_with_a_way_out():
    logits = LogitMaps(torch.randn(5, 3, 3), (6, 6))
    for name, function in FUNCTIONS.items():
        with pytest.raises(MaskQueriesNeededError, match=f"{name}.*mask network.*entropy"):
            function(logits)
    without = replace(mask_answer(5, 4, 3, 3, (6, 6)), queries=None)
    with pytest.raises(MaskQueriesNeededError, match="no masks"):
        maskomaly(without)
    assert rba(without).shape == (6, 6)
    reasons = FrameScores(logits, uncertainty_maps(logits)).missing(MASK_SCORES)
    assert set(reasons) == set(MASK_SCORES)
    assert left_out_notes({"energy": "no logits", **reasons}) == ["energy left out: no logits"]
    assert len(left_out_notes({"maskomaly": "no masks", "energy": "no logits"})) == 2  # of a mask network without masks


def test_queries_of_another_answer_are_refused():
    maps = mask_answer(5, 4, 3, 3, (6, 6))
    for queries in (
        MaskQueries(maps.queries.probabilities, torch.zeros(4, 6, 6)),
        MaskQueries(maps.queries.probabilities[:, :4], maps.queries.masks),
        MaskQueries(maps.queries.probabilities[:3], maps.queries.masks),
    ):
        with pytest.raises(LogitsError, match=r"expected \(Q, 5\) and \(Q, 3, 3\)"):
            prepare_queries(replace(maps, queries=queries), "this")
