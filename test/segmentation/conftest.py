"""Small real networks for the tests of this room."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F


class TinyNet(nn.Module):
    """11 classes at half the input's size; ``grow`` upsamples the logits to the input's size inside."""

    def __init__(self, classes: int = 11, grow: bool = False, end: str = "logits", kernel: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Conv2d(8, classes, kernel, padding=kernel // 2)
        self.grow, self.end = grow, end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.head(self.body(x))
        if self.grow:
            y = F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=False)
        if self.end == "probabilities":
            return y.softmax(1)
        return y.log_softmax(1) if self.end == "log_probabilities" else y


def seeded(**options: object) -> TinyNet:
    torch.manual_seed(3)
    net = TinyNet(**options).eval()  # type: ignore[arg-type]
    norm = net.body[1]
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    return net


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """On a busy machine torch's threads wait for each other longer than these small networks compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny():
    """The maker of small networks, always with the same weights."""
    return seeded


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (64, 96, 3), np.uint8)
