"""Images that already lie on a device: the seam for sources that share memory instead of copying.

``infer`` and ``infer_batch`` of every network made of a torch callable take, beside arrays, torch tensors and anything
else with ``__dlpack__``: CuPy's arrays, buffers of a video decoder, ``rosidl::Buffer`` once a distribution has it. They
are used where they lie, with any strides, and copied to the host only for a network that runs there; those on another
GPU are moved. Answers are torch tensors on the network's device, which have ``__dlpack__`` themselves.

The seam ends there: ``Frame.image`` is an array, since overlays, image checks and recordings look at it on the host,
and averaging over windows, scales and flips resizes there. The node has no source of device images yet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from trust_seg_ros.segmentation.checks import check_image
from trust_seg_ros.segmentation.errors import ImageError

Image = np.ndarray | torch.Tensor


def taken(image: Any) -> Image:
    """An array (H, W, 3) uint8 unchanged; anything else with ``__dlpack__`` as a tensor that shares its memory.

    Whoever fills the memory must have done so on the current stream, or hand it over as DLPack says: torch asks for it
    with its current stream, and the producer makes that wait.

    Raises:
        ImageError: it is neither, or of another type or shape.
    """
    if isinstance(image, np.ndarray) or not hasattr(image, "__dlpack__"):
        return check_image(image)
    if min(getattr(image, "strides", None) or (0,)) < 0:  # torch 2.13 ends the process over them
        raise ImageError(
            f"image is {type(image).__name__} with negative strides; expected (H, W, 3) uint8 RGB that runs forwards: "
            "copy it"
        )
    try:
        tensor = image.detach() if isinstance(image, torch.Tensor) else torch.from_dlpack(image)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:  # read-only, or on a foreign device
        raise ImageError(
            f"image is {type(image).__name__}, whose memory cannot be shared: {error}; expected (H, W, 3) uint8 RGB in "
            "writable memory of the CPU or an NVIDIA GPU: copy it, or give a NumPy array"
        ) from error
    if tensor.dtype != torch.uint8 or tensor.ndim != 3 or tensor.shape[2] != 3 or tensor.numel() == 0:
        found = f"image has shape {tuple(tensor.shape)} and type {tensor.dtype}"
        planes = tensor.ndim == 3 and tensor.shape[0] == 3 and tensor.dtype == torch.uint8
        raise ImageError(f"{found}; expected (H, W, 3) uint8 RGB{': image.permute(1, 2, 0)' if planes else ''}")
    return tensor


def on_host(image: Image) -> np.ndarray:
    """An image of :func:`taken` as an array; shares memory where it can."""
    return image if isinstance(image, np.ndarray) else image.numpy(force=True)
