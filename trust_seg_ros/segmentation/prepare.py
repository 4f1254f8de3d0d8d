"""A torch module made ready for inference: mode, device, precision, memory format."""

from __future__ import annotations

import torch

from trust_seg_ros.segmentation.device import half_type
from trust_seg_ros.segmentation.errors import ModelError
from trust_seg_ros.segmentation.failures import in_brief


def prepare_module(module: torch.nn.Module, device: torch.device, half: bool) -> torch.nn.Module:
    """``module`` ready for inference: eval mode, without gradients, on the device, in its precision and memory format.

    Raises:
        ModelError: it cannot be moved to the device, for example for lack of memory.
    """
    try:
        module = module.eval().requires_grad_(False).to(device)
        if half:
            module = module.to(half_type(device))
        return channels_last(module) if likes_channels_last(module, device) else module
    except RuntimeError as error:
        raise ModelError(f"the network cannot be moved to {device}: {in_brief(error)}") from error


def channels_last(module: torch.nn.Module) -> torch.nn.Module:
    """The same module with its convolutions' weights in the memory format channels_last."""
    moved: torch.nn.Module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's
    return moved


def likes_channels_last(module: torch.nn.Module, device: torch.device) -> bool:
    """Whether channels_last is faster: on a GPU always; on the CPU convolutions gain a third, layer norms lose."""
    kinds = [type(m).__name__ for m in module.modules()]
    return device.type == "cuda" or not any("LayerNorm" in kind or "Attention" in kind for kind in kinds)
