"""Choice of the device and precision of a network."""

from __future__ import annotations

import torch

from trust_seg_ros.segmentation.errors import DeviceError


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """The device called ``name``.

    Args:
        name: "auto" (the first GPU, or the CPU if there is none), "cpu", "cuda" or "cuda:N".

    Raises:
        DeviceError: another name, or a GPU that does not exist.
    """
    text = str(name)
    if text == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(text)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda") or (device.type == "cpu" and device.index not in (None, 0)):
        raise DeviceError(f"device is {text!r}; expected 'auto', 'cpu', 'cuda' or 'cuda:N'")
    if device.type == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        why = "this torch is built without CUDA" if torch.version.cuda is None else "no usable NVIDIA driver or GPU"
        raise DeviceError(f"device is {text!r} but CUDA is not available ({why}); use 'auto' or 'cpu'")
    index, count = device.index or 0, torch.cuda.device_count()
    if index >= count:
        raise DeviceError(f"device is {text!r} but there are {count} GPUs; expected cuda:0 to cuda:{count - 1}")
    return torch.device("cuda", index)


def pick_half(half: str | bool, device: torch.device) -> bool:
    """Whether the network computes in half precision; see ``half_type``.

    Args:
        half: "auto" (on a GPU), True or False; the texts "on", "off", "true" and "false" too.
        device: device the network runs on.

    Raises:
        DeviceError: another value, or True on a CPU without bfloat16 arithmetic.
    """
    wishes: dict[str, bool | None] = {"auto": None, "true": True, "false": False, "on": True, "off": False}
    wish = str(half).lower()
    if wish not in wishes:
        raise DeviceError(f"half is {half!r}; expected 'auto', True or False")
    if wishes[wish] and device.type == "cpu" and not cpu_has_bfloat16():
        raise DeviceError(
            "half is True but this CPU has no bfloat16 arithmetic (AVX512_BF16 or AMX), where it would be slower than "
            "float32; use half='auto' or a GPU"
        )
    chosen = wishes[wish]
    return device.type == "cuda" if chosen is None else chosen


def half_type(device: torch.device) -> torch.dtype:
    """float16 on a GPU, bfloat16 on a CPU."""
    return torch.float16 if device.type == "cuda" else torch.bfloat16


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; False if this version of torch cannot tell."""
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check is not None and bool(check()) for check in checks)
