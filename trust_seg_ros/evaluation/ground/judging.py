"""From a network's recorded answer to hazards and caution maps, with and without what the flags say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from trust_seg_ros import uncertainty
from trust_seg_ros.evaluation.ground.recording import Shot
from trust_seg_ros.ground.caution import CautionMapper, CautionSettings
from trust_seg_ros.ground.caution_frame import CautionFrame
from trust_seg_ros.ground.hazards import NO_HAZARD, HazardMaps, HazardSettings, hazard_maps
from trust_seg_ros.ground.placing import GroundPlane
from trust_seg_ros.ground.plane_ahead import PlaneAhead
from trust_seg_ros.ground.plane_filter import PlaneFilter
from trust_seg_ros.ground.roles import FLAT, ClassRoles
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.pipeline.trust_pipeline import TrustPipeline
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.calm import CalmSettings
from trust_seg_ros.types import GridFrame, Wanted


@dataclass(frozen=True)
class Variant:
    """What a planner is given.

    Attributes:
        name: for tables.
        flags: whether P(wrong), OoD segments and entropy count, or the classes alone.
        tracks: whether segments are followed and flags calm.
        fused: whether cells remember earlier frames.
    """

    name: str
    flags: bool = True
    tracks: bool = False
    fused: bool = False


VARIANTS = (
    Variant("classes only", flags=False),
    Variant("flags, single frames"),
    Variant("flags, tracks", tracks=True),
    Variant("flags, tracks, fused map", tracks=True, fused=True),
)
CLASSES_ALONE = HazardSettings(floor=1.0, entropy_weight=0.0)


@dataclass(frozen=True)
class Judging:
    """Settings of all variants.

    Attributes:
        caution: of the maps; ``fuse`` is set by the variant.
        hazards: of P(hazard) where flags count.
        thresholds: of the flags; ``calm`` is set by the variant.
    """

    caution: CautionSettings = field(default_factory=lambda: CautionSettings(range_m=30.0, width_m=30.0))
    hazards: HazardSettings = field(default_factory=HazardSettings)
    thresholds: ThresholdSettings = field(default_factory=ThresholdSettings)


class Judge:
    """Judges drives with one pipeline without tracks and one with them, which share the network.

    Args:
        settings: of the pipeline.
        judging: of what follows.
    """

    def __init__(self, settings: PipelineSettings, judging: Judging | None = None) -> None:
        self.judging = judging or Judging()
        self._pipelines = {
            tracks: TrustPipeline.load(replace(settings, tracking=replace(settings.tracking, on=tracks)))
            for tracks in (False, True)
        }
        self.network = self._pipelines[False].network
        self.names = self.network.labels.names
        self.roles = ClassRoles.of(self.names)

    @property
    def about(self) -> dict[str, str]:
        """What decides the result, for files that are kept."""
        judges = [getattr(model, "fingerprint", "") for model in (self._pipelines[False].meta, self._ood_model)]
        return {"network": network_sha256(self.network) or self.network.name, "judging": repr((self.judging, judges))}

    @property
    def _ood_model(self) -> object:
        return self._pipelines[False].ood_model

    def begin(self) -> None:
        """Forget earlier frames: another drive begins."""
        for pipeline in self._pipelines.values():
            pipeline.reset()

    def judged(self, shot: Shot, tracks: bool) -> GridFrame:
        """The frame, judged; frames of a drive in order."""
        pipeline = self._pipelines[tracks]
        thresholds = replace(self.judging.thresholds, calm=CalmSettings(on=tracks))
        answer = uncertainty.on_grid(shot.answer, pipeline.grid)
        return pipeline.with_answer(shot.frame, answer, thresholds, Wanted(pixel_flags=False)).on_grid

    def maps(self, judged: GridFrame, flags: bool) -> HazardMaps:
        """P(hazard) of every pixel, by the flags or by the classes alone."""
        if flags:
            return hazard_maps(judged, self.roles, self.judging.hazards)
        return hazard_maps(replace(judged, trust=None, ood=None), self.roles, CLASSES_ALONE)

    def mapper(self, variant: Variant) -> CautionMapper:
        """A new map of the variant."""
        return CautionMapper(replace(self.judging.caution, fuse=variant.fused))


PLANES = ("true", "estimated", "borders", "fixed")
"""What feet are placed on: the exact plane; the slope ahead as the node estimates it, from motion of the ground and
until there is any from the borders of the road; from the borders alone; the plane under the wheels."""


class Planes:
    """The planes of one drive, frame by frame.

    Args:
        names: which of ``PLANES``.
    """

    def __init__(self, names: tuple[str, ...] = PLANES) -> None:
        self.names, self._ahead, self._borders = names, PlaneAhead(), PlaneFilter()

    def of(self, shot: Shot, maps: HazardMaps) -> dict[str, GroundPlane]:
        """Name -> plane in the base frame; the estimate looks at the ground of ``maps``."""
        ground, fixed = shot.ground, GroundPlane()
        found = {"true": ground.plane, "fixed": fixed}
        road, beside = maps.trusted_ground, (maps.role == FLAT) & (maps.kind == NO_HAZARD)
        camera, pose, stamp_ns = ground.camera, ground.pose, shot.stamp_ns
        if "estimated" in self.names:
            where = ground.base_in_fixed
            ahead = self._ahead.update(shot.draw(), road, beside, camera, pose, fixed, where, stamp_ns)
            found["estimated"] = ahead.plane
        if "borders" in self.names:
            found["borders"] = self._borders.update(road, beside, camera, pose, fixed, stamp_ns).plane
        return {name: found[name] for name in self.names}


class Mappers:
    """The maps of one drive for some variants and planes.

    Args:
        judge: judges the frames; it begins anew.
        variants: which of ``VARIANTS``.
        planes: which of ``PLANES``.
    """

    def __init__(
        self, judge: Judge, variants: tuple[Variant, ...] = VARIANTS, planes: tuple[str, ...] = PLANES
    ) -> None:
        judge.begin()
        self._judge, self._variants, self._planes = judge, variants, Planes(planes)
        self._mappers = {(v.name, plane): judge.mapper(v) for v in variants for plane in planes}

    def frame(self, shot: Shot) -> tuple[dict[tuple[str, str], CautionFrame], HazardMaps, dict[str, GroundPlane]]:
        """(variant, plane) -> map; hazards of the flags of single frames; planes."""
        judged = {tracks: self._judge.judged(shot, tracks) for tracks in {False, *(v.tracks for v in self._variants)}}
        hazards = {
            (tracks, flags): self._judge.maps(judged[tracks], flags)
            for tracks, flags in {(False, True), *((v.tracks, v.flags) for v in self._variants)}
        }
        planes, ground = self._planes.of(shot, hazards[False, True]), shot.ground
        views = {name: GroundView(ground.camera, ground.pose, plane) for name, plane in planes.items()}
        found = {
            (v.name, name): self._mappers[v.name, name].update(
                hazards[v.tracks, v.flags], view, ground.base_in_fixed, shot.stamp_ns
            )
            for v in self._variants
            for name, view in views.items()
        }
        return found, hazards[False, True], planes
