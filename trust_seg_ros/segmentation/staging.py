"""Host images on their way to a GPU: through pinned memory, so that the copy runs while the host goes on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch

_SHAPES = 4
"""Shapes of images whose buffers are kept: two buffers each, 12 MB at 2 MP."""
_own = threading.local()


@dataclass(eq=False)
class _Buffer:
    """A staging buffer, and on a GPU the event that says that its last copy has ended."""

    pixels: torch.Tensor
    copied: torch.cuda.Event | None


class Staging:
    """Uploads images by two buffers in turn for each shape. One thread at a time.

    A buffer is written again only when its last copy has ended, two images later: the event is waited for, which costs
    nothing then. The copy itself runs on the current stream, so that what is launched there afterwards sees it.

    Args:
        device: a GPU; a CPU gets plain copies without pinned memory.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._buffers: OrderedDict[tuple[int, ...], list[_Buffer]] = OrderedDict()

    def upload(self, image: np.ndarray) -> torch.Tensor:
        """(H, W, 3) uint8 of any strides, maybe read-only -> the same on the device, contiguous; it may be changed."""
        buffers = self._buffers.pop(image.shape, None) or [self._buffer(image.shape), self._buffer(image.shape)]
        self._buffers[image.shape] = buffers[::-1]
        while len(self._buffers) > _SHAPES:
            self._buffers.popitem(last=False)  # torch frees pinned memory only when the copies from it have ended
        buffer = buffers[0]
        if buffer.copied is not None:
            buffer.copied.synchronize()
        np.copyto(buffer.pixels.numpy(), image)
        uploaded = torch.empty_like(buffer.pixels, device=self._device)
        uploaded.copy_(buffer.pixels, non_blocking=True)
        if buffer.copied is not None:
            buffer.copied.record(torch.cuda.current_stream(self._device))
        return uploaded

    def _buffer(self, shape: tuple[int, ...]) -> _Buffer:
        if self._device.type != "cuda":
            return _Buffer(torch.empty(shape, dtype=torch.uint8), None)
        with torch.cuda.device(self._device):
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch's
            return _Buffer(torch.empty(shape, dtype=torch.uint8, pin_memory=True), event)


def upload(image: np.ndarray, device: torch.device) -> torch.Tensor:
    """An image on a GPU by the calling thread's own :class:`Staging` of that device; see there."""
    kept: dict[torch.device, Staging] = _own.__dict__.setdefault("kept", {})
    return kept.setdefault(device, Staging(device)).upload(image)
