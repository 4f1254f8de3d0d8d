"""Finds a network's last convolution, so that any network can give features without code of its own for it.

Scores in closed form (gradient norms) need the input of the convolution that makes the logits. Most networks do not
return it, so one probe looks for the convolution whose output *is* the network's answer, or becomes it by plain
bilinear upsampling; from then on that convolution's input and output are recorded in every pass. Using its output also
saves later steps from working on an upsampled copy of the same logits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from trust_seg_ros.segmentation.checks import read_output
from trust_seg_ros.segmentation.errors import ModelOutputError
from trust_seg_ros.types import Classifier


class LastLayer:
    """Keeps input and output of one convolution from each pass until :meth:`take`.

    Attributes:
        classifier: the watched convolution's kernel.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        self.classifier = kernel_of(convolution)
        self._seen: tuple[torch.Tensor, torch.Tensor] | None = None
        self._handle = convolution.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        self._seen = (output, inputs[0])

    @property
    def ran(self) -> bool:
        """Whether a pass is kept that was not taken yet."""
        return self._seen is not None

    def take(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (1, q, h, w) and features (1, D, h, w) of the last pass; they are released here.

        Raises:
            ModelOutputError: the layer did not run.
        """
        if self._seen is None:
            raise ModelOutputError("the network's last convolution, found at loading, did not run this time")
        seen, self._seen = self._seen, None
        return seen

    def remove(self) -> None:
        """Stop watching."""
        self._seen = None
        self._handle.remove()


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


def find_last_layer(module: nn.Module, run: Callable[[], object], logits: torch.Tensor) -> LastLayer | None:
    """The convolution that makes the logits, or None if none is found.

    Args:
        module: the network.
        run: calls it once more on the input that gave ``logits``.
        logits: (1, q, h, w), the network's answer: logits, or probabilities or log-probabilities made from them.
    """
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    watched = [LastLayer(m) for m in convolutions if m.out_channels == logits.shape[1] and is_plain(m)]
    found: LastLayer | None = None
    try:
        answer = read_output(run())[0] if watched else logits
        for candidate in reversed(watched):
            if found is None and candidate.ran:
                output, features = candidate.take()
                if _makes(output, answer) and agrees(candidate.classifier, features, output):
                    found = candidate
    finally:
        for candidate in watched:
            if candidate is not found:
                candidate.remove()
    return found


def _makes(output: torch.Tensor, answer: torch.Tensor) -> bool:
    """Whether ``answer`` is ``output``, upsampled bilinearly (align_corners=False) or not, as it is or after
    a softmax or sigmoid."""
    if output.ndim != 4 or output.shape[:2] != answer.shape[:2]:
        return False
    if output.shape[2] > answer.shape[2] or output.shape[3] > answer.shape[3]:
        return False
    grown = output.float()
    if output.shape != answer.shape:
        grown = F.interpolate(grown, size=answer.shape[2:], mode="bilinear", align_corners=False)
    total = answer.float().sum(1).median()  # 1 for probabilities, 255 where someone scaled them
    forms = (grown, grown.softmax(1) * total, grown.log_softmax(1), grown.sigmoid())
    return any(close(form, answer, 1e-4) for form in forms)


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    """Whether two tensors are equal up to ``tolerance`` times their scale, more in half precision."""
    tolerance = max([tolerance] + [4 * torch.finfo(t.dtype).eps for t in (a, b)])
    a, b = a.float(), b.float()
    return bool((a - b).abs().max() <= tolerance * b.abs().max().clamp_min(1e-12))
