"""Errors of a GPU, told from others by their type and text: too little memory, or a device that is lost.

After some errors of CUDA all further work returns the same error: "To continue using CUDA, the process must be
terminated and relaunched" (CUDA Runtime API, cudaError). The device is called lost here.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from typing import Literal

import torch

Fault = Literal["out of memory", "device lost", ""]
OUT_OF_MEMORY: Fault = "out of memory"
LOST: Fault = "device lost"

_OUT_OF_MEMORY = re.compile(
    r"CUDA (error|failure)\b.*\bout of memory|CUDA out of memory|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED",
    re.IGNORECASE | re.DOTALL,
)
_LOST = re.compile(
    r"device-side assert|illegal memory access|unspecified launch failure|misaligned address|"
    r"illegal instruction was encountered|invalid program counter|operation not supported on global/shared|"
    r"hardware stack error|launch timed out and was terminated|uncorrectable (ECC|NVLink) error|ECC error encountered|"
    r"(GPU|device) (is|has been|was) lost|device\(s\) is/are busy or unavailable|no CUDA-capable device is detected|"
    r"driver shutting down|context is destroyed|CUDA (error|failure)\b.{0,20}\bunknown error",
    re.IGNORECASE,
)
_OF_A_GPU = re.compile(r"CUDA|cuBLAS|cuDNN|TensorRT|\bGPU\b|device-side assert", re.IGNORECASE)

WAY_OUT: dict[Fault, str] = {
    OUT_OF_MEMORY: (
        "expected room for one more frame: set model_input.width and model_input.height smaller, half on, fewer "
        "perturbation.passes or a smaller window, or end other programs on the GPU"
    ),
    LOST: (
        "expected a device that answers: restart the process of the node, as no call of CUDA succeeds in this one any "
        "more; if it comes back, look at the kernel's log (dmesg: NVRM Xid), or set device to cpu"
    ),
}


def classify(error: BaseException) -> Fault:
    """What an error says of the GPU: that its memory is used up, that the process has lost it, or "" for others.

    Errors of foreign networks arrive wrapped; the causes are looked at, too. Lost outweighs out of memory.
    """
    found = {_kind(each) for each in chain(error)}
    return LOST if LOST in found else OUT_OF_MEMORY if OUT_OF_MEMORY in found else ""


def described(error: BaseException, fault: Fault, limit: int = 300) -> str:
    """A fault in words: what happened, what was expected, and the way out."""
    origin = [error, *(each for each in chain(error) if _kind(each) == fault)][-1]
    text = " ".join(str(origin).split())
    return f"{fault}: {text if len(text) <= limit else text[:limit].rstrip() + ' …'}; {WAY_OUT[fault]}"


def release(error: BaseException) -> None:
    """Give back to the GPU what the failed frame held and what torch's allocator keeps; for faults of memory.

    The traceback holds the local variables of every function that the error came through, and so their tensors.
    """
    for each in chain(error):
        traceback.clear_frames(each.__traceback__)
    torch.cuda.empty_cache()  # nothing where CUDA was never used


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from, the newest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _kind(error: BaseException) -> Fault:
    text = str(error)
    if isinstance(error, torch.cuda.OutOfMemoryError) or _OUT_OF_MEMORY.search(text):
        return OUT_OF_MEMORY
    accelerator = getattr(torch, "AcceleratorError", None)  # torch 2.8 and newer
    of_a_gpu = (accelerator is not None and isinstance(error, accelerator)) or _OF_A_GPU.search(text)
    return LOST if of_a_gpu and _LOST.search(text) else ""
