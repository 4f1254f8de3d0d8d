"""Parameters of what is published: the size of the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trust_seg_ros.grid import GridError
from trust_seg_ros.messages.output_size import AS_IMAGE, SIZE_FORM, SIZE_PATTERN, published_size
from trust_seg_ros.node.parameter import Parameter, ParameterError

OUTPUT_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "output_size",
        AS_IMAGE,
        "Size of all published images: `image` (the camera's), `grid` (the grid that was judged on), or "
        "`WIDTHxHEIGHT`, for consumers that need masks of their own size, such as that of a point cloud. By nearest "
        "neighbour; boxes in `~/segments` stay in pixels of the camera's image.",
        pattern=SIZE_PATTERN,
        form=SIZE_FORM,
    ),
)


def output_size(v: Mapping[str, Any]) -> str:
    """The checked size, as text.

    Raises:
        ParameterError: its sides are out of range.
    """
    try:
        published_size(v["output_size"], (1, 1), (1, 1))
    except GridError as error:
        raise ParameterError(f"parameter output_size: {error}") from error
    return str(v["output_size"])
