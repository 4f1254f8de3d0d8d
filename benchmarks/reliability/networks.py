"""Foreign networks: what they answer, and what they say of themselves."""

from __future__ import annotations

import torch
from torch import nn

from trust_seg_ros.segmentation.labels import LabelSet

NAMES = ("red", "green", "blue")


class Colours(nn.Module):
    """Class = strongest colour."""

    labels, stride = LabelSet("colours", NAMES), 1
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(3, 3, 1, bias=False)
        self.last.weight.data = 12 * torch.eye(3)[:, :, None, None]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(1, 3, H, W) image -> (1, 3, H, W) logits."""
        return self.last(image)


def colours() -> nn.Module:
    """The healthy network."""
    return Colours()


class Dropping(Colours):
    """Has dropout."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """As that of Colours."""
        return nn.functional.dropout(super().forward(image), 0.5, self.training)


def in_training() -> nn.Module:
    """A factory may hand it over as training left it; the loader switches it."""
    return Dropping().train()


class Probabilities(Colours):
    """Softmax times 255, as uint8 exports give it."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """As that of Colours."""
        return 255 * super().forward(image).softmax(1)


def probabilities() -> nn.Module:
    """Answers with probabilities × 255."""
    return Probabilities()


class Independent(Colours):
    """One sigmoid per class."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """As that of Colours."""
        return torch.sigmoid(super().forward(image) - 6)


def independent() -> nn.Module:
    """Answers with sigmoids."""
    return Independent()


class Bytes255(Colours):
    """States mean and std of images in 0..255."""

    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def bytes255() -> nn.Module:
    """Another unit of the normalisation."""
    return Bytes255()
