"""What lies between a last convolution and the answer, read step by step from a graph, as a ``Tail``.

A reader walks from the answer back to the convolution and notes what it passes; the steps are replayed from the
convolution on. Channels and scales are taken class by class, so that they may stand before or behind an upsampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from trust_seg_ros.segmentation.tails import Tail, Where
from trust_seg_ros.types import Classifier


@dataclass(frozen=True, eq=False)
class Step:
    """One thing between a convolution and an answer; what is not given does nothing.

    Attributes:
        start, stop: the channels that are kept; negative ones count from the end.
        scale: (1,) or (C,) factor of the channels.
        shift: (1,) or (C,) added then.
        upsampled: None, or whether corners are aligned by an upsampling.
    """

    start: int = 0
    stop: int | None = None
    scale: torch.Tensor | None = None
    shift: torch.Tensor | None = None
    upsampled: bool | None = None


@dataclass(frozen=True, eq=False)
class Ending:
    """The end of a network in a graph that gives outputs and inputs of its last convolutions.

    Attributes:
        tail: how logits follow from the outputs.
        classifier: the convolutions as one.
        heads: how many they are.
        plain: whether the answer is the output of one convolution, stretched or not.
    """

    tail: Tail
    classifier: Classifier
    heads: int = 1
    plain: bool = True

    def joined(self, answers: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and features from the outputs of the convolutions, and then their inputs."""
        outputs, inputs = answers[: self.heads], answers[self.heads :]
        logits = self.tail.logits(outputs, self.classifier.weight.shape[0])
        return logits, inputs[0] if self.heads == 1 else torch.cat(list(inputs), 1)


class Joined(torch.nn.Module):
    """A program that gives outputs and inputs of its last convolutions, as one that gives logits and features."""

    def __init__(self, program: torch.nn.Module, ending: Ending) -> None:
        super().__init__()
        self.program, self.ending = program, ending

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, q, h, w) and features (B, D, h, w)."""
        return self.ending.joined(self.program(pixels))


def ending_of(kernels: Sequence[Classifier], steps: Sequence[Step]) -> Ending | None:
    """The end of a network as one convolution; None if it is none.

    Args:
        kernels: the convolutions, whose outputs are added if there are several.
        steps: what lies behind, from the answer back.
    """
    channels = {kernel.weight.shape[0] for kernel in kernels}
    if len(channels) > 1:
        return None
    count = channels.pop()
    start, scale, shift = 0, torch.ones(count), torch.zeros(count)
    for step in reversed(steps):
        first, last, _ = slice(step.start, step.stop).indices(len(scale))
        start, scale, shift = start + first, scale[first:last], shift[first:last]
        for value in (step.scale, step.shift):
            if value is not None and value.numel() not in (1, len(scale)):
                return None
        scale = scale if step.scale is None else scale * step.scale
        shift = shift if step.scale is None else shift * step.scale
        shift = shift if step.shift is None else shift + step.shift
    grown = [step.upsampled for step in steps if step.upsampled is not None]
    if not len(scale) or (any(grown) and len(grown) > 1):  # corners on corners twice is not once
        return None
    scales = () if bool((scale == 1).all()) else (scale,) * len(kernels)
    tail = Tail(Where(corners=any(grown)), start, scales, shift if bool(shift.any()) else None)
    classifier = tail.classifier(kernels, len(scale))
    plain = len(scale) == count and len(kernels) == 1 and not scales and tail.shift is None and not any(grown)
    return None if classifier is None else Ending(tail, classifier, len(kernels), plain)
