"""Brings a network's answer to the grid that it is judged on."""

from __future__ import annotations

from dataclasses import replace

from trust_seg_ros.grid import Grid
from trust_seg_ros.types import LogitMaps


def on_grid(answer: LogitMaps, grid: Grid) -> LogitMaps:
    """The same answer, whose maps are to be made on a grid: logits are upsampled straight to it.

    Args:
        answer: a network's answer; ``size`` is the size of the image.
        grid: where to judge.

    Returns:
        The same object where the grid is the image.
    """
    height, width = answer.logits.shape[-2:]
    size = grid.size_for(answer.size, (height, width))
    return answer if size == answer.size else replace(answer, size=size)
