"""The pictures of topics made on the GPU where a frame's maps lie, and fetched together."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch

from trust_seg_ros.drawing.pictures import PIXEL_FLAG
from trust_seg_ros.messages.kernels import flag_table
from trust_seg_ros.messages.paint_gpu import PLANES, Paints, painted
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.support.block_copy import to_host
from trust_seg_ros.types.fetched import FetchedMaps, PlaneSource

_FILLS = {
    "segmentation": "classes",
    "confidence": "confidence_bytes",
    "entropy": "entropy_bytes",
    "margin": "margin_bytes",
    "unreliable": "unreliable",
    "segment_ids": "segment_numbers",
    "ood": "ood",
    "ood_ids": "ood_pixel_numbers",
}
"""Plane -> the property of a ``Rendering`` that it is."""
_SHOWN_BY = {"overlay": ("segmentation", "unreliable"), "entropy_color": ("entropy",)}
"""Topics for people -> the planes that they are drawn of, on the host."""


def fetch_planes(view: Rendering, topics: Collection[str]) -> None:
    """Make the planes of these topics in one launch and bring them over in one block; what cannot be made there is made
    on the host when a topic asks for it.

    Args:
        view: of a frame whose maps lie on a device; others are left as they are.
        topics: names of outputs.
    """
    maps = view.frame.on_grid.maps
    if not isinstance(maps, FetchedMaps):
        return
    paints = _paints(view, maps.source)
    wanted = {plane for topic in topics for plane in (topic, *_SHOWN_BY.get(topic, ())) if plane in PLANES}
    if view.options.entropy_encoding != "mono8":
        wanted -= {"entropy", "margin"} - ({"entropy"} if "entropy_color" in topics else set())
    there = [plane for plane in wanted if all(getattr(paints, field) is not None for field in PLANES[plane])]
    for plane, values in to_host(painted(paints, there, view.size)).items():
        view.__dict__[_FILLS[plane]] = values.numpy()  # where a cached property keeps its value


def _paints(view: Rendering, source: PlaneSource) -> Paints:
    grid, on = view.frame.on_grid, source.on_device
    classes = on("classes")
    device = torch.device("cpu") if classes is None else classes.device

    def table(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(device)

    unreliable = ood = numbers = None
    # flags that were made on the host are painted there
    if grid.segments is not None and (grid.pixel_flags is None or on("flags") is not None):
        flagged = np.zeros(len(grid.segments), bool) if grid.trust is None else grid.trust.unreliable
        unreliable = table(flag_table(flagged))
    if grid.ood is not None:
        ood = table(flag_table(grid.ood.kept, PIXEL_FLAG))
    if grid.ood is not None and grid.segments is not None:
        numbers = table(np.append(0, view.ood_numbers).astype(np.int32))
    return Paints(
        classes,
        on("entropy"),
        on("margin"),
        None if grid.segments is None else on("segments.ids"),
        None if grid.ood is None else on("ood.ids"),
        None if grid.pixel_flags is None else on("flags"),
        unreliable,
        ood,
        numbers,
    )
