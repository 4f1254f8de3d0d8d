"""Layout of a recording in the Rerun viewer: one tab per node; needs rerun-sdk."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import rerun.blueprint as rrb

from trust_seg_ros.recordings.export.rerun_entities import NUMBERS

_PICTURES = (("segmentation", "Classes"), ("entropy", "Entropy"), ("overlay", "Overlay"))
_CURVES = (("share", "Shares of the image"), ("count", "Segments"), ("threshold", "Thresholds"))


def layout(cameras: Mapping[str, str | None], others: Collection[str], shown: Collection[str], timeline: str) -> object:
    """The blueprint.

    Args:
        cameras: node -> topic of its camera; None if it is not in the bag.
        others: topics of cameras that belong to no node.
        shown: paths of the logged entities.
        timeline: the timeline shown first.
    """
    tabs: list[rrb.Vertical | rrb.Grid] = [_of_node(node, camera, shown) for node, camera in sorted(cameras.items())]
    if others:
        views = [rrb.Spatial2DView(origin=topic, name=topic) for topic in sorted(others)]
        tabs.append(rrb.Grid(*views, name="Other cameras"))
    main = tabs[0] if len(tabs) == 1 else rrb.Tabs(*tabs)
    return rrb.Blueprint(
        main,
        rrb.TimePanel(timeline=timeline, state="collapsed"),
        rrb.SelectionPanel(state="collapsed"),
        rrb.BlueprintPanel(state="collapsed"),
        auto_views=False,
    )


def _of_node(node: str, camera: str | None, shown: Collection[str]) -> rrb.Vertical:
    marks = [f"{node}/{output}" for output in ("ood", "unreliable", "segments") if f"{node}/{output}" in shown]
    ground = camera if camera is not None else f"{node}/overlay"
    pictures = []
    if ground in shown or marks:
        pictures.append(rrb.Spatial2DView(origin="/", contents=[ground, *marks], name="Camera and what is flagged"))
    for output, name in _PICTURES:
        if f"{node}/{output}" in shown:
            pictures.append(rrb.Spatial2DView(origin=f"{node}/{output}", name=name))
    curves = [
        rrb.TimeSeriesView(origin=f"{node}/{NUMBERS}/{group}", name=name)
        for group, name in _CURVES
        if any(path.startswith(f"{node}/{NUMBERS}/{group}/") for path in shown)
    ]
    parts = [part for part in (rrb.Grid(*pictures), rrb.Horizontal(*curves)) if part.contents]
    return rrb.Vertical(*parts, row_shares=[3, 1][: len(parts)], name=node.lstrip("/"))
