"""What the diagnostics look at: a snapshot of the node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trust_seg_ros.node.camera import CameraView
from trust_seg_ros.node.caution_report import CautionReport
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.node.statistics import Summary
from trust_seg_ros.node.threshold_watch import InForce
from trust_seg_ros.node.timeline import Ages

NOT_AVAILABLE = "n/a"


@dataclass(frozen=True)
class NodeView:
    """Input of one diagnostics report.

    Attributes:
        name: fully qualified name of the node.
        state: lifecycle state.
        enabled: whether the node listens to the camera, as last set by ``~/enable``.
        settings: the current parameters.
        camera: state of the camera topic in the ROS graph.
        summary: counters and times.
        ages: of images, the frame in hand and results, since the last report.
        open_s: seconds since the camera was subscribed to; None while it is not.
        clock_still_s: seconds for which simulated time has not gone on; 0 without simulated time.
        stood_still_s: seconds for which the whole node did nothing since the last report.
        model: facts about the loaded model; empty while there is none.
        ood_meta: which model judges out-of-distribution segments, in words.
        remarks: warnings about the current thresholds.
        outside: segments in words -> share of them, lately, outside the range their meta model was fitted on; None =
            not known.
        in_force: current thresholds; None without a model, and then constants are reported as set.
        working: whether the worker accepts frames; only looked at while the node is active.
        problem: why the last transition failed, or "".
        before: counters at the last report, to detect new events.
        caution: the caution map after the last frame; None where the node makes none.
    """

    name: str
    state: str
    enabled: bool
    settings: NodeSettings
    camera: CameraView
    summary: Summary
    ages: Ages = field(default_factory=Ages)
    open_s: float | None = None
    clock_still_s: float = 0.0
    stood_still_s: float = 0.0
    model: Mapping[str, str] = field(default_factory=dict)
    ood_meta: str = NOT_AVAILABLE
    remarks: tuple[str, ...] = ()
    outside: Mapping[str, float | None] = field(default_factory=dict)
    in_force: InForce | None = None
    working: bool = True
    problem: str = ""
    before: Mapping[str, int] = field(default_factory=dict)
    caution: CautionReport | None = None

    def new(self, counter: str) -> int:
        """By how much a counter has risen since the last report."""
        return self.summary.counts.get(counter, 0) - self.before.get(counter, 0)

    @property
    def idle(self) -> str:
        """Why the node does not listen to the camera, or "". It is then supposed to do nothing."""
        if self.state != "active":
            return f"the node is {self.state}"
        return "" if self.enabled else "disabled by ~/enable"
