"""Which of several libraries answers soonest, and whether each answers as torch does."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

from trust_seg_ros.segmentation.checks import read_output
from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.masks.queries import read_masks
from trust_seg_ros.segmentation.tails import Where

Call = Callable[[torch.Tensor], object]
TOLERANCE = 1e-3
"""Largest difference between the answers of two libraries on a CPU, as a share of the largest logit."""
ON_GPU, IN_HALF = 1e-2, 3e-2
"""The same on a GPU, where torch and the others multiply with the ten bits of TF32, and in half precision."""
_ROUNDS = 7
_PATIENCE_S = 20.0
"""A slow network is measured in fewer rounds, but once after the first."""


@torch.inference_mode()
def medians(calls: Mapping[str, Call], pixels: torch.Tensor) -> dict[str, float]:
    """Median time of each call in milliseconds, all measured in turns so that a busy moment hits each of them.

    Args:
        calls: name -> call.
        pixels: (1, 3, h, w), the argument; on a GPU its work is waited for.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    for lap in range(_ROUNDS + 1):
        if lap > 1 and time.perf_counter() - start > _PATIENCE_S:
            break
        for name, call in calls.items():
            begin = time.perf_counter()
            call(pixels)
            if pixels.is_cuda:
                torch.cuda.synchronize(pixels.device)
            if lap:  # the first one allocates
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) * 1e3 for name, values in times.items()}


@torch.inference_mode()
def check_agreement(own: Call, other: Call, where: Where, pixels: torch.Tensor, name: str, runtime: str) -> None:
    """Refuse a graph whose answer to an example is another than torch's.

    Args:
        own: the network as torch runs it.
        other: the same on another library.
        where: where the own answer lies on the other's logits.
        pixels: (1, 3, h, w), the example; its device and type decide how much they may differ.
        name, runtime: the network and the library, for the error.

    Raises:
        ModelFileError: their logits differ by too much.
    """
    wanted = _values(own(pixels))
    try:
        found = _values(other(pixels))
    except Exception as error:  # each library has its own errors, which share no base
        size = f"{pixels.shape[3]}x{pixels.shape[2]}"
        raise ModelFileError(
            f"{name}: {runtime} fails on an input of {size}: {in_brief(error)}; use backend:=torch"
        ) from error
    if found.shape != wanted.shape:  # an upsampling was taken off
        found = where.grown(found, wanted.shape[2:])
    scale = float(wanted.abs().max()) or 1.0
    difference = float((_formed(found, wanted) - wanted).abs().max())
    most = IN_HALF if pixels.dtype != torch.float32 else ON_GPU if pixels.is_cuda else TOLERANCE
    if not difference <= most * scale:  # also refuses NaN
        raise ModelFileError(
            f"{name}: {runtime} answers otherwise than torch, its values differ by up to {difference:.3g} where the "
            f"largest is {scale:.3g} (at most {most:g} of it is accepted); use backend:=torch"
        )


def _values(output: object) -> torch.Tensor:
    """What counts of an answer: its logits, or the class sums of masks."""
    masks = read_masks(output)
    return read_output(output)[0].float() if masks is None else masks.sums()


def _formed(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Logits in the form of the network's own answer: a softmax is taken off graphs."""
    if _is_near(wanted.sum(1), 1.0) and not _is_near(found.sum(1), 1.0):
        return found.softmax(1)
    if _is_near(wanted.logsumexp(1), 0.0) and not _is_near(found.logsumexp(1), 0.0):
        return found.log_softmax(1)
    return found


def _is_near(values: torch.Tensor, wanted: float) -> bool:
    return bool((values - wanted).abs().max() <= 1e-2)
