"""The caution map in the node: from a judged frame to the topics of the ground."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

from trust_seg_ros.ground.caution import CautionFrame, CautionMapper
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.hazards import HazardMaps, hazard_maps
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.ground.roles import ClassRoles
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.ground import (
    GROUND_OUTPUTS,
    LABELLED_POINTS,
    Frames,
    OccupancyGridFields,
    labelled_points,
    nothing_known,
    unknown_map,
)
from trust_seg_ros.messages.image_bytes import ImageError
from trust_seg_ros.node.caution_bound import CautionBound
from trust_seg_ros.node.caution_geometry import CautionGeometry, Placed, rehearsal_view
from trust_seg_ros.node.caution_points import PointsTopic
from trust_seg_ros.node.caution_report import FORGOTTEN, NO_GROUND, NO_POINTS, WITHDRAWN, CautionReport, report_of
from trust_seg_ros.node.caution_slope import SlopeAhead
from trust_seg_ros.node.caution_topics import MAP, CautionTopics
from trust_seg_ros.node.ground_messages import ground_message
from trust_seg_ros.node.parameters_caution import CautionNodeSettings
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.types import TrustFrame

_TICK_S = 0.1


class Caution:
    """Makes and publishes the map of every frame while somebody subscribes; exists with ``caution: on``.

    The worker calls ``watched``, ``process``, ``reset`` and ``rehearse``; transitions and the executor call the rest.

    Args:
        node: owner of topics, subscriptions and timer.
        pipeline: whose frames are mapped.
        settings: their classes hold as long as this exists.
        statistics: counts what is wrong.
        warn: logs a warning, given its kind and text.
        alive: returns False once nothing may be published any more.

    Raises:
        GroundError: a class that the network does not have, or no class of ground.
        ParameterError: a QoS override has an invalid value.
    """

    def __init__(
        self,
        node: LifecycleNode,
        pipeline: TrustPipeline,
        settings: CautionNodeSettings,
        statistics: Statistics,
        warn: Callable[[str, str], None],
        alive: Callable[[], bool],
    ) -> None:
        names = pipeline.labels.names
        given = (settings.ground_classes, settings.flat_classes, settings.ignored_classes)
        self._roles = ClassRoles.of(names, *given)
        self._bound = CautionBound(pipeline.calibration, self._roles, names)
        self._node, self._statistics, self._warn, self._alive = node, statistics, warn, alive
        self._active = settings
        self._mapper, self._slope = CautionMapper(settings.map), SlopeAhead()
        self._geometry: CautionGeometry | None = None
        self._points: PointsTopic | None = None
        self._lock = threading.Lock()  # guards what was shown last, and when
        self._shown: OccupancyGridFields | None = None
        self._shown_at, self._hold_s = 0.0, settings.hold_s
        self.report = CautionReport()
        """What is to be said of the map; replaced as a whole by every frame."""
        self._topics = CautionTopics(node)
        self._timer = node.create_timer(_TICK_S, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def open(self, settings: CautionNodeSettings, image_topic: str) -> None:
        """Listen to CameraInfo and tf, for an activation with these settings.

        Raises:
            GroundError: tf2_msgs is not installed, or there is no bound on missed hazard cells although one is set.
        """
        self.close()
        self._bound.check(settings.alpha)
        self._active = settings
        self._mapper.reset()
        self._slope.reset()
        self.report = CautionReport()
        if settings.points != "off":
            self._points = PointsTopic(self._node, settings.points, settings.points_tolerance_s)
        self._geometry = CautionGeometry(self._node, settings, image_topic, self._warn)

    def close(self) -> None:
        """Stop listening, and leave an empty map: the one that is kept for late subscribers is about to be old."""
        listening = self._geometry, self._points
        self._geometry = self._points = None
        for part in listening:
            if part is not None:
                part.close()
        self._withdraw()

    def destroy(self) -> None:
        """Destroy topics and timer."""
        self.close()
        self._node.destroy_timer(self._timer)
        self._topics.destroy()

    def watched(self) -> bool:
        """Whether somebody subscribes, so that the next frame needs segments and out-of-distribution segments."""
        topics = self._topics.watched()
        if MAP not in topics:
            self._withdraw()  # a late subscriber gets the last map at once, however old it is by then
        if not topics:
            self.report = CautionReport()
        return bool(topics)

    def process(self, result: TrustFrame, header: HeaderFields, settings: CautionNodeSettings) -> dict[str, float]:
        """Map a frame and publish; returns the milliseconds by name of the step, for the statistics."""
        started = time.perf_counter()
        topics, geometry = self._topics.watched(), self._geometry
        if not topics or geometry is None:
            return {}
        s = self._active.changed_to(settings)
        self._hold_s = s.hold_s
        try:
            placed = geometry.at(header, result.size, s)
            maps = hazard_maps(result.on_grid, self._roles)
            frame, placed = self._map(result, maps, placed, header, s)
        except GroundError as error:
            self._refuse(str(error), header, s)
            return {}
        if frame.reset:
            self._notice(FORGOTTEN, f"the caution map starts anew: {frame.reset}")
        self._publish(frame, topics, header, self._frames(s))
        if LABELLED_POINTS in topics:
            self._label(result, maps, placed, geometry.place_points(header, s), header)
        self.report = report_of(frame, placed, geometry, s)
        return {"caution": (time.perf_counter() - started) * 1e3}

    def reset(self) -> None:
        """Forget earlier frames."""
        self._mapper.reset()
        self._slope.reset()
        if (geometry := self._geometry) is not None:
            geometry.reset()

    def rehearse(self, result: TrustFrame) -> None:
        """Run a frame through everything except publishing, to compile it."""
        mapper, view = CautionMapper(self._active.map), rehearsal_view(result.size)
        maps = hazard_maps(result.on_grid, self._roles)
        if self._active.plane == "estimated":
            self._slope.warm_up()
        for stamp_ns in range(2):
            frame = mapper.update(maps, view, Pose() if mapper.settings.fuse else None, stamp_ns)
        for output in GROUND_OUTPUTS.values():
            ground_message(output.build(frame, self._frames(self._active)), HeaderFields())

    def _map(
        self, result: TrustFrame, maps: HazardMaps, placed: Placed, header: HeaderFields, s: CautionNodeSettings
    ) -> tuple[CautionFrame, Placed]:
        self._mapper.settings = self._bound.settings(s.map, s.alpha, placed.view)
        if s.plane == "estimated":
            placed = self._slope.see(result.frame.image, maps, placed, header.stamp_ns)
        return self._mapper.update(maps, placed.view, placed.base_in_fixed, header.stamp_ns), placed

    def _publish(self, frame: CautionFrame, topics: tuple[str, ...], header: HeaderFields, frames: Frames) -> None:
        for name in topics:
            if not self._alive():
                return
            if name == LABELLED_POINTS:
                continue
            fields = GROUND_OUTPUTS[name].build(frame, frames)
            if isinstance(fields, OccupancyGridFields):
                self._show(fields, header)
            else:
                self._topics.publish(name, fields, header)

    def _label(
        self,
        result: TrustFrame,
        maps: HazardMaps,
        placed: Placed,
        pose: Callable[[str, int], Pose],
        header: HeaderFields,
    ) -> None:
        if self._points is None:
            self._notice(NO_POINTS, f"~/{LABELLED_POINTS} stays empty: caution.points is off")
            return
        try:
            found = self._points.label(header.stamp_ns, placed.view.camera, result.on_grid, maps, pose)
        except (GroundError, ImageError) as error:
            self._notice(NO_POINTS, str(error))
            return
        if self._alive():
            self._topics.publish(LABELLED_POINTS, labelled_points(found.points, found.header.frame_id), found.header)

    def _refuse(self, why: str, header: HeaderFields, s: CautionNodeSettings) -> None:
        """No map of this frame: an empty one, since consumers would keep the last; no clouds, which they miss."""
        self._notice(NO_GROUND, why)
        self.report = CautionReport(problem=why)
        with self._lock:
            empty = unknown_map(s.map, self._frames(s)) if self._shown is None else nothing_known(self._shown)
        if self._alive():
            self._show(empty, header)

    def _show(self, fields: OccupancyGridFields, header: HeaderFields) -> None:
        with self._lock:
            self._topics.publish(MAP, fields, header)
            self._shown, self._shown_at = fields, time.monotonic()

    def _tick(self) -> None:
        old = time.monotonic() - self._shown_at > self._hold_s > 0
        if old and self._withdraw():
            self._statistics.count(WITHDRAWN)

    def _withdraw(self) -> bool:
        """Replace the map that was published last by an empty one; False if it is empty, or there is none."""
        with self._lock:
            shown = self._shown
            if shown is None or (shown.data < 0).all() or not self._alive():
                return False
            self._shown = nothing_known(shown)
            sec, nanosec = self._node.get_clock().now().seconds_nanoseconds()
            self._topics.publish(MAP, self._shown, HeaderFields(sec, nanosec))
            return True

    def _notice(self, kind: str, text: str) -> None:
        if self._alive():
            self._statistics.count(kind, text)
            self._warn(kind, text)

    @staticmethod
    def _frames(s: CautionNodeSettings) -> Frames:
        return Frames(s.base_frame, s.fixed_frame)
