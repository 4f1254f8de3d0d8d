"""The drive: reproducible frames by seed and index; and single random samples for training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np

from trust_seg_ros.synthetic import movers
from trust_seg_ros.synthetic.camera import Camera, depth_code
from trust_seg_ros.synthetic.canvas import Canvas
from trust_seg_ros.synthetic.checks import SyntheticDriveError, check_range
from trust_seg_ros.synthetic.exact_view import ExactView
from trust_seg_ros.synthetic.lane import Lane
from trust_seg_ros.synthetic.layout import Street
from trust_seg_ros.synthetic.mounted import Mounted
from trust_seg_ros.synthetic.scene import Scene
from trust_seg_ros.synthetic.settings import (
    WEATHERS,
    DriveFrame,
    DriveObject,
    DriveSettings,
)
from trust_seg_ros.synthetic.vehicles import Lamp
from trust_seg_ros.synthetic.weather import draw_look, glow, light_and_haze, paint_sky, reflect, sensor


class SyntheticDrive:
    """An endless drive; iterating gives frames 0, 1, 2, …"""

    def __init__(self, settings: DriveSettings | None = None) -> None:
        self.settings = settings = settings or DriveSettings()
        rng = np.random.default_rng([settings.seed, 0])
        drawn = str(rng.choice(WEATHERS, p=[0.36, 0.26, 0.12, 0.1, 0.08, 0.08]))
        self.weather = settings.weather or drawn
        self.street = Street(settings.seed, settings.traffic)
        self.look = draw_look(self.weather, np.random.default_rng([settings.seed, 4]))
        self._focal = settings.size[1] * rng.uniform(0.85, 1.1)
        self._height, self._level = rng.uniform(1.25, 1.6), rng.uniform(0.42, 0.53)
        self._start = rng.uniform(5, 140)
        self._phases = rng.uniform(0, 2 * np.pi, 6)
        self._sky = int(rng.integers(1 << 16))
        self._aside = self._turned = 0.0
        if settings.cameras:
            self._another_camera(settings.cameras)
        self._exact = None
        if settings.ground is not None:
            lane = Lane(self.street, settings.ground, self._start, settings.speed)
            self._exact = ExactView(lane, Mounted(settings.ground, settings.size))

    def _another_camera(self, much: float) -> None:
        """Lens and place of the camera, drawn from a wider range; see ``DriveSettings.cameras``."""
        u = np.random.default_rng([self.settings.seed, 10]).uniform
        self._focal *= np.exp(much * u(-0.5, 0.5))
        self._height *= np.exp(much * u(-0.45, 0.6))
        self._level += much * u(-0.14, 0.14)
        self._aside, self._turned = much * u(-1.2, 1.2), much * u(-0.25, 0.25)

    def __iter__(self) -> Iterator[DriveFrame]:
        index = 0
        while True:
            yield self.frame(index)
            index += 1

    def position(self, time_s: float) -> float:
        """Position along the street in metres at a time; the speed varies around the mean."""
        v, p = self.settings.speed, self._phases
        return float(self._start + v * time_s + 0.8 * v * (np.sin(0.35 * time_s + p[0]) - np.sin(p[0])))

    def camera(self, time_s: float, s: float) -> Camera:
        """The camera at a time; it keeps its lane, steers gently and bobs."""
        height, width = self.settings.size
        p, street = self._phases, self.street
        half = street.half_at(s)
        lane = street.side * min(half / 2, 2.2) + 0.25 * np.sin(0.21 * time_s + p[1]) + self._aside * half
        yaw = 0.02 * np.sin(0.27 * time_s + p[2]) + self._turned
        bob = 0.003 * np.sin(7.3 * time_s + p[3]) + 0.004 * np.sin(1.9 * time_s + p[4])
        return Camera(
            size=(height, width),
            focal=float(self._focal),
            centre_x=float(width / 2 - self._focal * yaw),
            horizon=float(height * self._level + self._focal * bob),
            height=float(self._height),
            x=float(lane),
            bend=street.bend_at(s),
        )

    def frame(self, index: int) -> DriveFrame:
        """Frame ``index`` >= 0; independent of earlier calls.

        Raises:
            SyntheticDriveError: if ``index`` is not an integer >= 0.
        """
        settings, index = self.settings, _checked_index(index)
        time_s = float(index / settings.fps)
        s = self.position(time_s)
        if self._exact is not None:
            return self._exact_frame(self._exact, index, time_s, s)
        camera = self.camera(time_s, s)
        canvas = Canvas(*settings.size, objects=settings.objects)
        crowd = movers.crowd(self.street, s, time_s, settings.speed, settings.kinds, settings.unknown_rate)
        scene = self._draw(canvas, camera, s, crowd)
        return self._finished(canvas, scene, index, time_s)

    def frame_at(self, time_s: float, s: float, index: int | None = None) -> DriveFrame:
        """A frame of a vehicle that is steered from outside, in the same world as the frames of the drive.

        What is in that world depends on place and time alone: a vehicle that brakes or stops sees the others drive on.
        It should not be faster than ``speed`` of the settings for long, or it catches up with those ahead of it.

        Args:
            time_s: seconds since the begin of the drive, >= 0.
            s: place of the rear axle along the street, metres, >= 0; ``position`` says where the drive itself is.
            index: number of the frame, from which the camera's noise is drawn; None = that of the drive at this time.

        Raises:
            SyntheticDriveError: the settings do not ask for ``ground``, or a value is outside its range.
        """
        if self._exact is None:
            raise SyntheticDriveError("a steered drive needs exact geometry; set ground=GroundSettings()")
        check_range("time_s", time_s, 0.0, 1e7)
        check_range("s", s, 0.0, 1e7)
        index = _checked_index(round(time_s * self.settings.fps) if index is None else index)
        return self._exact_frame(self._exact, index, float(time_s), float(s))

    def _draw(self, canvas: Canvas, camera: Camera, s: float, crowd: movers.Crowd) -> Scene:
        """The street, lit, as it reaches the lens."""
        look = self.look
        paint_sky(canvas, camera, look, self._sky, 0.5 + camera.bend * s)
        scene = Scene(canvas, camera, self.street, s, look.lamps)
        scene.draw(crowd, look.rain, look.sun)
        light_and_haze(canvas, look)
        if look.rain:
            reflect(canvas, camera, 0.3 * look.rain)
        for light in scene.lights:
            self._glow(canvas, light)
        return scene

    def _exact_frame(self, exact: ExactView, index: int, time_s: float, s: float) -> DriveFrame:
        settings = self.settings
        canvas, camera, place = exact.canvas(s)
        crowd = exact.lane.crowd(place, camera.near + 0.1, time_s, settings.kinds, settings.unknown_rate)
        scene = self._draw(canvas, camera, place, crowd)
        taken, ground = exact.take(canvas, settings.objects)
        return replace(self._finished(taken, scene, index, time_s), ground=ground)

    def _finished(self, canvas: Canvas, scene: Scene, index: int, time_s: float) -> DriveFrame:
        settings = self.settings
        sensor(canvas, self.look, settings.noise, np.random.default_rng([settings.seed, 8, index]))
        unknown = np.ascontiguousarray(canvas.truth[:, :, 2])
        labels = np.ascontiguousarray(canvas.truth[:, :, 0])
        kinds = _only_visible(unknown, scene.kinds)
        found = DriveFrame(canvas.image, labels, unknown, kinds, index, time_s, self.weather)
        return found if canvas.objects is None else replace(found, **_numbered(canvas.objects, scene.objects))

    def _glow(self, canvas: Canvas, lamp: Lamp) -> None:
        x, y = int(lamp.column), int(lamp.row)
        if (
            lamp.z > 0
            and 0 <= x < canvas.width
            and 0 <= y < canvas.height
            and canvas.truth[y, x, 1] > depth_code(lamp.z - 1.5) + 2
        ):
            return  # something nearer covers it
        strength = 0.5 if self.weather in ("rain", "fog") else 0.9
        glow(canvas, lamp.column, lamp.row, max(lamp.radius * 1.3, 2.0), tuple(c * strength for c in lamp.colour))


def _checked_index(index: object) -> int:
    if not isinstance(index, Integral) or isinstance(index, bool) or index < 0:
        raise SyntheticDriveError(f"frame index is {index!r}; expected an integer >= 0")
    return int(index)


def _only_visible(unknown: np.ndarray, kinds: list[str]) -> tuple[str, ...]:
    """Renumber the map in place, leaving out objects without visible pixels; returns the kinds of the others."""
    if not kinds:
        return ()
    seen = np.flatnonzero(np.bincount(unknown.ravel(), minlength=len(kinds) + 1)[1:]) + 1
    if len(seen) == len(kinds):
        return tuple(kinds)
    table = np.zeros(256, np.uint8)
    table[seen] = np.arange(1, len(seen) + 1)
    unknown[:] = table[unknown]
    return tuple(kinds[k - 1] for k in seen)


def _numbered(drawn: np.ndarray, objects: list[DriveObject]) -> dict[str, Any]:
    """The fields ``objects`` and ``object_table`` of a frame, of a map that numbers ``objects`` in order."""
    numbers = np.array([0, *(one.number for one in objects)], np.int64)
    seen = np.flatnonzero(np.bincount(drawn.ravel(), minlength=len(numbers))[1:])
    return {"objects": numbers[drawn], "object_table": {objects[k].number: objects[k] for k in seen}}


def training_sample(
    seed: int,
    size: tuple[int, int] = (384, 640),
    unknowns: tuple[str, ...] = (),
    unknown_rate: float = 1.5,
    weather: str | None = None,
    cameras: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """A single random picture: another street, place, time, weather and traffic for every seed.

    Args:
        seed: integer >= 0; the same seed gives the same sample, bit for bit.
        size: (height, width).
        unknowns: kinds of unknown objects that may appear; their pixels are 255. None = all kinds.
        unknown_rate: expected number of them.
        weather: one of ``WEATHERS``, or None to draw one.
        cameras: as in :class:`DriveSettings`.

    Returns:
        Image (H, W, 3) uint8 RGB and class ids (H, W) uint8, 255 = no class.

    Raises:
        SyntheticDriveError: as :class:`DriveSettings` does.
    """
    checked = DriveSettings(
        size=size, seed=seed, weather=weather, unknowns=unknowns, unknown_rate=unknown_rate, cameras=cameras
    )
    rng = np.random.default_rng([checked.seed, 9])
    settings = DriveSettings(
        size=size, seed=int(rng.integers(1 << 62)), weather=weather, unknowns=unknowns, unknown_rate=unknown_rate,
        noise=float(rng.uniform(0.2, 1.8)), traffic=float(rng.uniform(0.5, 1.5)), cameras=cameras,
    )  # fmt: skip
    frame = SyntheticDrive(settings).frame(int(rng.integers(0, 2000)))
    return frame.image, frame.labels
