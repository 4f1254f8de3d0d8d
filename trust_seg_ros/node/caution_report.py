"""What the diagnostics say of the caution map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.ground.caution import CautionFrame
from trust_seg_ros.messages.ground import least_not_free
from trust_seg_ros.node.caution_geometry import CautionGeometry, Placed
from trust_seg_ros.node.levels import ERROR, OK, WARN
from trust_seg_ros.node.parameters_caution import CautionNodeSettings

NO_GROUND, FORGOTTEN, WITHDRAWN, NO_POINTS = "no_ground", "ground_forgotten", "ground_withdrawn", "no_points"
"""Counters: frames without a map, maps that forgot earlier frames, old maps that an empty one replaced, frames without
labelled points although somebody subscribes to them."""
FREE, FEET = "cells free", "feet of hazards"


@dataclass(frozen=True)
class CautionReport:
    """The state of the map after a frame.

    Attributes:
        problem: why there is no map; "" if there is one, or no frame was mapped yet.
        remarks: what looks wrong, though it need not be.
        values: key -> value of the map; empty if there is none.
    """

    problem: str = ""
    remarks: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    def judged(self, idle: str, refused: int, reason: str) -> tuple[bytes, str]:
        """Level and message of a status.

        Args:
            idle: why the node is supposed to do nothing, or "".
            refused: frames without a map since the last report.
            reason: of the last of them.
        """
        if idle:
            return OK, idle
        if self.problem:
            return ERROR, f"no caution map: {self.problem}"
        if refused:
            return WARN, f"{refused} frames without a caution map: {reason}"
        if self.remarks:
            return WARN, "; ".join(self.remarks)
        if not self.values:
            return OK, "no map yet: nobody subscribes to it, or no image came"
        return OK, f"{self.values[FREE]} free cells, {self.values[FEET]} feet of hazards"


def report_of(frame: CautionFrame, placed: Placed, geometry: CautionGeometry, s: CautionNodeSettings) -> CautionReport:
    """The report of a frame that was mapped."""
    view = placed.view
    remarks = placed.remarks
    if not view.horizon_in_view:
        remarks += ("the horizon is above the image: ground far ahead is not seen",)
    known = frame.occupancy >= 0
    return CautionReport(
        remarks=remarks,
        values={
            "frame": s.fixed_frame if frame.in_fixed else s.base_frame,
            "image": "rectified" if geometry.rectified else "raw",
            "camera height m": f"{view.height:.2f}",
            "camera pose from": s.extrinsics_from,
            "plane of the ground": placed.plane,
            "free below": f"{frame.free_below:g}",
            "least value not free": str(least_not_free(frame.free_below)),
            "bound on missed hazard cells": f"{s.alpha:g}" if s.alpha else "none",
            "cells known": f"{100 * float(known.mean()):.0f} %",
            FREE: str(int(np.count_nonzero(frame.free))),
            FEET: str(len(frame.feet)),
            "azimuths without ground": f"{100 * frame.blind:.0f} %",
        },
    )
