"""The slope of the road ahead from how the ground moves in the image while the vehicle drives.

The pose of the vehicle is known now and a few metres before. With it each slope says where the image before shows a
patch of the ground of now. Of all slopes the true one has the patches agree best. Two images are compared, not many
frame by frame: patches on asphalt do not live long, and over some metres they move by many pixels.

How a body pitches on its springs is often missing in odometry. So each slope may choose a small pitch between the two
images that no pose knows of: it moves all patches alike, a slope moves the near ones more.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.ground_patches import STEPS, GroundPatches
from trust_seg_ros.ground.jumps import MotionLimits
from trust_seg_ros.ground.motion_kernels import agreement
from trust_seg_ros.ground.placing import GroundPlane, Pose
from trust_seg_ros.ground.slope_belief import SLOPES, SlopeBelief

_KNOTS = tuple(np.linspace(SLOPES[0], SLOPES[-1], 4).tolist())
"""Slopes for which patches are placed by the camera; between them by a polynomial."""

_LARGEST = 640  # pixels of the longer side of an image that is used
_BLUR = 0.8
_PATCHES, _FEWEST = 72, 12
_WAY_M, _SHORTEST_M = 4.0, 1.5
_OLDEST_S, _LONGEST_GAP_S = 1.5, 1.0
_KEPT_EVERY_M = 0.3  # images of the same place say the same: counted again they would feign certainty
_KEPT = 24
_FASTEST = MotionLimits.speed  # what moves faster was set to another place
_MOVED = 5e-4  # metres, or radians, of a camera that is taken for the same


@dataclass(frozen=True)
class MotionSettings:
    """Settings of the estimate from motion.

    Attributes:
        pitch_deg: standard deviation, in degrees, of the pitch between two images that the poses of the vehicle do not
            know of; 0 where they have all of it.
        pivot_m: metres ahead of the camera of the line about which the road ahead is tilted.

    Raises:
        GroundError: a value is negative or not finite.
    """

    pitch_deg: float = 0.35
    pivot_m: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.pitch_deg <= 3:
            raise GroundError(f"pitch_deg {self.pitch_deg!r} of the motion: expected degrees from 0 to 3")
        if not math.isfinite(self.pivot_m):
            raise GroundError(f"pivot_m {self.pivot_m!r} of the motion: expected metres")


@dataclass(frozen=True)
class SlopeSeen:
    """What motion says of the slope ahead.

    Attributes:
        slope: rise per metre ahead against the given plane.
        sigma: its standard deviation.
        reason: why this image adds nothing; empty where it does.
    """

    slope: float
    sigma: float
    reason: str = ""


@dataclass(frozen=True, eq=False)
class _Before:
    image: np.ndarray
    base_in_fixed: Pose
    stamp_ns: int


class MotionSlope:
    """Follows the slope of the road ahead of one camera by motion. Not thread-safe."""

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self._settings = settings or MotionSettings()
        step = math.radians(self._settings.pitch_deg) / 2
        self._pitches = (-2 * step, -step, 0.0, step, 2 * step) if step else (0.0,)
        self._patches: GroundPatches | None = None
        self._camera: CameraModel | None = None
        self._small: CameraModel | None = None
        self._made_of = np.zeros(0)
        self.reset()

    def reset(self) -> None:
        """Forget the road and all images: time has jumped, or the camera is another one."""
        self._belief = SlopeBelief()
        self._kept: deque[_Before] = deque(maxlen=_KEPT)
        self._last: tuple[Pose, int] | None = None

    def update(
        self,
        image: np.ndarray,
        ground: np.ndarray,
        camera: CameraModel,
        pose: Pose,
        given: GroundPlane,
        base_in_fixed: Pose,
        stamp_ns: int,
    ) -> SlopeSeen:
        """The slope ahead by this image and those before.

        Args:
            image: (h, w, 3) uint8, or (h, w), of the camera.
            ground: (H, W) bool, trusted pixels of what lies on the ground: road and what is beside it; they show all
                of the image, at any size.
            camera: of the image.
            pose: takes its optical frame into the base.
            given: the plane of the parameters, in the base.
            base_in_fixed: where the vehicle is when the image is taken.
            stamp_ns: of the image.

        Raises:
            GroundError: the image is not of the camera's size; the camera is below the plane or does not see the
                ground ahead.
        """
        if image.shape[:2] != camera.size:
            raise GroundError(f"an image of {image.shape[:2]} (height, width) for a camera of {camera.size}")
        patches = self._patches_of(camera, pose, given)
        self._predict(base_in_fixed, stamp_ns)
        if self._kept and (way := _way(self._kept[-1].base_in_fixed, base_in_fixed)) < _KEPT_EVERY_M:
            return SlopeSeen(*self._belief.known(), f"the vehicle has moved by {way:.2g} m since the last image used")
        now = _Before(self._grey(image), base_in_fixed, stamp_ns)
        reason = self._compare(patches, now, ground)
        self._kept.append(now)
        return SlopeSeen(*self._belief.known(), reason)

    def _compare(self, patches: GroundPatches, now: _Before, ground: np.ndarray) -> str:
        """Take in what the image says; gives why it says nothing, else empty."""
        before = self._before(now)
        if isinstance(before, str):
            return before
        which = patches.choose(now.image, ground, _PATCHES)
        if len(which) < _FEWEST:
            return f"{len(which)} patches of ground are seen, at least {_FEWEST} expected"
        self._belief.add(self._evidence(patches, which, now, before))
        return ""

    def _patches_of(self, camera: CameraModel, pose: Pose, given: GroundPlane) -> GroundPatches:
        numbers = np.concatenate([pose.rotation.ravel(), pose.translation, given.normal, [given.offset]])
        same = self._camera is camera and np.abs(numbers - self._made_of).max() <= _MOVED
        if self._patches is None or not same:
            shrink = min(1.0, _LARGEST / max(camera.size))
            small = camera.resized((max(round(shrink * camera.size[0]), 1), max(round(shrink * camera.size[1]), 1)))
            self._patches = GroundPatches(small, pose, given, self._settings.pivot_m)
            self._camera, self._small, self._made_of = camera, small, numbers
            self.reset()
        return self._patches

    def _grey(self, image: np.ndarray) -> np.ndarray:
        assert self._small is not None
        grey = image if image.ndim == 2 else cv2.extractChannel(image, 1)
        height, width = self._small.size
        if grey.shape != (height, width):
            grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(grey, (0, 0), _BLUR), np.uint8)

    def _predict(self, base_in_fixed: Pose, stamp_ns: int) -> None:
        if self._last is not None:
            seconds, way = (stamp_ns - self._last[1]) / 1e9, _way(self._last[0], base_in_fixed)
            if not 0 <= seconds <= _LONGEST_GAP_S or way > _FASTEST * seconds + _KEPT_EVERY_M:
                self.reset()
            else:
                self._belief.move(way, seconds)
        self._last = (base_in_fixed, stamp_ns)

    def _before(self, now: _Before) -> _Before | str:
        """The image to compare with: the newest that is far enough back, else the one farthest back."""
        longest = 0.0
        found = None
        for one in reversed(self._kept):
            if now.stamp_ns - one.stamp_ns > _OLDEST_S * 1e9:
                break
            if (way := _way(one.base_in_fixed, now.base_in_fixed)) > longest:
                longest, found = way, one
            if longest >= _WAY_M:
                break
        if found is None or longest < _SHORTEST_M:
            return f"the vehicle has moved by {longest:.2g} m in {_OLDEST_S:g} s, at least {_SHORTEST_M:g} m expected"
        return found

    def _evidence(self, patches: GroundPatches, which: np.ndarray, now: _Before, before: _Before) -> np.ndarray:
        """(41,) how well the patches agree at each slope, with the pitch that suits it best."""
        moved = before.base_in_fixed.inverse() @ now.base_in_fixed
        places = patches.places(which, moved, _KNOTS)
        turned = np.zeros_like(places)
        largest = self._pitches[-1]
        if largest:
            turned = (patches.places(which, moved, _KNOTS, largest) - places) / largest
        u, v = patches.u[which], patches.v[which]
        first, last = self._belief.likely()
        while True:
            found = np.full(len(SLOPES), -np.inf)
            for pitch in self._pitches:
                agree = (
                    agreement(now.image, before.image, u, v, places + pitch * turned, _BLEND[first:last], STEPS)
                    - 0.5 * (pitch / max(math.radians(self._settings.pitch_deg), 1e-9)) ** 2
                )
                found[first:last] = np.maximum(found[first:last], agree)
            best = int(found.argmax())
            if first < best < last - 1 or last - first == len(SLOPES):
                found[~np.isfinite(found)] = found[first:last].min()
                found -= found.max()
                return found
            first, last = 0, len(SLOPES)  # the best one is elsewhere


def _way(before: Pose, now: Pose) -> float:
    return float(np.linalg.norm(now.translation - before.translation))


def _lagrange(at: np.ndarray, knots: tuple[float, ...]) -> np.ndarray:
    """(T, K) weights of the values at the knots in the polynomial through them."""
    found = np.ones((len(at), len(knots)))
    for k, own in enumerate(knots):
        for other in knots[:k] + knots[k + 1 :]:
            found[:, k] *= (at - other) / (own - other)
    return found


_BLEND = _lagrange(SLOPES, _KNOTS)
