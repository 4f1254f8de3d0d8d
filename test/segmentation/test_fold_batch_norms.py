import pytest
import torch
from torch import nn

from trust_seg_ros.segmentation.compact import CompactNet
from trust_seg_ros.segmentation.optimise import fold_batch_norms


def count(module):
    return sum(isinstance(m, nn.BatchNorm2d) for m in module.modules())


def disturb(module):
    torch.manual_seed(1)
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
    return module.eval()


@torch.no_grad()
def test_the_answer_stays_the_same_and_the_norms_are_gone(tiny):
    net = tiny()
    x = torch.randn(1, 3, 32, 32)
    before = net(x)
    assert fold_batch_norms(net) == 1
    assert count(net) == 0
    assert torch.allclose(net(x), before, atol=1e-5)


@torch.no_grad()
def test_the_embedded_network_folds_and_keeps_its_answer():
    net = disturb(CompactNet())
    x = torch.randn(1, 3, 64, 96)
    before, norms = net(x), count(net)
    folded = fold_batch_norms(net)
    assert folded > norms / 2
    assert count(net) == norms - folded
    for a, b in zip(net(x), before, strict=True):
        assert torch.allclose(a, b, atol=1e-4 * float(b.abs().max()))


class Shared(nn.Module):
    """A convolution whose output has a second user, one called twice, and a forward that branches."""

    def __init__(self, branch=False):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.twice, self.other = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.branch = branch

    def forward(self, x):
        if self.branch and x.sum() > 0:
            return self.norm(self.first(x))
        y = self.first(x)
        y = self.norm(y) + y
        return self.other(self.twice(self.twice(y)))


@torch.no_grad()
@pytest.mark.parametrize("branch", [False, True])
def test_what_cannot_be_folded_stays(branch):
    net = disturb(Shared(branch))
    x = torch.randn(1, 3, 8, 8)
    before = net(x)
    assert fold_batch_norms(net) == 0
    assert torch.equal(net(x), before)


def test_training_mode_is_refused(tiny):
    with pytest.raises(ValueError, match="evaluation mode"):
        fold_batch_norms(tiny().train())
