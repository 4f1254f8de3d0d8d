"""Recognises a mean and standard deviation that are given in another unit than the image has."""

from __future__ import annotations

from dataclasses import replace

from trust_seg_ros.segmentation.errors import ModelSpecError
from trust_seg_ros.segmentation.protocol import InputSpec

_MEAN_BEYOND = 1.5
"""Share of the brightest value of an image that no mean of images reaches."""
_STD_BEYOND = 5.0
"""The same for a standard deviation: images deviate by a quarter of it, and 1 is common for "not divided"."""


def in_units(spec: InputSpec) -> InputSpec:
    """``spec`` with mean and standard deviation in the units of the scaled image, with a remark where that changed it.

    Frameworks write the same normalisation as (0.485, …), (0.229, …) for an image in 0..1 or as (123.675, …),
    (58.395, …) for bytes. Bytes' values for a scaled image would show the network one grey for every picture; where
    both are of that kind (or the deviation is 1, or the mean 0), they are divided by 255.

    Raises:
        ModelSpecError: mean and standard deviation contradict each other or the image.
    """
    brightest = 255 * spec.scale
    mean_beyond, std_beyond = max(spec.mean) > _MEAN_BEYOND * brightest, max(spec.std) > _STD_BEYOND * brightest
    if not (mean_beyond or std_beyond):
        return spec
    bytes_mean = all(0 <= value <= 255 for value in spec.mean) and (mean_beyond or max(spec.mean) == 0)
    bytes_std = max(spec.std) <= 255 and (std_beyond or set(spec.std) == {1.0})
    if not (bytes_mean and bytes_std and min(spec.std) >= 1):
        raise ModelSpecError(
            f"mean is {_plain(spec.mean)} and std is {_plain(spec.std)}, but images reach the network scaled to "
            f"0..{brightest:g}: give both in that unit, for ImageNet (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225)"
        )
    mean, std = _scaled(spec.mean, spec.scale), _scaled(spec.std, spec.scale)
    before = f"{spec.remark}; " if spec.remark else ""
    remark = (
        f"{before}mean {_plain(spec.mean)} and std {_plain(spec.std)} are in 0..255, images are scaled to "
        f"0..{brightest:g}: taken as {_plain(mean)} and {_plain(std)}"
    )
    return replace(spec, mean=mean, std=std, remark=remark)


def _scaled(values: tuple[float, float, float], scale: float) -> tuple[float, float, float]:
    red, green, blue = (round(value * scale, 9) for value in values)
    return red, green, blue


def _plain(values: tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:.4g}' for value in values)})"
