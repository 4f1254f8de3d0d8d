"""Cars, vans and buses in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from trust_seg_ros.synthetic.camera import Camera, depth_code
from trust_seg_ros.synthetic.canvas import Canvas
from trust_seg_ros.synthetic.settings import CAR
from trust_seg_ros.synthetic.textures import fractal
from trust_seg_ros.synthetic.vehicle_mesh import BODIES, LAMP, SHADOW, STRIP, Paint, Tone, mesh

BODY_NAMES = tuple(BODIES)
PAINTS = (
    (34, 36, 40), (58, 62, 68), (150, 154, 158), (186, 188, 190), (222, 222, 220), (120, 22, 26), (28, 46, 92),
    (24, 60, 48), (92, 96, 84), (48, 30, 30), (166, 150, 120), (80, 120, 160), (180, 50, 30), (20, 22, 26),
)  # fmt: skip
FINE_PX = 36.0


@dataclass(frozen=True)
class Vehicle:
    """One vehicle on the street.

    Attributes:
        x: position of its middle, metres right of the centre line.
        s: position of the end nearest the start of the street, metres along the street.
        body: one of ``BODY_NAMES``.
        paint: RGB.
        away: True if it drives in the direction of the street.
        braking: True if the rear lights are lit.
        number: what it keeps over the drive, see ``identities``; 0 = numbered by what holds it.
    """

    x: float
    s: float
    body: str
    paint: tuple[float, float, float]
    away: bool
    braking: bool = False
    number: int = 0

    @property
    def length(self) -> float:
        """Length in metres."""
        return BODIES[self.body][0]


@dataclass(frozen=True)
class Lamp:
    """A light in view: pixel, radius in pixels, distance in metres (negative: never hidden), RGB."""

    column: float
    row: float
    radius: float
    z: float
    colour: tuple[float, float, float]


def draw_vehicle(canvas: Canvas, camera: Camera, vehicle: Vehicle, s_camera: float, lit: bool) -> list[Lamp]:
    """Draw it; returns its burning lamps."""
    z0 = vehicle.s - s_camera
    if z0 + vehicle.length < camera.near + 0.4:
        return []
    nearest = max(z0, camera.near)
    shape = mesh(vehicle.body, vehicle.away, -1.0 if vehicle.x > camera.x else 1.0, camera.focal / nearest > FINE_PX)
    points = shape.points + np.array([vehicle.x, 0.0, z0])
    np.maximum(points[:, 2], camera.near, out=points[:, 2])
    pixels = camera.project(points)
    (left, top), (right, bottom) = pixels.min(0), pixels.max(0)
    if right < 0 or left >= canvas.width:
        return []
    code = depth_code(nearest)
    surface = canvas.survey.faces(points, shape.planes, shape.spans) if canvas.survey is not None else 0
    for k, face in enumerate(shape.faces):
        if canvas.survey is not None:
            canvas.survey.number = surface + k
        part = pixels[face.start : face.stop]
        if face.kind == SHADOW:
            canvas.shadow(part, 0.42)
        elif face.kind != STRIP or part[0, 1] > part[2, 1]:
            canvas.polygon(part, _colour(face.tone, vehicle), (CAR, code, 0))
    if right - left > 16:
        canvas.shine_on(gloss(int(vehicle.s) % 6), (left, top, right, bottom), (CAR, code))
    if not (lit or (vehicle.braking and vehicle.away)) or z0 < camera.near:
        return []
    lamps = camera.project(shape.lamps + np.array([vehicle.x, 0.0, z0]))
    glow = (255.0, 30.0, 20.0) if vehicle.away else (255.0, 244.0, 214.0)
    return [Lamp(float(u), float(v), 0.55 * camera.focal / z0, z0, glow) for u, v in lamps]


def _colour(tone: Tone, vehicle: Vehicle) -> tuple[float, ...]:
    if tone is LAMP:
        if not vehicle.away:
            return 226.0, 228.0, 226.0
        return (214.0, 22.0, 20.0) if vehicle.braking else (150.0, 18.0, 22.0)
    if isinstance(tone, Paint):
        return tuple(min(250.0, c * tone.gain + tone.add) for c in vehicle.paint)
    return tone


@cache
def gloss(variant: int) -> np.ndarray:
    """Reflections on paint and glass as brightness around 128, (96, 128) uint8."""
    rng = np.random.default_rng([51, variant])
    soft = 15 * fractal(96, 128, 32, 3, rng) + 3 * fractal(96, 128, 4, 1, rng)
    return np.clip(128 + soft + 14 * np.linspace(1, -1.2, 96)[:, None], 60, 200).astype(np.uint8)
