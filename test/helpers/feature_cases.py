"""Feature statistics at random, and a small network with a layer of its own to name."""

import torch
from torch import nn

from trust_seg_ros.types import Classifier, LogitMaps
from trust_seg_ros.uncertainty.feature_statistics import FeatureStatistics, Moments


def statistics(channels, residual, bank, *, layer="", seed=0, network="", network_sha256=""):
    """Statistics of ``channels`` features, of no network."""
    make = torch.Generator().manual_seed(seed)
    directions = torch.linalg.qr(torch.randn(channels, channels, generator=make)).Q[:, :residual]
    rows = nn.functional.normalize(torch.randn(bank, channels, generator=make))
    return FeatureStatistics(
        layer,
        torch.randn(channels, generator=make),
        directions.half(),
        0.7,
        rows.half(),
        Moments(0.3, 0.2),
        Moments(-5.0, 2.0),
        1000,
        network,
        network_sha256,
    )


def feature_answer(q, channels, h, w, size, *, seed=0, raw=True):
    """Logits and features of one image with a last 1x1 convolution."""
    make = torch.Generator().manual_seed(seed)
    logits, features = torch.randn(q, h, w, generator=make) * 3, torch.randn(channels, h, w, generator=make)
    if not raw:
        logits = logits.log_softmax(0)
    return LogitMaps(logits, size, raw, features, Classifier(torch.zeros(q, channels, 1, 1)))


class SmallNet(nn.Module):
    """Three classes; ``body`` gives 6 features at a quarter of the size, the head is 3x3: no features for scores."""

    labels = "camvid11"
    stride = 4

    def __init__(self, side=3):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 4, 4), nn.ReLU())
        self.tokens = Tokens()
        self.flat = nn.Identity()
        self.head = nn.Conv2d(6, 11, side, padding=side // 2)

    def forward(self, x):
        y = self.body(x)
        self.tokens(y)
        self.flat(y.mean((2, 3)))
        return self.head(y)


class Tokens(nn.Module):
    """Features as a transformer gives them: a class token, then the grid row by row."""

    def forward(self, y):
        flat = y.flatten(2).transpose(1, 2)
        return torch.cat([flat.mean(1, keepdim=True), flat], 1)


def small_net():
    """Factory of a network whose last layer is 3x3."""
    return SmallNet()


def plain_net():
    """Factory of a network whose last layer is 1x1."""
    return SmallNet(1)
