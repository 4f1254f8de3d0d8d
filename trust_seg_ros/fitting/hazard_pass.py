"""Runs the pipeline and the caution map over images with the truth of their ground, and calibrates the bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trust_seg_ros.fitting.hazard_bound import HazardBoundBuilder
from trust_seg_ros.fitting.hazard_frames import TrueFrame
from trust_seg_ros.fitting.hazard_truth import cells_of
from trust_seg_ros.ground.caution import CautionMapper, CautionSettings
from trust_seg_ros.ground.hazard_bound import MapConditions
from trust_seg_ros.ground.hazards import hazard_maps
from trust_seg_ros.ground.roles import ClassRoles
from trust_seg_ros.pipeline.trust_pipeline import TrustPipeline
from trust_seg_ros.types import Wanted


def add_frames(
    builder: HazardBoundBuilder,
    pipeline: TrustPipeline,
    frames: Iterable[TrueFrame],
    roles: ClassRoles,
    settings: CautionSettings,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Add every frame to the builder, as the node would map it.

    Args:
        builder: receives the frames.
        pipeline: its network, meta models and calibration; default thresholds.
        frames: those of one unit one after the other.
        roles: of the network's classes.
        settings: of the map; cells are fused only if the vehicle's place is known, too.
        progress: called with the number of frames done.

    Raises:
        GroundError: the camera sees no ground within the range.
    """
    mapper = CautionMapper(settings)
    names = pipeline.network.labels.names
    for done, one in enumerate(frames, 1):
        if one.begins:
            pipeline.reset()
            mapper.reset()
        judged = pipeline(one.frame, None, Wanted(pixel_flags=False)).on_grid
        found = mapper.update(hazard_maps(judged, roles), one.view, one.base_in_fixed, one.frame.stamp_ns)
        hazards = cells_of(one.feet.within(one.view, settings.range_m).points, found, one.base_in_fixed)
        fused = settings.fuse and one.base_in_fixed is not None
        conditions = MapConditions.of(one.view, settings, roles, names, fused)
        builder.add(one.unit, found.p, found.seen, hazards, conditions)
        progress(done)
