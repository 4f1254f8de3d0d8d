"""Where the camera stands over the ground when an image is taken: from CameraInfo, tf or parameters, and the plane."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rclpy.node import Node

from trust_seg_ros.ground.camera_info import CameraInfoFields, looks_rectified
from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.jumps import JumpWatch, MotionLimits
from trust_seg_ros.ground.newest_camera import NewestCamera
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.transforms import TransformBuffer
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.node.camera_info import CameraInfoTopic
from trust_seg_ros.node.imu import ImuTopic
from trust_seg_ros.node.parameters_caution import CautionNodeSettings
from trust_seg_ros.node.transforms import TransformTopics

_ON_THE_VEHICLE = MotionLimits(speed=2.0, turn=3.0, distance=0.05, angle=0.02)
"""How a camera may move on its vehicle: springs, a pan-tilt unit. What moves farther has another camera's pose."""


@dataclass(frozen=True, eq=False)
class Placed:
    """The geometry of one image.

    Attributes:
        view: the camera over the ground; the same object as long as nothing moves.
        base_in_fixed: the vehicle in the fixed frame; None without such a frame.
        up: (3,) the direction against gravity in the base frame; None where it is not known.
        plane: where the plane of the ground comes from, in words.
        remarks: what is not as it should be.
    """

    view: GroundView
    base_in_fixed: Pose | None
    up: np.ndarray | None = None
    plane: str = "as given"
    remarks: tuple[str, ...] = ()


class CautionGeometry:
    """Listens to CameraInfo and tf as long as it is not closed. ``at`` is called by the worker, the rest by others.

    Args:
        node: owner of the subscriptions.
        s: settings of the activation.
        image_topic: name of the image's topic after remapping, which may say whether it is rectified.
        warn: logs a warning, given its kind and text.

    Raises:
        GroundError: tf2_msgs is not installed.
    """

    def __init__(self, node: Node, s: CautionNodeSettings, image_topic: str, warn: Callable[[str, str], None]) -> None:
        self.rectified = s.image == "rectified" or (s.image == "auto" and looks_rectified(image_topic) is True)
        self._image_topic, self._uses_tf = image_topic, s.extrinsics_from == "tf" or bool(s.fixed_frame)
        self._buffer, self._tf = TransformBuffer(), None
        if self._uses_tf:
            self._tf = TransformTopics(node, self._buffer, lambda why: warn("tf", why))
        self._info = CameraInfoTopic(node, self._take)
        self._imu = ImuTopic(node) if s.gravity == "imu" else None
        max_age_s = s.camera_info_max_age_s or math.inf
        self._newest = NewestCamera(self._info.name, self.rectified, max_age_s, s.camera_info_scaled)
        self._stamped = self._uses_tf or not math.isinf(max_age_s)
        self._moved = JumpWatch("the camera on the vehicle", _ON_THE_VEHICLE)
        self._seen: tuple[CameraModel, list[np.ndarray], GroundView] | None = None

    def close(self) -> None:
        """Stop listening."""
        self._info.close()
        if self._imu is not None:
            self._imu.close()
        if self._tf is not None:
            self._tf.close()

    def at(self, header: HeaderFields, size: tuple[int, int], s: CautionNodeSettings) -> Placed:
        """The geometry of an image.

        Args:
            header: of the image.
            size: (height, width) of the image.
            s: the current settings.

        Raises:
            GroundError: it is not known; the text says why, and what to do.
        """
        if self._stamped and not header.stamp_ns:
            raise GroundError(
                "the image has no stamp (0), by which its CameraInfo and poses in tf are found: expected the time at "
                "which it was taken"
            )
        camera = self._newest.camera(size, header.stamp_ns)
        pose = self._camera_pose(header, s)
        view = self._view(camera, pose, GroundPlane(np.array(s.ground_normal), s.ground_height))
        base_in_fixed = None
        if s.fixed_frame:
            base_in_fixed = self._buffer.lookup(s.fixed_frame, s.base_frame, header.stamp_ns, s.tf_tolerance_s)
        try:
            return Placed(view, base_in_fixed, self._up(s), remarks=self.remarks())
        except GroundError as error:  # the plane does without
            return Placed(view, base_in_fixed, remarks=(*self.remarks(), f"gravity is not used: {error}"))

    def place_points(self, header: HeaderFields, s: CautionNodeSettings) -> Callable[[str, int], Pose]:
        """What takes points of a frame at a time in nanoseconds into the optical frame of an image.

        With a fixed frame the motion of the vehicle between the two times counts.
        """
        info = self._newest.info
        optical = header.frame_id or ("" if info is None else info.frame_id)

        def pose(frame_id: str, stamp_ns: int) -> Pose:
            if _plain(frame_id) == _plain(optical):
                return Pose()
            if not self._uses_tf:
                raise GroundError(
                    f"points of frame {frame_id!r} of another sensor: expected caution.extrinsics_from tf"
                )
            if not s.fixed_frame:
                return self._buffer.lookup(optical, frame_id, stamp_ns, s.tf_tolerance_s)
            then = self._buffer.lookup(s.fixed_frame, frame_id, stamp_ns, s.tf_tolerance_s)
            now = self._buffer.lookup(s.fixed_frame, optical, header.stamp_ns, s.tf_tolerance_s)
            return now.inverse() @ then

        return pose

    def _up(self, s: CautionNodeSettings) -> np.ndarray | None:
        """(3,) the direction against gravity in the base frame; None without an IMU.

        Raises:
            GroundError: there should be one, and it or its place is not known.
        """
        if self._imu is None:
            return None
        frame, up = self._imu.up()
        if not self._uses_tf or _plain(frame) == _plain(s.base_frame):
            return up
        turned: np.ndarray = self._buffer.lookup(s.base_frame, frame, None).rotation @ up
        return turned

    def remarks(self) -> tuple[str, ...]:
        """What looks wrong about the CameraInfo, though it need not be."""
        return self._newest.remarks(self._image_topic)

    def reset(self) -> None:
        """Forget where the camera was in the last image."""
        self._moved.reset()

    def _take(self, info: CameraInfoFields) -> None:
        self._newest.put(info)

    def _camera_pose(self, header: HeaderFields, s: CautionNodeSettings) -> Pose:
        """The optical frame in the base frame."""
        info = self._newest.info
        of_info = "" if info is None else info.frame_id
        if header.frame_id and of_info and _plain(header.frame_id) != _plain(of_info):
            raise GroundError(
                f"the image is of frame {header.frame_id!r} and CameraInfo on {self._info.name} of {of_info!r}: "
                "expected those of one camera; give each camera a node of its own"
            )
        if s.extrinsics_from == "parameters":
            return Pose.from_angles(*s.camera_angles, np.array(s.camera_position)) @ OPTICAL
        pose = self._buffer.lookup(s.base_frame, header.frame_id or of_info, header.stamp_ns, s.tf_tolerance_s)
        if jump := self._moved.check(pose, header.stamp_ns):
            raise GroundError(jump)
        return pose

    def _view(self, camera: CameraModel, pose: Pose, plane: GroundPlane) -> GroundView:
        numbers = [pose.rotation, pose.translation, plane.normal, np.array(plane.offset)]
        if self._seen is not None and self._seen[0] is camera and all(map(np.array_equal, self._seen[1], numbers)):
            return self._seen[2]
        view = GroundView(camera, pose, plane)
        self._seen = (camera, numbers, view)
        return view


def _plain(frame_id: str) -> str:
    """A frame's name as tf2 reads it."""
    return frame_id.removeprefix("/")


def rehearsal_view(size: tuple[int, int]) -> GroundView:
    """A view of images of (height, width) that looks ahead and a little down, for the warm-up."""
    camera = CameraModel.pinhole(size, 0.8 * size[1])
    return GroundView(camera, Pose.from_angles(0.0, 0.15, 0.0, np.array([0.0, 0.0, 1.5])) @ OPTICAL, GroundPlane())
