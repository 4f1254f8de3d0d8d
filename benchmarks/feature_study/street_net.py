"""A network that is not the package's own, as a user would bring it: 0.6 M parameters, logits at a quarter of the size.

An encoder of residual blocks down to a sixteenth, dilated convolutions and the mean of the image around them, and a
decoder that adds finer maps back. ``street_net:plain`` and ``street_net:taught`` are what ``--model`` takes, before and
after entropy maximisation, with this folder on PYTHONPATH and the weights in the folder STREET_NET_RUNS.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

WIDTHS = (16, 32, 64, 96)
DECODER = 48
RUNS = "STREET_NET_RUNS"
PLAIN, TAUGHT = Path("camvid.safetensors"), Path("taught/weights.safetensors")


def _conv(inp: int, out: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    padding = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(inp, out, kernel, stride, padding, dilation, bias=False), nn.BatchNorm2d(out), nn.ReLU()
    )


class Block(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = _conv(width, width, dilation=dilation)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) in and out."""
        return F.relu(x + self.second(self.first(x)))


class StreetNet(nn.Module):
    """See the head of the file."""

    labels = "camvid11"
    input_size = (352, 480)
    stride = 16

    def __init__(self, classes: int = 11) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.quarter = nn.Sequential(_conv(3, a, stride=2), _conv(a, b, stride=2), Block(b))
        self.eighth = nn.Sequential(_conv(b, c, stride=2), Block(c))
        self.sixteenth = nn.Sequential(_conv(c, d, stride=2), Block(d, 2), Block(d, 4))
        self.whole = nn.Linear(d, d)
        self.across = nn.ModuleList(nn.Conv2d(width, DECODER, 1) for width in (d, c, b))
        self.smooth = nn.ModuleList(_conv(DECODER, DECODER) for _ in range(2))
        self.head = nn.Conv2d(DECODER, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) -> raw logits (B, classes, H / 4, W / 4)."""
        fine = self.quarter(x)
        middle = self.eighth(fine)
        coarse = self.sixteenth(middle)
        coarse = F.relu(coarse + self.whole(coarse.mean((2, 3)))[:, :, None, None])
        y = self.across[0](coarse)
        for finer, across, smooth in zip((middle, fine), list(self.across)[1:], self.smooth, strict=True):
            y = smooth(F.interpolate(y, size=finer.shape[2:], mode="bilinear", align_corners=False) + across(finer))
        return self.head(y)


def plain() -> nn.Module:
    """As trained on CamVid."""
    return _loaded(PLAIN)


def taught() -> nn.Module:
    """After ``trust-seg finetune --model street_net:plain``."""
    return _loaded(TAUGHT)


def _loaded(weights: Path) -> nn.Module:
    net = StreetNet()
    net.load_state_dict(load_file(Path(os.environ[RUNS]) / weights))
    return net
