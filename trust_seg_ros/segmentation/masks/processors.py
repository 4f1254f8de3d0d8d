"""The size that the image processors of mask networks give an image, as transformers 5 computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trust_seg_ros.segmentation.masks.squares import Squares
from trust_seg_ros.segmentation.protocol import Edges, InputSpec

DEFAULT_SIZE = {"shortest_edge": 800, "longest_edge": 1333}
"""Of MaskFormer, Mask2Former, OneFormer and DETR."""
EOMT_SIZE = {"shortest_edge": 640, "longest_edge": 640}


def mask_sized(spec: InputSpec, given: Mapping[str, Any], size: Any, divisor: int) -> InputSpec:
    """``spec`` with the size that the processor of MaskFormer, Mask2Former, OneFormer or DETR gives an image.

    The image is stretched to it, sides rounded up to multiples of the divisor; what is padded to make a batch of
    different images, and ``pad_size``, concerns nobody here.

    Args:
        spec: the normalisation.
        given: content of preprocessor_config.json; also the older keys max_size and size_divisibility.
        size: the default of the class.
        divisor: its default.

    Raises:
        ValueError, TypeError: a value is malformed.
    """
    divisor = int(given.get("size_divisor", given.get("size_divisibility", divisor)))
    spec = replace(spec, stride=max(1, divisor))
    if not given.get("do_resize", True):
        return replace(spec, stride=1)
    size = given.get("size", size)
    if isinstance(size, int):
        size = {"shortest_edge": size, "longest_edge": given.get("max_size")}
    if isinstance(size, (list, tuple)):
        size = dict(zip(("height", "width"), size, strict=True))
    if size.get("height") is not None and size.get("width") is not None:
        height, width = (-(-int(size[key]) // spec.stride) * spec.stride for key in ("height", "width"))
        return replace(spec, size=(height, width))
    if size.get("max_height") is not None and size.get("max_width") is not None:
        return replace(spec, edges=Edges(box=(int(size["max_height"]), int(size["max_width"]))))
    shortest, longest = size.get("shortest_edge"), size.get("longest_edge", given.get("max_size"))
    if shortest is None:
        raise ValueError(f"size is {dict(size)!r}; expected shortest_edge and longest_edge, or height and width")
    return replace(spec, edges=Edges(int(shortest), None if longest is None else int(longest), exact=True))


def eomt_sized(spec: InputSpec, given: Mapping[str, Any], image_size: Any, absent: bool) -> InputSpec:
    """``spec`` with the squares that the processor of EoMT makes of an image.

    ``do_split_image`` (semantic segmentation) cuts it into squares, ``do_pad`` (panoptic and instance) lays it into
    one; with neither the processor fits square images only, and others are stretched to the square here.

    Args:
        spec: the normalisation.
        given: content of preprocessor_config.json.
        image_size: the side in the model's configuration.
        absent: there is no such file: the image is cut into squares of that side.

    Raises:
        ValueError, TypeError: a value is malformed.
    """
    spec = replace(spec, stride=1)
    size = given.get("size", {"shortest_edge": image_size} if absent and image_size else EOMT_SIZE)
    if isinstance(size, int):
        size = {"shortest_edge": size}
    if size.get("height") is not None and size.get("width") is not None:
        return replace(spec, size=(int(size["height"]), int(size["width"])))
    shortest = int(size["shortest_edge"])
    longest = int(size.get("longest_edge") or shortest)
    if given.get("do_split_image", absent):
        return replace(spec, edges=Edges(shortest, exact=True), squares=Squares(shortest, True))
    if given.get("do_pad", False):
        return replace(spec, edges=Edges(shortest, longest, exact=True), squares=Squares(longest, False))
    return replace(spec, size=(shortest, longest))
