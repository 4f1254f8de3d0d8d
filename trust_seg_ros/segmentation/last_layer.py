"""Finds a network's last convolution, so that any network can give features without code of its own for it.

Scores in closed form (gradient norms) need the input of the convolution that makes the logits. Most networks do not
return it, so two probes look for the convolution, or the two that are added, whose output becomes the network's answer
in one of the ways of ``tails``; from then on its input and output are recorded in every pass. Using its output also
saves later steps from working on an upsampled copy of the same logits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from trust_seg_ros.segmentation.checks import read_output
from trust_seg_ros.segmentation.errors import ModelError, ModelOutputError
from trust_seg_ros.segmentation.tails import Tail, close, explain, explains
from trust_seg_ros.types import Classifier, Placement

_TURNS = itertools.count(1)
_LAST = 3
"""Last convolutions among which one is looked for that has more channels than the answer."""
_MOST_HEADS = 8
"""Convolutions among which two are looked for that are added."""


class Pass(NamedTuple):
    """A network's answer in one pass: logits (B, q, h, w), features (B, D, h, w), and where the image lies on them."""

    logits: torch.Tensor
    features: torch.Tensor | None = None
    placement: Placement | None = None


class Watched:
    """Keeps input and output of one convolution from each pass until :meth:`take`.

    Attributes:
        kernel: the convolution's.
        turn: grows with every convolution that runs, so that the last one has the largest.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        self.kernel = kernel_of(convolution)
        self.turn = 0
        self._seen: tuple[torch.Tensor, torch.Tensor] | None = None
        self._handle = convolution.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        self._seen, self.turn = (output, inputs[0]), next(_TURNS)

    @property
    def keeps(self) -> bool:
        """Whether a pass is kept."""
        return self._seen is not None

    def take(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Output (B, C, h, w) and input (B, D, h, w) of the last pass, None if it did not run; released here."""
        seen, self._seen = self._seen, None
        return seen

    def remove(self) -> None:
        """Stop watching."""
        self._seen = None
        self._handle.remove()


class LastLayer:
    """The convolutions that make a network's logits, one or two that are added, as one convolution.

    Attributes:
        classifier: its kernel.
        tail: how the network's answer follows from it.
    """

    def __init__(self, watched: Sequence[Watched], tail: Tail, classifier: Classifier) -> None:
        self.classifier, self.tail = classifier, tail
        self._watched = tuple(watched)

    def take(self, size: Sequence[int]) -> Pass:
        """Logits and features of the last pass, whose answer was of ``size`` (n, m); they are released here.

        Raises:
            ModelOutputError: the layer did not run, or its output is too small for the answer.
        """
        seen = [watched.take() for watched in self._watched]
        kept = [pair for pair in seen if pair is not None]
        if len(kept) < len(seen):
            raise ModelOutputError("the network's last convolution, found at loading, did not run this time")
        outputs, inputs = [pair[0] for pair in kept], [pair[1] for pair in kept]
        try:
            placement = self.tail.where.placement(outputs[0].shape[2:], size)
        except ValueError as error:
            raise ModelOutputError(
                f"the network's last convolution, found at loading, gave {tuple(outputs[0].shape)} this time, too "
                f"small for its answer of {tuple(size)}: {error}"
            ) from error
        logits = self.tail.logits(outputs, self.classifier.weight.shape[0])
        return Pass(logits, inputs[0] if len(inputs) == 1 else torch.cat(inputs, 1), placement)

    @property
    def ran(self) -> bool:
        """Whether a pass is kept that was not taken yet."""
        return any(watched.keeps for watched in self._watched)

    def uses(self, watched: Watched) -> bool:
        """Whether a convolution is one of its own."""
        return watched in self._watched


def kernel_of(convolution: nn.Conv2d) -> Classifier:
    """The convolution as the plain data that travels with features."""
    bias = convolution.bias
    return Classifier(
        weight=convolution.weight.detach(),
        bias=None if bias is None else bias.detach(),
        dilation=int(convolution.dilation[0]),
    )


def agrees(classifier: Classifier, features: torch.Tensor, logits: torch.Tensor) -> bool:
    """Whether ``classifier`` applied to ``features`` (1, D, h, w) gives ``logits`` (1, q, h, w), up to rounding."""
    weight, dilation = classifier.weight, classifier.dilation
    if weight.shape[1] != features.shape[1] or weight.dtype != features.dtype:
        return False
    padding = dilation * (weight.shape[-1] // 2)
    again = F.conv2d(features, weight, classifier.bias, padding=padding, dilation=dilation)
    return again.shape == logits.shape and close(again, logits, 1e-3)


def is_plain(convolution: nn.Conv2d) -> bool:
    """Whether closed-form scores apply: odd square kernel, stride 1, no groups, zero padding that keeps the size."""
    (kh, kw), (dh, dw) = convolution.kernel_size, convolution.dilation
    keeps = convolution.padding == "same" or convolution.padding == (dh * (kh // 2), dw * (kw // 2))
    square = kh == kw and kh % 2 == 1 and dh == dw
    plain = convolution.groups == 1 and convolution.stride == (1, 1) and convolution.padding_mode == "zeros"
    return bool(square and keeps and plain)


def find_last_layer(
    module: nn.Module, run: Callable[[torch.Tensor], object], pictures: Sequence[torch.Tensor], classes: int
) -> LastLayer | None:
    """The convolution that makes the logits, or the two that are added; None if none is found.

    Args:
        module: the network.
        run: calls it on an input.
        pictures: inputs (1, 3, h, w): what is found on the first must explain the answers to all. A first one with
            uneven sides shows what is cut off.
        classes: number q of channels of its answer: logits, or probabilities or log-probabilities made from them.
    """
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    watched = [Watched(m) for m in convolutions if m.out_channels >= classes and is_plain(m)]
    found: LastLayer | None = None
    try:
        seen = [_shown(run, picture, watched) for picture in pictures] if watched else []
        for group in _groups(watched, seen):
            found = found or _explaining(group, seen)
            if found is not None:
                break
    finally:
        for candidate in watched:
            if found is None or not found.uses(candidate):
                candidate.remove()
    return found


_Seen = tuple[torch.Tensor, dict[Watched, tuple[torch.Tensor, torch.Tensor]]]
"""An answer, and output and input of the convolutions that ran for it."""


def _shown(run: Callable[[torch.Tensor], object], picture: torch.Tensor, watched: Sequence[Watched]) -> _Seen:
    answer = read_output(run(picture))[0]
    pairs = {candidate: candidate.take() for candidate in watched}
    return answer, {candidate: pair for candidate, pair in pairs.items() if pair is not None}


def _groups(watched: Sequence[Watched], seen: Sequence[_Seen]) -> Iterator[tuple[Watched, ...]]:
    """Single convolutions, the last one first, then pairs on one grid that have as many channels as the answer."""
    if not seen:
        return
    answer, pairs = seen[0]
    ran = [candidate for candidate in watched if all(candidate in others for _, others in seen)]
    ran.sort(key=lambda candidate: candidate.turn, reverse=True)
    heads = [candidate for candidate in ran if pairs[candidate][0].shape[1] == answer.shape[1]]
    yield from ((candidate,) for candidate in ran if candidate in heads or candidate in ran[:_LAST])
    both = itertools.combinations(heads[:_MOST_HEADS], 2)
    yield from ((a, b) for a, b in both if pairs[a][0].shape == pairs[b][0].shape)


def _explaining(group: Sequence[Watched], seen: Sequence[_Seen]) -> LastLayer | None:
    """These convolutions as the last layer, if every answer follows from their outputs."""
    outputs = [[pairs[candidate][0] for candidate in group] for _, pairs in seen]
    answers = [answer for answer, _ in seen]
    if any(output.ndim != 4 for part in outputs for output in part) or answers[0].ndim != 4:
        return None
    for tail in explain(outputs[0], answers[0]):
        if not all(explains(tail, part, answer) for part, answer in zip(outputs[1:], answers[1:], strict=True)):
            continue
        classes = answers[0].shape[1]
        classifier = tail.classifier([candidate.kernel for candidate in group], classes)
        features = torch.cat([seen[0][1][candidate][1] for candidate in group], 1)
        if classifier is not None and agrees(classifier, features, tail.logits(outputs[0], classes)):
            return LastLayer(group, tail, classifier)
    return None


def uneven(picture_size: Sequence[int], stride: int) -> tuple[int, int]:
    """Sides that differ and are multiples of the stride and of little else: such a picture shows what is cut off."""
    return picture_size[0] + stride, picture_size[1] + 3 * stride


def shown(run: Callable[[torch.Tensor], object], picture: torch.Tensor) -> bool:
    """Whether a network answers this input at all."""
    try:
        run(picture)
    except ModelError:
        return False
    return True
