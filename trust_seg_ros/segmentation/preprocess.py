"""From an RGB image to a network's normalised input, on the device.

Two implementations with one result: OpenCV and NumPy for the CPU (the image is resized as uint8 and each plane is
normalised in one pass), torch for a GPU (the uint8 image is uploaded, everything else happens there). The torch version
also runs on the CPU and is the reference for the other, and for ``upload_gpu``, which does the same in one launch.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from trust_seg_ros.segmentation.device import half_type
from trust_seg_ros.segmentation.device_images import Image, on_host
from trust_seg_ros.segmentation.normalisation import affine, can_prepare, channels, empty_input, shrinks
from trust_seg_ros.segmentation.protocol import InputSpec, Size
from trust_seg_ros.segmentation.staging import upload
from trust_seg_ros.support.gpu import kernels_for


def preprocess(image: Image, spec: InputSpec, device: torch.device) -> torch.Tensor:
    """An image as the network's input.

    Args:
        image: (H, W, 3) uint8 RGB; may be strided and read-only. A tensor is used where it lies, see ``device_images``.
        spec: size, normalisation and precision of the input.
        device: device of the result.

    Returns:
        (1, 3, h, w) float32, or with ``spec.half`` float16 (bfloat16 on a CPU) and channels_last; contiguous in its
        memory format.
    """
    return preprocess_batch([image], spec, device)


def preprocess_batch(images: Sequence[Image], spec: InputSpec, device: torch.device) -> torch.Tensor:
    """Images with one size of input as one batch (B, 3, h, w), see :func:`preprocess`; an image given twice runs once.

    On a GPU each image is uploaded once and prepared where it belongs in the batch.
    """
    if device.type == "cpu":
        made = {id(image): preprocess_cpu(on_host(image), spec) for image in images}
    elif not kernels_for(device) or not all(can_prepare(_size(image), spec.size_for(_size(image))) for image in images):
        made = {id(image): preprocess_torch(image, spec, device) for image in images}
    else:
        return _prepared(images, spec, device)
    return torch.cat([made[id(image)] for image in images]) if len(images) > 1 else made[id(images[0])]


def _prepared(images: Sequence[Image], spec: InputSpec, device: torch.device) -> torch.Tensor:
    """:func:`preprocess_batch` by the kernel."""
    from trust_seg_ros.segmentation.upload_gpu import device_input

    out = empty_input(len(images), spec.size_for(_size(images[0])), spec, device)
    first: dict[int, int] = {}
    for index, image in enumerate(images):
        before = first.setdefault(id(image), index)
        if before < index:
            out[index] = out[before]
        else:
            device_input(_on_device(image, device), spec, out[index : index + 1])
    return out


def preprocess_cpu(image: np.ndarray, spec: InputSpec) -> torch.Tensor:
    """``preprocess`` with OpenCV and NumPy, on the CPU."""
    height, width = spec.size_for((image.shape[0], image.shape[1]))
    if image.shape[:2] != (height, width):
        smaller = shrinks((image.shape[0], image.shape[1]), (height, width))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    factor, offset = affine(spec)
    out = np.empty((1, 3, height, width), np.float32)
    planes = cv2.split(image)
    for channel, source in enumerate(channels(spec)):
        plane = out[0, channel]
        np.multiply(planes[source], factor[channel], out=plane, dtype=np.float32)
        plane += offset[channel]
    return _in_precision(torch.from_numpy(out), spec)


def preprocess_torch(image: Image, spec: InputSpec, device: torch.device) -> torch.Tensor:
    """``preprocess`` with torch operations on ``device``.

    If the picture shrinks by a factor that is not whole, the averaged windows start and end at whole pixels; OpenCV
    weights the pixels that a window cuts. The image is uploaded unscaled.
    """
    height, width = spec.size_for(_size(image))
    x = _on_device(image, device).permute(2, 0, 1)[None].to(torch.float32)
    if x.shape[2:] != (height, width):
        if shrinks((x.shape[2], x.shape[3]), (height, width)):
            x = F.interpolate(x, size=(height, width), mode="area")
        else:
            x = F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)
        x = x.round_()  # OpenCV's result is uint8
    return _in_precision(normalised(x, spec), spec)


def _on_device(image: Image, device: torch.device) -> torch.Tensor:
    return image.to(device) if isinstance(image, torch.Tensor) else upload(image, device)


def _size(image: Image) -> Size:
    return int(image.shape[0]), int(image.shape[1])


def normalised(images: torch.Tensor, spec: InputSpec) -> torch.Tensor:
    """A network's input from (B, 3, h, w) float32, red, green, blue in 0..255, that already has its size."""
    factor, offset = (torch.from_numpy(v).to(images.device).view(1, 3, 1, 1) for v in affine(spec))
    return torch.addcmul(offset, images[:, list(channels(spec))], factor)


def black(spec: InputSpec) -> torch.Tensor:
    """(3,) float32, what a black pixel is after the normalisation, in the order of the input's channels."""
    return torch.from_numpy(affine(spec)[1])


def _in_precision(x: torch.Tensor, spec: InputSpec) -> torch.Tensor:
    if spec.half:
        return x.to(half_type(x.device)).contiguous(memory_format=torch.channels_last)
    return x.contiguous()
