"""The size of the published images: that of the camera's image, of the grid that was judged on, or a given one."""

from __future__ import annotations

from functools import lru_cache

from trust_seg_ros.grid import GridError, Size, parsed_grid

AS_IMAGE, AS_GRID = "image", "grid"
SIZE_FORM = "image, grid or WIDTHxHEIGHT, for example 640x480"
SIZE_PATTERN = rf"{AS_IMAGE}|{AS_GRID}|[1-9][0-9]{{0,4}}[xX×][1-9][0-9]{{0,4}}"
"""Regular expression of the texts that :func:`published_size` reads; sides may still be too large."""


def published_size(text: str, image: Size, grid: Size) -> Size:
    """(height, width) of the images that are published for a frame.

    Args:
        text: ``image``, ``grid`` or ``WIDTHxHEIGHT``.
        image: (H, W) of the camera's image.
        grid: (H', W') of the grid that it was judged on.

    Raises:
        GridError: another text, or sides out of range.

    >>> published_size("320x240", (480, 640), (360, 480))
    (240, 320)
    """
    if text in (AS_IMAGE, AS_GRID):
        return image if text == AS_IMAGE else grid
    return _exact(text)


@lru_cache(maxsize=8)
def _exact(text: str) -> Size:
    try:
        parsed = parsed_grid(text)
    except GridError as error:
        raise GridError(f"output size {text!r}: expected {SIZE_FORM} ({error})") from None
    if parsed.kind != "exact" or parsed.size is None:
        raise GridError(f"output size {text!r}: expected {SIZE_FORM}")
    return parsed.size
