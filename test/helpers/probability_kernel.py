"""A Triton kernel that adds up the probabilities of all classes as those do that sum them over segments."""

import torch
import triton
import triton.language as tl

from trust_seg_ros.uncertainty.sampling_gpu import along_row, device_taps, lerp, load_taps, lowest


def total_probability(maps, log_sum):
    """(H, W) float32, the sum over the classes of exp(l - log_sum)."""
    q, *grid = maps.logits.shape
    height, width = maps.size
    at = device_taps(tuple(grid), maps.size, maps.placement, maps.logits.device)
    out = torch.empty(maps.size)
    _kernel[(height,)](
        maps.logits, *maps.logits.stride(), q, width, height, at.top, at.bottom, at.mix, at.left, at.right, at.weight,
        log_sum, out, LOW=lowest(maps.raw), BLOCK=triton.next_power_of_2(width),
    )  # fmt: skip
    return out


@triton.jit
def _kernel(
    logits_ptr, stride_c, stride_y, stride_x, q, width, height,
    top_ptr, bottom_ptr, mix_ptr, left_ptr, right_ptr, weight_ptr, log_sum_ptr, out_ptr,
    LOW: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    y, x = tl.program_id(0), tl.arange(0, BLOCK)
    there = x < width
    above, below, mix = load_taps(top_ptr, bottom_ptr, mix_ptr, stride_y, y, y < height)
    left, right, weight = load_taps(left_ptr, right_ptr, weight_ptr, stride_x, x, there)
    log_sum = tl.load(log_sum_ptr + y * width + x, mask=there, other=0.0)
    total = tl.zeros((BLOCK,), tl.float32)
    for _ in range(q):
        upper = along_row(logits_ptr + above, left, right, weight, there, LOW)[0]
        lower = along_row(logits_ptr + below, left, right, weight, there, LOW)[0]
        total += tl.exp(lerp(upper, lower, mix) - log_sum)
        logits_ptr += stride_c
    tl.store(out_ptr + y * width + x, total, mask=there)
