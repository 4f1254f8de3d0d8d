"""What a foreign library's error says, in one line of bearable length, and the way out where the cause is known."""

from __future__ import annotations

import re

_ON_A_GPU = re.compile(
    r"not compiled with CUDA|no NVIDIA driver|No CUDA GPUs|'CUDA' backend|CUDA_HOME|torch\.device\(.cuda|"
    r"found at least two devices|device=.?cuda",
    re.IGNORECASE,
)
_ONE_SIZE = re.compile(
    r"is invalid for input of size|size of tensor a .* must match|Sizes of tensors must match|"
    r"shapes cannot be multiplied|expanded size of the tensor|doesn't match model|size is not compatible with input"
)
_TRACEBACK = re.compile(r"The following operation failed in the TorchScript interpreter\..*(?<= )(?=\w+Error: )")
"""The interpreter quotes its program and the Python that it was traced from before the reason."""
_BACKENDS = " This could be because the operator"
"""Torch lists every backend that it knows after this: thirty lines behind the reason."""
TRACED_ON_A_GPU = (
    "traced on a GPU: the program itself places tensors on the GPU; trace or export it on the CPU with such tensors as "
    "buffers, or run it on the GPU it was traced on"
)
TAKES_ONE_SIZE = (
    "takes one size: set input_size to the size it was traced with, or export it with torch.export and free sizes"
)


def in_brief(error: object, limit: int = 400) -> str:
    """The text of an error in one line of at most ``limit`` characters, cut in the middle.

    The start names the failing operation; torch and its TorchScript interpreter put the reason at the end, after the
    traceback.
    """
    text = " ".join(str(error).split()).partition(_BACKENDS)[0]
    text = _TRACEBACK.sub("in TorchScript, ", text)
    if len(text) <= limit:
        return text
    head = limit // 4
    return f"{text[:head].rstrip()} … {text[len(text) - (limit - head - 3) :].lstrip()}"


def way_out(error: object) -> str:
    """What to do about an error of a network, for causes known by their text; "" for others."""
    text = " ".join(str(error).split())
    if _ON_A_GPU.search(text):
        return TRACED_ON_A_GPU
    return TAKES_ONE_SIZE if _ONE_SIZE.search(text) else ""


def with_way_out(error: object, limit: int = 400) -> str:
    """``in_brief``, followed by the way out where the cause is known."""
    advice = way_out(error)
    return f"{in_brief(error, limit)} ({advice})" if advice else in_brief(error, limit)
