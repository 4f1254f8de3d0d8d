import math

import pytest
import torch
from torch.nn import functional as F

from trust_seg_ros.training.ood_losses import OOD, combined_loss, pixel_counts, pixel_losses

LOGITS = torch.tensor([[0.0, math.log(3.0), 0.0, 2.0], [0.0, 0.0, math.log(7.0), -1.0]]).view(1, 2, 1, 4)
"""Softmax of the four pixels: (1/2, 1/2), (3/4, 1/4), (1/8, 7/8), and one that is always ignored below."""


def test_hand_worked_parts():
    codes = torch.tensor([[[0, OOD, 1, 255]]])
    known, ood = pixel_losses(LOGITS, codes).tolist()
    assert known == pytest.approx(math.log(2) + math.log(8 / 7), rel=1e-6)
    assert ood == pytest.approx(-0.5 * (math.log(3 / 4) + math.log(1 / 4)), rel=1e-6)
    assert pixel_counts(codes).tolist() == [2, 1]


def test_hand_worked_loss_in_both_normalisations():
    losses, counts = torch.tensor([4.0, 3.0]), torch.tensor([8, 2])
    assert combined_loss(losses, counts, 0.9).item() == pytest.approx((0.1 * 4 + 0.9 * 3) / 10)
    assert combined_loss(losses, counts, 0.9, "each").item() == pytest.approx(0.1 * 4 / 8 + 0.9 * 3 / 2)


def test_the_uniform_softmax_has_the_smallest_loss_log_q():
    codes = torch.full((1, 4, 4), OOD)
    even = pixel_losses(torch.zeros(1, 11, 4, 4), codes)[1].item() / 16
    torch.manual_seed(0)
    other = pixel_losses(torch.randn(1, 11, 4, 4), codes)[1].item() / 16
    assert even == pytest.approx(math.log(11), rel=1e-6)
    assert other > even


def test_ood_part_is_the_cross_entropy_to_the_uniform_label():
    torch.manual_seed(0)
    logits, codes = torch.randn(2, 5, 6, 6), torch.full((2, 6, 6), OOD)
    soft = F.cross_entropy(logits, torch.full_like(logits, 1 / 5), reduction="sum")
    assert pixel_losses(logits, codes)[1].item() == pytest.approx(soft.item(), rel=1e-5)


def test_ignored_pixels_have_no_gradient():
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    codes = torch.full((1, 4, 4), 255)
    codes[0, 0, 0], codes[0, 0, 1] = 2, OOD
    combined_loss(pixel_losses(logits, codes), pixel_counts(codes), 0.9).backward()
    moved = logits.grad.abs().sum(1)[0] > 0
    assert moved.nonzero().tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("normalisation", ["joint", "each"])
@pytest.mark.parametrize("code", [0, OOD, 255])
def test_a_part_without_pixels_is_zero_and_differentiable(normalisation, code):
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    codes = torch.full((1, 4, 4), code)
    loss = combined_loss(pixel_losses(logits, codes), pixel_counts(codes), 0.5, normalisation)
    loss.backward()
    assert torch.isfinite(logits.grad).all()
    assert (loss.item() == 0) == (code == 255)


@pytest.mark.parametrize("normalisation", ["joint", "each"])
def test_losses_of_parts_of_a_batch_add_up_to_that_of_the_batch(normalisation):
    # unlike means of halves: what lets several processes share a batch
    torch.manual_seed(0)
    logits, codes = torch.randn(4, 3, 8, 8), torch.randint(0, 3, (4, 8, 8))
    codes[0, :3], codes[3, 1:4], codes[1] = OOD, OOD, 255
    counts = pixel_counts(codes)
    whole = combined_loss(pixel_losses(logits, codes), counts, 0.9, normalisation)
    halves = [
        combined_loss(pixel_losses(x, y), counts, 0.9, normalisation)
        for x, y in zip(logits.split(2), codes.split(2), strict=True)
    ]
    assert sum(h.item() for h in halves) == pytest.approx(whole.item(), rel=1e-5)


def test_logits_are_upsampled_before_the_softmax():
    logits = torch.tensor([[0.0, 4.0], [0.0, 0.0]]).view(1, 2, 1, 2)
    codes = torch.zeros(1, 1, 4, dtype=torch.long)
    grown = torch.tensor([0.0, 1.0, 3.0, 4.0])  # align_corners=False
    expected = torch.log(1 + torch.exp(-grown)).sum().item()
    assert pixel_losses(logits, codes)[0].item() == pytest.approx(expected, rel=1e-5)
