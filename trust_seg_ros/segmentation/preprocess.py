"""From an RGB image to a network's normalised input, on the device.

Two implementations with one result: OpenCV and NumPy for the CPU (the image is resized as uint8 and each plane is
normalised in one pass), torch for a GPU (the uint8 image is uploaded, everything else happens there). The torch version
also runs on the CPU and is the reference for the other.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from trust_seg_ros.segmentation.device import half_type
from trust_seg_ros.segmentation.protocol import InputSpec, Size


def preprocess(image: np.ndarray, spec: InputSpec, device: torch.device) -> torch.Tensor:
    """An image as the network's input.

    Args:
        image: (H, W, 3) uint8 RGB; may be strided and read-only.
        spec: size, normalisation and precision of the input.
        device: device of the result.

    Returns:
        (1, 3, h, w) float32, or with ``spec.half`` float16 (bfloat16 on a CPU) and channels_last; contiguous in its
        memory format.
    """
    return preprocess_cpu(image, spec) if device.type == "cpu" else preprocess_torch(image, spec, device)


def preprocess_cpu(image: np.ndarray, spec: InputSpec) -> torch.Tensor:
    """``preprocess`` with OpenCV and NumPy, on the CPU."""
    height, width = spec.size_for((image.shape[0], image.shape[1]))
    if image.shape[:2] != (height, width):
        shrinks = _shrinks((image.shape[0], image.shape[1]), (height, width))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    factor, offset = _affine(spec)
    out = np.empty((1, 3, height, width), np.float32)
    planes = cv2.split(image)
    for channel, source in enumerate(_channels(spec)):
        plane = out[0, channel]
        np.multiply(planes[source], factor[channel], out=plane, dtype=np.float32)
        plane += offset[channel]
    return _in_precision(torch.from_numpy(out), spec)


def preprocess_torch(image: np.ndarray, spec: InputSpec, device: torch.device) -> torch.Tensor:
    """``preprocess`` with torch operations on ``device``.

    If the picture shrinks by a factor that is not whole, the averaged windows start and end at whole pixels; OpenCV
    weights the pixels that a window cuts. The image is uploaded unscaled.
    """
    height, width = spec.size_for((image.shape[0], image.shape[1]))
    writable = image if image.flags.c_contiguous and image.flags.writeable else image.copy()
    x = torch.from_numpy(writable).to(device).permute(2, 0, 1)[None].to(torch.float32)
    if x.shape[2:] != (height, width):
        if _shrinks((x.shape[2], x.shape[3]), (height, width)):
            x = F.interpolate(x, size=(height, width), mode="area")
        else:
            x = F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)
        x = x.round_()  # OpenCV's result is uint8
    return _in_precision(normalised(x, spec), spec)


def normalised(images: torch.Tensor, spec: InputSpec) -> torch.Tensor:
    """A network's input from (B, 3, h, w) float32, red, green, blue in 0..255, that already has its size."""
    factor, offset = (torch.from_numpy(v).to(images.device).view(1, 3, 1, 1) for v in _affine(spec))
    return torch.addcmul(offset, images[:, list(_channels(spec))], factor)


def black(spec: InputSpec) -> torch.Tensor:
    """(3,) float32, what a black pixel is after the normalisation, in the order of the input's channels."""
    return torch.from_numpy(_affine(spec)[1])


def _in_precision(x: torch.Tensor, spec: InputSpec) -> torch.Tensor:
    if spec.half:
        return x.to(half_type(x.device)).contiguous(memory_format=torch.channels_last)
    return x.contiguous()


def _shrinks(old: Size, new: Size) -> bool:
    return new[0] <= old[0] and new[1] <= old[1]


def _channels(spec: InputSpec) -> tuple[int, int, int]:
    """For each channel of the input, which channel of the RGB image it is."""
    return (2, 1, 0) if spec.order == "bgr" else (0, 1, 2)


def _affine(spec: InputSpec) -> tuple[np.ndarray, np.ndarray]:
    """factor, offset, each (3,) float32, in the order of the input's channels: input = byte * factor + offset."""
    mean, std = (np.array(v, np.float64)[list(_channels(spec))] for v in (spec.mean, spec.std))
    return (spec.scale / std).astype(np.float32), (-mean / std).astype(np.float32)
