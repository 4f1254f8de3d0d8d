"""What lies between a network's last convolution and its answer, found by comparing the two.

Networks as their authors publish them rarely end with the convolution: the answer is upsampled, its corners aligned or
not, cut to the size of the image, some of its channels are left out, it is scaled, normalised, or the sum of two heads.
All of this is linear, class by class, so that it can be moved into the convolution's kernel, and into where the answer
lies on the grid of its output (``Placement``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from trust_seg_ros.types import Classifier, LogitMaps, Placement

_FACTORS = (1, 2, 4, 8, 16, 32)
_FITTED = 4096
"""Pixels that scales are fitted to."""
_CLOSE = 1e-4
_FEW = 4
"""Channels that an answer may lack for all of them to be tried as its first one."""


@dataclass(frozen=True)
class Where:
    """How the pixels of an answer lie on the grid of a convolution's output.

    Attributes:
        factor: 0 = the grid is stretched over the answer; else it is upsampled by this factor (1 = not at all), and
            what is beyond the answer is cut off.
        corners: the corner pixels of the upsampled lie on those of the grid (``align_corners=True``).
        centred: what is cut off is cut off on all sides, else at the bottom and on the right.
    """

    factor: int = 0
    corners: bool = False
    centred: bool = False

    def placement(self, grid: Sequence[int], size: Sequence[int]) -> Placement | None:
        """Where an answer of ``size`` (n, m) lies on a grid (h, w); None = the grid is stretched over it.

        Raises:
            ValueError: the upsampled grid is smaller than the answer.
        """
        if not self.factor and (not self.corners or tuple(grid) == tuple(size)):
            return None
        (y, down), (x, along) = (self._axis(*sides) for sides in zip(grid, size, strict=True))
        return Placement((size[0], size[1]), (y, x), (down, along))

    def _axis(self, grid: int, size: int) -> tuple[float, float]:
        """Position of the answer's first pixel, and the step to the next one."""
        whole = grid * self.factor if self.factor else size
        if whole < size:
            raise ValueError(f"{whole} pixels, cut to {size}")
        cut = (whole - size) // 2 if self.centred else 0
        if self.corners:
            step = (grid - 1) / (whole - 1) if whole > 1 else 0.0
            return cut * step, step
        return (cut + 0.5) * grid / whole - 0.5, grid / whole

    def grown(self, output: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
        """The answer (B, C, n, m) that a convolution's output (B, C, h, w) makes, float32."""
        output = output.float()
        height, width = output.shape[2:]
        n, m = size
        if self.factor:
            height, width = height * self.factor, width * self.factor
        else:
            height, width = n, m
        if (height, width) != tuple(output.shape[2:]):
            output = F.interpolate(output, size=(height, width), mode="bilinear", align_corners=self.corners)
        y, x = ((height - n) // 2, (width - m) // 2) if self.centred else (0, 0)
        return output[:, :, y : y + n, x : x + m]


@dataclass(frozen=True, eq=False)
class Tail:
    """How an answer follows from the outputs of one convolution, or of several on one grid whose outputs are added.

    Attributes:
        where: where the answer lies on their grid.
        start: first channel of the outputs that the answer holds.
        scales: (q,) factor of every class, for each of the convolutions; () = 1.
        shift: (q,) added to every class; None = 0.
    """

    where: Where = Where()
    start: int = 0
    scales: tuple[torch.Tensor, ...] = ()
    shift: torch.Tensor | None = None

    def logits(self, outputs: Sequence[torch.Tensor], classes: int) -> torch.Tensor:
        """The answer (B, q, h, w) on the grid of the outputs (B, C, h, w)."""
        parts = [output[:, self.start : self.start + classes] for output in outputs]
        if self.scales:
            parts = [part * scale.to(part)[:, None, None] for part, scale in zip(parts, self.scales, strict=True)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total if self.shift is None else total + self.shift.to(total)[:, None, None]

    def classifier(self, kernels: Sequence[Classifier], classes: int) -> Classifier | None:
        """One convolution of the concatenated inputs that gives :meth:`logits`; None if there is none.

        Convolutions of different extent are one if the smaller is 1x1.
        """
        side = max(kernel.weight.shape[-1] for kernel in kernels)
        steps = {kernel.dilation for kernel in kernels if kernel.weight.shape[-1] > 1} or {1}
        if len(steps) > 1 or any(kernel.weight.shape[-1] not in (1, side) for kernel in kernels):
            return None
        rows = slice(self.start, self.start + classes)
        weights, biases = [], [] if self.shift is None else [self.shift.to(kernels[0].weight)]
        for index, kernel in enumerate(kernels):
            scale = (
                self.scales[index].to(kernel.weight) if self.scales else torch.ones_like(kernel.weight[rows, 0, 0, 0])
            )
            border = (side - kernel.weight.shape[-1]) // 2
            weights.append(F.pad(kernel.weight[rows] * scale[:, None, None, None], [border] * 4))
            if kernel.bias is not None:
                biases.append(kernel.bias[rows] * scale)
        bias = torch.stack(biases).sum(0) if biases else None
        return Classifier(torch.cat(weights, 1), bias, steps.pop())


def explain(outputs: Sequence[torch.Tensor], answer: torch.Tensor) -> Iterator[Tail]:
    """Every way in which an answer may follow from the outputs of convolutions, the plainest first.

    Args:
        outputs: (1, C, h, w) each, of one shape; several are added.
        answer: (1, q, n, m), the network's answer: logits, or probabilities or log-probabilities made from them.
    """
    wheres = list(_wheres(outputs[0].shape[2:], answer.shape[2:]))
    for where in wheres:
        grown = [where.grown(output, answer.shape[2:]) for output in outputs]
        starts = _starts(grown, answer)
        yield from (tail for tail in (Tail(where, start) for start in starts) if _makes(tail, grown, answer))
    for where in wheres:
        grown = [where.grown(output, answer.shape[2:]) for output in outputs]
        for start in _starts(grown, answer):
            found = _scaled(where, start, grown, answer)
            if found is not None and _makes(found, grown, answer):
                yield found


def explains(tail: Tail, outputs: Sequence[torch.Tensor], answer: torch.Tensor) -> bool:
    """Whether an answer follows from these outputs in the same way."""
    try:
        tail.where.placement(outputs[0].shape[2:], answer.shape[2:])
    except ValueError:
        return False
    return _makes(tail, [tail.where.grown(output, answer.shape[2:]) for output in outputs], answer)


def _wheres(grid: Sequence[int], size: Sequence[int]) -> Iterator[Where]:
    """Ways in which an answer of ``size`` may lie on a grid, the usual ones first."""
    if all(g <= n for g, n in zip(grid, size, strict=True)):
        yield Where()
        if tuple(grid) != tuple(size):
            yield Where(corners=True)
    for factor in _FACTORS:
        whole = [side * factor for side in grid]
        if whole != list(size) and all(n <= w < 2 * n for n, w in zip(size, whole, strict=True)):
            for centred in (False, True):
                yield Where(factor, centred=centred)
                if factor > 1:
                    yield Where(factor, corners=True, centred=centred)


def _starts(grown: Sequence[torch.Tensor], answer: torch.Tensor) -> list[int]:
    """Channels that may be the answer's first: all of few; of many, those that are its first one up to scale."""
    more = grown[0].shape[1] - answer.shape[1]
    if more <= _FEW or len(grown) > 1:
        return list(range(more + 1))
    rows, first = grown[0][0, : more + 1].flatten(1).double(), answer[0, 0].flatten().double()
    rows, first = rows - rows.mean(1, keepdim=True), first - first.mean()
    alike = (rows @ first).square() / (rows.square().sum(1) * first.square().sum()).clamp_min(1e-30)
    return [start for start, value in enumerate(alike.tolist()) if value > 1 - 1e-6]


def _makes(tail: Tail, grown: Sequence[torch.Tensor], answer: torch.Tensor) -> bool:
    """Whether ``answer`` is what the tail says, as it is or after a softmax or sigmoid."""
    made = tail.logits(grown, answer.shape[1])
    if close(made, answer, _CLOSE):
        return True
    total = answer.float().sum(1).median()  # 1 for probabilities, 255 where someone scaled them
    forms = (made.softmax(1) * total, made.log_softmax(1), made.sigmoid())
    return any(close(form, answer, _CLOSE) for form in forms)


def _scaled(where: Where, start: int, grown: Sequence[torch.Tensor], answer: torch.Tensor) -> Tail | None:
    """The factors and shifts of the classes that come closest to an answer; None if it has none."""
    classes = answer.shape[1]
    wanted = answer[0].double().flatten(1)
    parts = [part[0, start : start + classes].double().flatten(1) for part in grown]
    pixels = wanted.shape[1]
    if pixels < 4 * (len(parts) + 1):
        return None
    taken = torch.linspace(0, pixels - 1, min(pixels, _FITTED), dtype=torch.float64).round().long().to(wanted.device)
    wanted, parts = wanted[:, taken], [part[:, taken] for part in parts]
    means, mean = [part.mean(1, keepdim=True) for part in parts], wanted.mean(1, keepdim=True)
    centred = torch.stack([part - m for part, m in zip(parts, means, strict=True)], 2)  # (q, pixels, k)
    if not bool(torch.isfinite(centred).all() & torch.isfinite(wanted).all()):
        return None
    products = centred.transpose(1, 2) @ centred
    right = centred.transpose(1, 2) @ (wanted - mean)[:, :, None]
    found = torch.linalg.lstsq(products.cpu(), right.cpu()).solution[:, :, 0]  # (q, k)
    shift = mean[:, 0].cpu() - sum(found[:, k] * m[:, 0].cpu() for k, m in enumerate(means))
    if not bool(torch.isfinite(found).all()) or math.isclose(float(found.abs().max()), 0.0, abs_tol=1e-9):
        return None
    near = float(shift.abs().max()) <= 1e-5 * float(answer.abs().max())
    return Tail(where, start, tuple(found.float().T), None if near else shift.float())


def is_cornered(maps: LogitMaps) -> bool:
    """Whether logits are placed with corners on corners of an answer."""
    if maps.placement is None:
        return False
    return maps.placement == Where(corners=True).placement(maps.logits.shape[1:], maps.placement.size)


def answer_of(maps: LogitMaps, size: tuple[int, int]) -> torch.Tensor:
    """The answer (q, n, m) that logits stand for, stretched to ``size``."""
    if maps.placement is None:
        return F.interpolate(maps.logits[None], size=size, mode="bilinear", align_corners=False)[0]
    rows, columns = (
        (first + step * torch.arange(n)) * (2 / max(grid - 1, 1)) - 1
        for (n, first, step), grid in zip(maps.placement.axes, maps.logits.shape[1:], strict=True)
    )
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack([x, y], 2)[None].to(maps.logits)
    answer = F.grid_sample(maps.logits[None], places, padding_mode="border", align_corners=True)
    if maps.placement.size != tuple(size):
        answer = F.interpolate(answer, size=size, mode="bilinear", align_corners=False)
    return answer[0]


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    """Whether two tensors are equal up to ``tolerance`` times their scale, more in half precision."""
    tolerance = max([tolerance] + [4 * torch.finfo(t.dtype).eps for t in (a, b)])
    a, b = a.float(), b.float()
    return bool((a - b).abs().max() <= tolerance * b.abs().max().clamp_min(1e-12))
