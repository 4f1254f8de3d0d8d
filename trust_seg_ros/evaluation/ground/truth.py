"""What is true of the ground in one frame of a drive with exact geometry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from trust_seg_ros.evaluation.ground.recording import Shot
from trust_seg_ros.fitting.hazard_truth import PixelRays, TruePoints, cells_of, feet_by_depth, ground_points
from trust_seg_ros.ground.caution_frame import CautionFrame
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.ground.roles import FLAT, ClassRoles
from trust_seg_ros.ground.view import GroundView

HIDDEN_M, HIDDEN_SHARE = 0.5, 0.1
"""A place is hidden by a thing that ends this much, and this share of the range, before it: what the foot of the thing
may be off by is no smear."""


@dataclass(frozen=True, eq=False)
class TrueCells:
    """What is true of the cells of a map, each (rows, columns) bool.

    Attributes:
        hazards: with feet.
        free: with ground to drive on that is seen, and nothing else.
        hidden: well behind a thing that hides them and their neighbours, and not below another one.
        things: below things, or within a cell of their footprints.
    """

    hazards: np.ndarray
    free: np.ndarray
    hidden: np.ndarray
    things: np.ndarray


@dataclass(frozen=True, eq=False)
class FrameTruth:
    """Attributes:
    shot: the frame.
    role: (H, W) uint8, true roles of the pixels.
    rays: of its camera.
    view: its camera over the true plane.
    range_m: how far the truth is asked for.
    """

    shot: Shot
    role: np.ndarray
    rays: PixelRays
    view: GroundView
    range_m: float

    @classmethod
    def of(cls, shot: Shot, roles: ClassRoles, rays: PixelRays, range_m: float) -> FrameTruth:
        """The truth of a frame; raises GroundError where its camera sees no ground."""
        ground = shot.ground
        view = GroundView(ground.camera, ground.pose, ground.plane)
        return cls(shot, roles.table[shot.labels], rays, view, range_m)

    @cached_property
    def feet(self) -> TruePoints:
        """Where things touch the ground."""
        ground = self.shot.ground
        return feet_by_depth(self.role, ground.depth, self.rays, ground.pose).within(self.view, self.range_m)

    @cached_property
    def ground(self) -> TruePoints:
        """Ground to drive on that is seen."""
        ground = self.shot.ground
        return ground_points(self.role, ground.depth, self.rays, ground.pose).within(self.view, self.range_m)

    def cells(self, frame: CautionFrame) -> TrueCells:
        """The cells of a map; maps of one extent share them."""
        key = (frame.origin, frame.p.shape, frame.in_fixed)
        if key not in self._known:
            things = self.things(frame)
            hidden = cv2.erode(self.hidden(frame).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~things
            self._known[key] = TrueCells(self.hazards(frame), self.free(frame), hidden, things)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[object, TrueCells]:
        return {}

    def hazards(self, frame: CautionFrame) -> np.ndarray:
        """(rows, columns) bool, cells with feet."""
        return cells_of(self.feet.points, frame, self.shot.ground.base_in_fixed)

    def flat(self, frame: CautionFrame) -> np.ndarray:
        """(rows, columns) bool, cells with flat ground beside the road."""
        ground = self.shot.ground
        seen = ground_points(self.role, ground.depth, self.rays, ground.pose, FLAT).within(self.view, self.range_m)
        return cells_of(seen.points, frame, ground.base_in_fixed)

    def free(self, frame: CautionFrame) -> np.ndarray:
        """(rows, columns) bool, cells with ground to drive on, with neither feet nor flat ground in them."""
        seen = cells_of(self.ground.points, frame, self.shot.ground.base_in_fixed)
        return seen & ~self.hazards(frame) & ~self.flat(frame)

    def things(self, frame: CautionFrame) -> np.ndarray:
        """(rows, columns) bool, cells within one of the footprint of anything, seen or not."""
        base = self.shot.ground.base_in_fixed if frame.in_fixed else Pose()
        found = np.zeros(frame.p.shape, np.uint8)
        for one in self.shot.ground.footprints:
            corners = base.apply(np.column_stack([one.polygon, np.zeros(len(one.polygon))]))[:, :2]
            cells = (corners - np.array(frame.origin)) / frame.resolution - 0.5
            cv2.fillPoly(found, [np.rint(cells * 16).astype(np.int32)], 1, shift=4)
        return cv2.dilate(found, np.ones((3, 3), np.uint8)).astype(bool)

    def hidden(self, frame: CautionFrame) -> np.ndarray:
        """(rows, columns) bool, cells within range whose ground lies well behind a thing that hides it."""
        ground = self.shot.ground
        rows, columns = frame.p.shape
        centres = frame.centres(np.ones((rows, columns), bool))
        if frame.in_fixed:
            centres = ground.base_in_fixed.inverse().apply(centres)
        centres[:, 2] = ground.plane.heights(centres[:, 0], centres[:, 1])
        optical = ground.pose.inverse().apply(centres)
        pixels = np.rint(ground.camera.project(optical))
        height, width = ground.depth.shape
        with np.errstate(invalid="ignore"):
            column, row = np.nan_to_num(pixels, nan=-1.0).astype(np.int64).T
        seen = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        near = np.linalg.norm(centres[:, :2] - self.view.foot[:2], axis=1) <= self.range_m
        inside = np.flatnonzero(seen & near)
        there, here = optical[inside, 2], ground.depth[row[inside], column[inside]]
        found = np.zeros(rows * columns, bool)
        found[inside] = here * (1 + HIDDEN_SHARE) + HIDDEN_M < there
        return found.reshape(rows, columns)
