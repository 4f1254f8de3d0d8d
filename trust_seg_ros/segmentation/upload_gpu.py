"""A uint8 image on a GPU as a network's input, in one launch; ``preprocess.preprocess_torch`` is the readable version.

Five or six launches of torch, and as many float32 copies of the image, become one pass: at 2 MP the image is read once
(6 MB) and the input written once.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from trust_seg_ros.segmentation.normalisation import affine, channels, empty_input, shrinks
from trust_seg_ros.segmentation.protocol import InputSpec

_SAME, _AREA, _BILINEAR = 0, 1, 2
_BLOCK = 256
_ROUND = tl.constexpr(12582912.0)
"""1.5 · 2^23: adding and subtracting it rounds a small float32 to a whole number, half to even."""


def device_input(image: torch.Tensor, spec: InputSpec, out: torch.Tensor | None = None) -> torch.Tensor:
    """An image as the network's input, equal to ``preprocess_torch`` up to the rounding of float32.

    Args:
        image: (H, W, 3) uint8 RGB on the device, of any strides.
        spec: size, normalisation and precision of the input; ``normalisation.can_prepare`` must hold for its size.
        out: (1, 3, h, w) floating point of any strides to write to; None = a new one.

    Returns:
        (1, 3, h, w): ``out``, or float32 and contiguous, with ``spec.half`` the device's half type and channels_last.
    """
    size = spec.size_for((image.shape[0], image.shape[1]))
    out = empty_input(1, size, spec, image.device) if out is None else out
    mode = _SAME
    if image.shape[:2] != size:
        mode = _AREA if shrinks((image.shape[0], image.shape[1]), size) else _BILINEAR
    factor, offset = affine(spec)
    with torch.cuda.device_of(image):
        _prepare[(size[0], triton.cdiv(size[1], _BLOCK))](
            image, out, *factor.tolist(), *offset.tolist(),
            image.shape[0], image.shape[1], *size, image.shape[0] / size[0], image.shape[1] / size[1],
            -(-image.shape[1] // size[1]) + 1, *image.stride(), *out.stride()[1:],
            MODE=mode, SWAP=channels(spec)[0] == 2, BLOCK=_BLOCK,
        )  # fmt: skip
    return out


@triton.jit
def _prepare(
    image, out, f0, f1, f2, o0, o1, o2, height, width, h, w, down, along, most,
    step_y, step_x, step_c, out_c, out_y, out_x,
    MODE: tl.constexpr, SWAP: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program prepares ``BLOCK`` pixels of a row; offsets are of 64 bits, arithmetic is of 32."""
    y = tl.program_id(0)
    x = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = x < w
    x = tl.minimum(x, w - 1)
    target = out + y.to(tl.int64) * out_y + x.to(tl.int64) * out_x
    for channel in tl.static_range(3):
        source = image + (2 - channel if SWAP else channel) * step_c
        if MODE == 1:
            top, bottom = y * height // h, ((y + 1) * height + h - 1) // h
            left, right = x * width // w, ((x + 1) * width + w - 1) // w
            total = tl.zeros([BLOCK], tl.int32)
            line = source + top.to(tl.int64) * step_y
            for _ in range(top, bottom):
                for k in range(0, most):
                    place = left + k
                    total += tl.load(line + place.to(tl.int64) * step_x, mask=place < right, other=0).to(tl.int32)
                line += step_y
            count = (bottom - top) * (right - left)
            # the mean, rounded half to even, in whole numbers
            mean = total // count
            rest = 2 * (total - mean * count)
            value = (mean + ((rest > count) | ((rest == count) & (mean % 2 == 1))).to(tl.int32)).to(tl.float32)
        elif MODE == 2:
            at_y, at_x = tl.maximum(down * (y + 0.5) - 0.5, 0.0), tl.maximum(along * (x + 0.5) - 0.5, 0.0)
            top, left = tl.minimum(at_y.to(tl.int32), height - 1), tl.minimum(at_x.to(tl.int32), width - 1)
            low, side = at_y - top, at_x - left
            upper = source + top.to(tl.int64) * step_y
            lower = source + tl.minimum(top + 1, height - 1).to(tl.int64) * step_y
            first, second = left.to(tl.int64) * step_x, tl.minimum(left + 1, width - 1).to(tl.int64) * step_x
            above = (1 - side) * tl.load(upper + first).to(tl.float32) + side * tl.load(upper + second).to(tl.float32)
            below = (1 - side) * tl.load(lower + first).to(tl.float32) + side * tl.load(lower + second).to(tl.float32)
            value = ((1 - low) * above + low * below + _ROUND) - _ROUND
        else:
            value = tl.load(source + y.to(tl.int64) * step_y + x.to(tl.int64) * step_x).to(tl.float32)
        factor = f0 if channel == 0 else (f1 if channel == 1 else f2)
        offset = o0 if channel == 0 else (o1 if channel == 1 else o2)
        tl.store(target, (value * factor + offset).to(out.dtype.element_ty), mask=inside)
        target += out_c
