"""The newest CameraInfo of a camera, and the camera that it makes of an image."""

from __future__ import annotations

import math
import threading

from trust_seg_ros.ground.camera_info import CameraInfoFields, camera_model, camera_remarks
from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError


class NewestCamera:
    """Keeps the newest CameraInfo; computes a camera once for each calibration and size of image. Thread-safe.

    Args:
        topic: of the CameraInfo, for the reasons.
        rectified: whether images are rectified.
        max_age_s: seconds that the stamp of the CameraInfo may be away from that of the image; infinity: any.
        scaled: whether images of another size are taken for the whole picture (see ``camera_model``).
    """

    def __init__(self, topic: str, rectified: bool, max_age_s: float = 2.0, scaled: bool = False) -> None:
        if math.isnan(max_age_s) or max_age_s < 0:
            raise GroundError(f"max_age_s {max_age_s!r} of a CameraInfo: expected seconds of at least 0")
        self._topic, self._rectified, self._max_age_s, self._scaled = topic, rectified, max_age_s, scaled
        self._lock = threading.Lock()
        self._info: CameraInfoFields | None = None
        self._made: tuple[tuple[object, ...], CameraModel | GroundError] | None = None

    def put(self, info: CameraInfoFields) -> None:
        """Take the newest one, whatever its stamp: a bag may have started again."""
        with self._lock:
            self._info = info

    @property
    def info(self) -> CameraInfoFields | None:
        """The newest one; None before the first."""
        with self._lock:
            return self._info

    def camera(self, image_size: tuple[int, int], image_stamp_ns: int) -> CameraModel:
        """The camera of an image.

        Args:
            image_size: (height, width).
            image_stamp_ns: stamp of the image's header.

        Returns:
            The same object as long as calibration and size stay.

        Raises:
            GroundError: no CameraInfo yet, one of another time, or one that makes no camera of this image.
        """
        info = self.info
        if info is None:
            raise GroundError(f"no CameraInfo on {self._topic} yet: is it published, and the topic remapped?")
        apart = (image_stamp_ns - info.stamp_ns) / 1e9
        if abs(apart) > self._max_age_s:
            side = "older" if apart > 0 else "newer"
            raise GroundError(
                f"stale: the newest CameraInfo on {self._topic} is {abs(apart):.3g} s {side} than the image: at most "
                f"{self._max_age_s:g} s expected"
            )
        key = (*info.calibration(), *image_size)
        if self._made is None or self._made[0] != key:
            self._made = (key, self._make(info, image_size))
        if isinstance(self._made[1], GroundError):
            raise self._made[1]
        return self._made[1]

    def remarks(self, image_topic: str) -> tuple[str, ...]:
        """What looks wrong about the newest one (see ``camera_remarks``); nothing before the first."""
        info = self.info
        return () if info is None else camera_remarks(info, image_topic, self._rectified)

    def _make(self, info: CameraInfoFields, image_size: tuple[int, int]) -> CameraModel | GroundError:
        try:
            return camera_model(info, image_size, self._rectified, scaled=self._scaled)
        except GroundError as error:
            return error
