"""The interface of every network to the rest of the package, however it was loaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch

from trust_seg_ros.segmentation.dropout import DropoutRate
from trust_seg_ros.segmentation.errors import ModelSpecError
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.masks.squares import Squares
from trust_seg_ros.types import LogitMaps

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True)
class Edges:
    """A size that keeps the aspect of the image, in pixels; one of the three kinds is given.

    Attributes:
        shortest: wanted length of the shorter side; None = not given.
        longest: wanted length of the longer side; with ``shortest``, its limit.
        least: (h, w), one of which is met: the one that changes the image's scale least.
        box: (h, w) that the image just fits into.
        exact: with ``shortest``, sides in whole pixels as ``get_size_with_aspect_ratio`` of ``transformers`` gives
            them, rounded up to multiples of the stride; else to the nearest.

    Raises:
        ModelSpecError: nothing is given, or a length is not 1 to 16384.
    """

    shortest: int | None = None
    longest: int | None = None
    least: Size | None = None
    box: Size | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        lengths = [self.shortest, self.longest, *(self.least or ()), *(self.box or ())]
        given = [length for length in lengths if length is not None]
        if not given or not all(1 <= length <= 1 << 14 for length in given):
            raise ModelSpecError(f"input size is {self}; expected lengths from 1 to 16384")

    def scale_of(self, image_size: Size) -> float:
        """Factor for an image of ``image_size`` (H, W)."""
        if self.least is not None:
            return min((wanted / side for wanted, side in zip(self.least, image_size, strict=True)), key=_change)
        if self.box is not None:
            return min(wanted / side for wanted, side in zip(self.box, image_size, strict=True))
        scales = [self.shortest / min(image_size)] if self.shortest else []
        scales += [self.longest / max(image_size)] if self.longest else []
        return min(scales)

    def size_of(self, image_size: Size, stride: int) -> Size:
        """(h, w) for an image of ``image_size`` (H, W), multiples of ``stride``."""
        if self.exact and self.shortest:
            height, width = _whole_size(image_size, self.shortest, self.longest)
            return -(-height // stride) * stride, -(-width // stride) * stride
        return _nearest(image_size, self.scale_of(image_size), stride)


def _whole_size(image_size: Size, shortest: int, longest: int | None) -> Size:
    short, long = min(image_size), max(image_size)
    wanted: float = shortest
    if longest and long / short * shortest > longest:
        wanted = longest * short / long
    first = max(1, round(wanted))
    second = long if first == short else max(1, int(wanted * long / short))
    return (first, second) if image_size[0] <= image_size[1] else (second, first)


def _nearest(image_size: Size, scale: float, stride: int) -> Size:
    height, width = (max(stride, int(side * scale / stride + 0.5) * stride) for side in image_size)
    return height, width


def _change(scale: float) -> float:
    return abs(1 - scale)


@dataclass(frozen=True)
class InputSpec:
    """How an image becomes a network's input: ``(resize(image) * scale - mean) / std``.

    The resize is plain (no letter-box, no crop): the image is stretched to ``size``, by area averaging where
    both sides shrink and bilinearly otherwise, and the logits are stretched back over the image. A network
    trained on undistorted pictures needs a ``size`` of the camera's aspect ratio.

    Attributes:
        size: (h, w) of the network's input; None = as the image or as ``edges`` say, rounded to multiples of
            ``stride``.
        mean: subtracted after scaling; always in the order red, green, blue, units of the scaled image.
        std: divisor after that; red, green, blue, > 0.
        order: channel order of the network's input.
        scale: factor from uint8 to the units of ``mean``, > 0; 1/255 gives 0..1.
        stride: with ``size`` None, height and width are rounded to the nearest multiple, at least one.
        half: the input is float16 (bfloat16 on a CPU), else float32.
        edges: with ``size`` None, the scale of the image; None = 1.
        squares: how the resized image is laid into squares, for a network that takes nothing else; None = as it is.
        remark: how a given normalisation was understood, for people; "" where it was taken as it is.

    Raises:
        ModelSpecError: a value is outside these ranges.
    """

    size: Size | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    order: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1 / 255
    stride: int = 1
    half: bool = False
    edges: Edges | None = None
    squares: Squares | None = None
    remark: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not all(math.isfinite(v) for v in values):
                raise ModelSpecError(f"{name} is {values!r}; expected three finite numbers, red, green, blue")
        if min(self.std) <= 0:
            raise ModelSpecError(f"std is {self.std!r}; expected three numbers above 0")
        if self.order not in ("rgb", "bgr"):
            raise ModelSpecError(f"order is {self.order!r}; expected 'rgb' or 'bgr'")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ModelSpecError(f"scale is {self.scale!r}; expected a number above 0, usually 1/255")
        if self.stride < 1:
            raise ModelSpecError(f"stride is {self.stride!r}; expected a whole number of at least 1")
        if self.size is not None and (len(self.size) != 2 or not all(1 <= s <= 1 << 14 for s in self.size)):
            raise ModelSpecError(f"input size is {self.size!r}; expected (height, width), each from 1 to 16384")
        self._check_squares()

    def _check_squares(self) -> None:
        if self.squares is None:
            return
        side, size = self.squares.side, self.size
        if size is None and self.edges is not None and self.edges.shortest is not None:
            size = (self.edges.shortest, self.edges.longest or side)
        if size is None or not (min(size) == side if self.squares.cut else max(size) <= side):
            said = "that of the image" if size is None else f"{size[0]}x{size[1]}"
            wanted = f"a shorter side of {side}" if self.squares.cut else f"at most {side}x{side}"
            raise ModelSpecError(f"input size is {said}, but the network takes squares of {side}: expected {wanted}")

    def size_for(self, image_size: Size) -> Size:
        """The (h, w) that an image of ``image_size`` (H, W) is stretched to."""
        if self.size is not None:
            return self.size
        if self.edges is not None:
            return self.edges.size_of(image_size, self.stride)
        return _nearest(image_size, 1.0, self.stride)


@runtime_checkable
class SegmentationNetwork(Protocol):
    """A semantic segmentation network with its labels.

    Attributes:
        name: name shown to people: the text it was loaded by.
        labels: the q classes, in the order of the logits.
        device: device it runs on.
        input_spec: how an image becomes its input.
        raw: False if it gives probabilities (as log-probabilities) instead of raw logits.
    """

    name: str
    labels: LabelSet
    device: torch.device
    input_spec: InputSpec
    raw: bool

    def infer(self, image: np.ndarray) -> LogitMaps:
        """Logits of one image.

        Args:
            image: (H, W, 3) uint8 RGB; may be strided and read-only.

        Returns:
            Logits (q, h, w) float32 at the network's own resolution on ``device``, ``size`` = (H, W), and the
            last layer's input and kernel if the network can give them; of a mask network its class sums and queries.

        Raises:
            ImageError: ``image`` is not (H, W, 3) uint8.
            ModelError: the network failed on it or answered with the wrong shape.
        """
        ...

    def warm_up(self, size: Size) -> None:
        """Do everything for images of ``size`` (H, W) that would make the first frame slow.

        Raises:
            ModelError: as ``infer``.
        """
        ...


def network_remarks(network: SegmentationNetwork) -> tuple[str, ...]:
    """What is noteworthy about a network, a sentence each: its optional attribute ``remarks``."""
    return tuple(getattr(network, "remarks", ()))


@runtime_checkable
class BatchedNetwork(Protocol):
    """Optional extension of ``SegmentationNetwork``: several images at a time, and inputs of another size."""

    def infer_batch(self, images: Sequence[np.ndarray], *, input_size: Size | None = None) -> list[LogitMaps]:
        """Logits of several images; in one pass where the network takes batches and the inputs have one size.

        Args:
            images: (H, W, 3) uint8 RGB each.
            input_size: (h, w) that they are stretched to instead of the size in ``input_spec``; a network with a fixed
                size refuses other sizes.

        Returns:
            As ``infer``, one answer per image; equal to ``infer`` up to rounding.

        Raises:
            ImageError, ModelError: as ``infer``.
        """
        ...


@runtime_checkable
class DropoutNetwork(Protocol):
    """Optional extension of ``SegmentationNetwork``: its own dropout layers, switched on."""

    @property
    def dropout_layers(self) -> tuple[str, ...]:
        """Names of the dropout layers with a rate above 0; () for a network without."""
        ...

    @property
    def last_dropout(self) -> DropoutRate | None:
        """The network's dropout, if it only drops directly before its last convolution, else None."""
        ...

    def infer_dropout(self, image: np.ndarray, seeds: Sequence[int]) -> list[LogitMaps]:
        """Logits of one image with dropout, a pass for each seed; the same for the same seed.

        Raises:
            ImageError, ModelError: as ``infer``; ModelError also if there are no dropout layers.
        """
        ...
