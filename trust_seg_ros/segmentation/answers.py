"""What a network's answer is: logits, or something else that is recognised and turned into log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from trust_seg_ros.segmentation.errors import ModelOutputError

Kind = Literal["logits", "log_probabilities", "probabilities", "independent_probabilities"]

_SUM_TOLERANCE = 5e-3
"""Relative deviation of a sum of probabilities: half precision and bilinear upsampling round this much."""


@dataclass(frozen=True)
class AnswerKind:
    """What a network gives.

    Attributes:
        kind: logits; the logarithms of probabilities; probabilities; or independent probabilities, a sigmoid per class.
        total: sum of the probabilities of a pixel, 255 for a softmax × 255; 1 for every other kind.
    """

    kind: Kind = "logits"
    total: float = 1.0

    @property
    def raw(self) -> bool:
        """Whether these are raw logits."""
        return self.kind == "logits"

    @property
    def what(self) -> str:
        """What the network gives, in words, where that is not what the package asks for; "" for the usual kinds."""
        if self.kind == "independent_probabilities":
            return "the network gives independent probabilities: a sigmoid per class, they do not sum to 1"
        return f"the network gives probabilities × {self.total:g}" if self.total != 1.0 else ""

    @property
    def remark(self) -> str:
        """``what``, with what is made of it and the better way; "" for the usual kinds."""
        if self.kind == "independent_probabilities":
            return (
                f"{self.what}; they are turned into the distribution given that exactly one class is right: better "
                "return the logits"
            )
        return f"{self.what}; they are divided by their sum: better return the logits" if self.what else ""

    def to_logits(self, values: torch.Tensor) -> torch.Tensor:
        """The answer (B, q, h, w) float32 as logits, or as log-probabilities where it is no logits."""
        tiny = torch.finfo(torch.float32).tiny
        if self.kind == "probabilities":
            shares = values if self.total == 1.0 else values / values.sum(1, keepdim=True).clamp_min(tiny)
            return shares.clamp_min(tiny).log()
        if self.kind == "independent_probabilities":
            # given that exactly one of the classes is right, P(c) is proportional to the odds p / (1 - p)
            return values.logit(eps=torch.finfo(torch.float32).eps).log_softmax(1)
        return values


def kind_of(answers: Sequence[torch.Tensor]) -> AnswerKind:
    """What a network gives, judged by its answers (1, q, h, w) to different images.

    Probabilities are not negative and have one sum everywhere: 1, or 255 or 100 where someone scaled them;
    log-probabilities are not positive and their exponentials sum to one; independent probabilities lie in 0..1. Raw
    logits do none of this except by design.
    """
    values = [answer.float() for answer in answers]
    if not all(bool(v.isfinite().all()) for v in values):
        return AnswerKind()
    least, most = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    if least >= 0:
        total = _one_sum(values)
        if abs(total - 1) <= _SUM_TOLERANCE:
            return AnswerKind("probabilities")
        varies = all(bool((v - v[..., :1, :1]).abs().amax() > 1e-3 * most) for v in values)
        if total > 0 and varies:
            return AnswerKind("probabilities", float(f"{total:.4g}"))
        if most <= 1 and varies:
            return AnswerKind("independent_probabilities")
    if most <= 1e-3 and abs(_one_sum([v.exp() for v in values]) - 1) <= _SUM_TOLERANCE:
        return AnswerKind("log_probabilities")
    return AnswerKind()


def _one_sum(values: Sequence[torch.Tensor]) -> float:
    """The sum over the classes, if it is the same at every pixel up to rounding; else nan."""
    sums = torch.cat([v.sum(1).flatten() for v in values])
    middle = float(sums.median())
    whole = all(bool((v == v.round()).all()) for v in values)
    tolerance = max(_SUM_TOLERANCE * abs(middle), values[0].shape[1] / 2 if whole and middle > 10 else 0.0)
    return middle if bool(((sums - middle).abs() <= tolerance).all()) else float("nan")


def is_channels_last(shape: Sequence[int], classes: int) -> bool:
    """Whether an answer of this shape is (B, h, w, q) beyond doubt."""
    return len(shape) == 4 and shape[3] == classes and shape[1] != classes


def channels_first(logits: torch.Tensor, features: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Logits (B, h, w, q), and features (B, h, w, D) that lie on the same grid, with channels first."""
    if features is not None and features.ndim == 4 and features.shape[:3] == logits.shape[:3]:
        features = features.permute(0, 3, 1, 2)
    return logits.permute(0, 3, 1, 2), features


def what_else(answer: torch.Tensor, classes: int) -> str:
    """What an answer that is no logits (1, q, h, w) may be, with the way out; "" if nothing comes to mind."""
    if answer.numel() == 0 or answer.is_complex():
        return ""
    one_channel = answer.ndim == 3 or (answer.ndim == 4 and 1 in (answer.shape[1], answer.shape[3]))
    whole = not answer.is_floating_point() or bool((answer == answer.round()).all())
    if one_channel and whole and answer.shape[0] == 1:
        return "; this looks like a map of class ids (argmax): return the logits that the argmax is applied to"
    if one_channel and classes == 2 and answer.ndim == 4:
        return "; one channel for two classes is a binary network: return two channels, torch.cat([-y, y], 1) / 2 of it"
    if answer.ndim == 4 and not answer.is_floating_point():
        return "; whole numbers lose what scores need: return the logits, as floating point"
    return ""


def check_repeatable(first: torch.Tensor, second: torch.Tensor, name: str) -> None:
    """Check that two answers to the same input are equal up to rounding.

    Raises:
        ModelOutputError: they differ: something in the network draws at random, dropout in training mode most likely.
    """
    if first.shape != second.shape or not (bool(first.isfinite().all()) and bool(second.isfinite().all())):
        return
    difference = float((first.float() - second.float()).abs().max())
    scale = float(first.float().abs().max())
    if difference > max(1e-3, 16 * torch.finfo(first.dtype).eps) * scale:
        raise ModelOutputError(
            f"network {name!r} gives two answers to one image: they differ by up to {difference:.3g}, the largest "
            f"value is {scale:.3g}; dropout or another random layer is on: call module.eval(), and give functional "
            "dropout training=self.training"
        )
