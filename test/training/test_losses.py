import math

import pytest
import torch

from trust_seg_ros.training.losses import class_weights, lovasz_softmax, segmentation_loss


def test_lovasz_of_a_certain_prediction_is_one_minus_iou():
    # the Lovász extension equals the Jaccard loss at the corners of the hypercube (Berman et al. 2018, section 2)
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    predicted = torch.tensor([0, 0, 1, 1, 2, 2])
    loss = lovasz_softmax(torch.nn.functional.one_hot(predicted, 3).float(), labels)
    ious = [2 / 3, 1 / 3, 1 / 2]
    assert loss.item() == pytest.approx(1 - sum(ious) / 3, abs=1e-6)


def test_lovasz_of_the_truth_is_zero_and_classes_that_do_not_occur_do_not_count():
    labels = torch.tensor([0, 1, 1])
    assert lovasz_softmax(torch.nn.functional.one_hot(labels, 5).float(), labels).item() == pytest.approx(0, abs=1e-6)


def test_lovasz_without_pixels_is_zero_and_differentiable():
    probabilities = torch.rand(0, 3, requires_grad=True)
    loss = lovasz_softmax(probabilities, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0


def test_class_weights_are_the_formula_of_enet_with_mean_one():
    weights = class_weights(torch.tensor([0.9, 0.09, 0.01]))
    raw = [1 / math.log(1.1 + s) for s in (0.9, 0.09, 0.01)]
    assert weights.tolist() == pytest.approx([w / (sum(raw) / 3) for w in raw], rel=1e-5)


def test_ignored_pixels_do_not_change_the_loss():
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 4, 4)
    labels = torch.randint(0, 3, (1, 8, 8))
    labels[:, :, 4:] = 255
    changed = logits.clone()
    changed[..., 3] += 5.0  # reaches only columns that are ignored
    weights = torch.ones(3)
    before = segmentation_loss(logits, labels, weights, 0.0, 10)
    assert segmentation_loss(changed, labels, weights, 0.0, 10).item() == pytest.approx(before.item(), abs=1e-6)
