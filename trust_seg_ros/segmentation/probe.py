"""The picture that every network is shown when it is loaded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.protocol import InputSpec, Size
from trust_seg_ros.segmentation.units import in_units

PROBE_SIDE = 64
"""Side in pixels of the picture shown at loading to a network that takes any size; rounded up to its stride."""


def probe_spec(spec: InputSpec) -> InputSpec:
    """An input with the size of the picture that is shown at loading: its own, else ``PROBE_SIDE`` by its stride."""
    if spec.squares is not None:
        return replace(spec, size=(spec.squares.side, spec.squares.side))
    side = -(-PROBE_SIDE // spec.stride) * spec.stride
    return replace(spec, size=spec.size or (side, side))


def probe_pixels(spec: InputSpec, device: torch.device) -> torch.Tensor:
    """That picture, noise, as a network with this input sees it: (1, 3, h, w)."""
    spec = probe_spec(in_units(spec))
    return preprocess(noise_image(spec.size_for((1, 1))), spec, device)


def noise_image(size: Size) -> np.ndarray:
    """(H, W, 3) uint8 uniform noise, the same at every call: a picture on which nothing is degenerate."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (*size, 3), generator=generator, dtype=torch.uint8).numpy()
