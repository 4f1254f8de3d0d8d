"""Scores of raw logits."""

import pytest
import torch
from torch.nn import functional

from trust_seg_ros.segmentation.tails import Where
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import RawLogitsNeededError, SettingError, energy, max_logit, scores


def upsampled(logits, size):
    return functional.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize("size", [(3, 4), (12, 16), (13, 29), (2, 2)])
def test_both_scores_equal_their_definition(size):
    logits = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(1)) * 5
    full = upsampled(logits, size)
    torch.testing.assert_close(max_logit(LogitMaps(logits, size)), -full.amax(0), atol=1e-5, rtol=0)
    torch.testing.assert_close(energy(LogitMaps(logits, size)), -full.logsumexp(0), atol=1e-5, rtol=0)


def test_temperature_divides_the_logits_and_scales_the_energy():
    logits = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(2))
    got = energy(LogitMaps(logits, (6, 8)), temperature=2.5)
    torch.testing.assert_close(got, -2.5 * (upsampled(logits, (6, 8)) / 2.5).logsumexp(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("score", [max_logit, energy])
def test_probabilities_are_refused_with_a_way_out(score):
    with pytest.raises(RawLogitsNeededError, match=r"raw=False.*entropy"):
        score(LogitMaps(torch.zeros(3, 2, 2), (4, 4), raw=False))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(SettingError, match="above 0"):
        energy(LogitMaps(torch.zeros(3, 2, 2), (4, 4)), temperature=temperature)


@pytest.mark.parametrize("placement", [None, Where(8, corners=True).placement((6, 7), (44, 50))])
@pytest.mark.parametrize("score", [max_logit, energy])
def test_scores_on_a_device_without_kernels_equal_those_on_the_cpu(score, placement, monkeypatch):
    logits = torch.randn(9, 6, 7, generator=torch.Generator().manual_seed(4)) * 4
    maps = LogitMaps(logits, (33, 50), placement=placement)
    compiled = score(maps)
    monkeypatch.setattr(scores, "_compiled", lambda out: False)
    torch.testing.assert_close(score(maps), compiled, atol=1e-5, rtol=0)
