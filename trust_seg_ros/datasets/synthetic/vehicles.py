"""Cars, vans and buses: a side profile drawn out to the width of the vehicle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trust_seg_ros.datasets.synthetic.camera import Camera, depth_code
from trust_seg_ros.datasets.synthetic.canvas import Canvas
from trust_seg_ros.datasets.synthetic.settings import CAR
from trust_seg_ros.datasets.synthetic.textures import fractal

# (metres from the rear, height) from the rear bumper over the roof to the front bumper, for the body and the cabin
_BODIES = {
    "hatch": (4.0, 1.72, [(0, 0.28), (0, 0.62), (0.1, 0.95), (2.8, 0.98), (3.75, 0.8), (4.0, 0.6), (4.0, 0.26)],
              [(0.1, 0.95), (0.5, 1.42), (0.8, 1.47), (1.95, 1.48), (2.8, 0.98)]),
    "saloon": (4.5, 1.78, [(0, 0.28), (0, 0.66), (0.1, 0.95), (0.75, 0.98), (3.2, 0.96), (4.25, 0.78), (4.5, 0.58), (4.5, 0.26)],
               [(0.75, 0.98), (1.35, 1.4), (1.6, 1.44), (2.45, 1.43), (3.2, 0.96)]),
    "estate": (4.6, 1.76, [(0, 0.28), (0, 0.7), (0.06, 0.95), (3.2, 0.98), (4.3, 0.8), (4.6, 0.6), (4.6, 0.26)],
               [(0.06, 0.95), (0.4, 1.44), (0.7, 1.5), (2.4, 1.48), (3.2, 0.98)]),
    "suv": (4.5, 1.86, [(0, 0.36), (0, 0.8), (0.06, 1.1), (3.1, 1.12), (4.2, 0.98), (4.5, 0.75), (4.5, 0.34)],
            [(0.06, 1.1), (0.25, 1.7), (0.5, 1.76), (2.4, 1.74), (3.1, 1.12)]),
    "van": (5.2, 2.0, [(0, 0.32), (0, 0.9), (0.02, 1.25), (4.0, 1.2), (4.9, 1.02), (5.2, 0.75), (5.2, 0.3)],
            [(0.02, 1.25), (0.06, 2.25), (0.25, 2.35), (3.2, 2.3), (4.0, 1.2)]),
    "bus": (10.5, 2.5, [(0, 0.32), (0, 0.9), (0.0, 1.25), (10.4, 1.25), (10.5, 0.95), (10.5, 0.3)],
            [(0.0, 1.25), (0.05, 2.8), (0.2, 2.95), (10.2, 2.95), (10.4, 1.25)]),
}  # fmt: skip
BODY_NAMES = tuple(_BODIES)
PAINTS = (
    (34, 36, 40), (58, 62, 68), (150, 154, 158), (186, 188, 190), (222, 222, 220), (120, 22, 26), (28, 46, 92), (24, 60, 48),
    (92, 96, 84), (48, 30, 30), (166, 150, 120), (80, 120, 160), (180, 50, 30), (20, 22, 26),
)  # fmt: skip


_GLASS = ((36.0, 41.0, 46.0), (50.0, 56.0, 62.0), (72.0, 80.0, 88.0))


@dataclass(frozen=True)
class Vehicle:
    """One vehicle on the street.

    Attributes:
        x: its middle, metres right of the centre line.
        s: its end nearest the start of the street, metres along it.
        body: one of ``BODY_NAMES``.
        paint: RGB.
        away: True when it heads the way the street runs.
        braking: rear lights lit.
    """

    x: float
    s: float
    body: str
    paint: tuple[float, float, float]
    away: bool
    braking: bool = False

    @property
    def length(self) -> float:
        """Length in metres."""
        return _BODIES[self.body][0]


class _Faces:
    """Faces collected in street coordinates and projected together."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float, float]] = []
        self.faces: list[tuple[int, tuple[float, ...], bool]] = []

    def add(self, points: list[tuple[float, float, float]], colour: tuple[float, ...], solid: bool = True) -> None:
        self.points.extend(points)
        self.faces.append((len(points), colour, solid))


def _shade(colour: tuple[float, ...], gain: float, add: float = 0.0) -> tuple[float, ...]:
    return tuple(min(250.0, c * gain + add) for c in colour)


def draw_vehicle(
    canvas: Canvas, camera: Camera, vehicle: Vehicle, s_camera: float, lit: bool
) -> list[tuple[float, ...]]:
    """Draw it; answers its lights as (x, y, z, red, green, blue) for the night's glow."""
    length, width, body, cabin = _BODIES[vehicle.body]
    z0 = vehicle.s - s_camera
    if z0 + length < camera.near + 0.4:
        return []
    flip = not vehicle.away
    along = [(length - a if flip else a, h) for a, h in (body[::-1] if flip else body)]
    top = [(length - a if flip else a, h) for a, h in (cabin[::-1] if flip else cabin)]
    faces = _Faces()
    half, belt, roof = width / 2, top[0][1], max(h for _, h in top)

    def at(side: float, a: float, h: float) -> tuple[float, float, float]:
        lean = 1 - 0.24 * max(0.0, h - belt) / max(roof - belt, 0.1) if vehicle.body not in ("bus", "van") else 1.0
        return vehicle.x + side * half * lean, h, max(z0 + a, camera.near)

    _ground_parts(faces, at, length)
    side = -1.0 if vehicle.x > camera.x else 1.0
    _ends(faces, at, along, top, vehicle, camera)
    _flank(faces, at, side, along, top, length, vehicle)
    _paint(canvas, camera, faces, z0)
    a0 = along[0][0]
    colour = (255.0, 244.0, 214.0) if flip else (255.0, 30.0, 20.0)
    return [(*at(sx * 0.72, a0, belt * 0.72), *colour) for sx in (-1, 1)] if lit or vehicle.braking else []


def _ground_parts(faces: _Faces, at, length: float) -> None:
    faces.add(
        [at(-1.12, -0.25, 0), at(1.12, -0.25, 0), at(1.12, length + 0.2, 0), at(-1.12, length + 0.2, 0)],
        (0, 0, 0),
        False,
    )
    faces.add([at(-0.95, 0.1, 0.34), at(0.95, 0.1, 0.34), at(0.95, 0.1, 0.12), at(-0.95, 0.1, 0.12)], (14, 14, 15))
    for sx in (-1, 1):
        inner, outer = sorted((sx * 0.7, sx * 0.98))
        faces.add(
            [at(inner, 0.35, 0.4), at(outer, 0.35, 0.4), at(outer, 0.35, 0.0), at(inner, 0.35, 0.0)], (20, 20, 22)
        )


def _ends(faces: _Faces, at, along, top, vehicle: Vehicle, camera: Camera) -> None:
    """The strips of the profile that face the camera, from the far end of the roof to the bumper."""
    strips = []
    for line, glassy in ((along, False), (top, True)):
        for (a, h), (b, g) in zip(line[:-1], line[1:], strict=True):
            steep = abs(g - h) / max(1e-3, np.hypot(b - a, g - h))
            strips.append((a, h, b, g, glassy, steep))
    paint = vehicle.paint
    for a, h, b, g, glassy, steep in sorted(strips, key=lambda p: -(p[0] + p[2])):
        middle = at(0, (a + b) / 2, (h + g) / 2)
        if (g - h) * middle[2] - (b - a) * (middle[1] - camera.height) * -1 <= 0 and not (g > h):
            continue
        tone = _shade(paint, 1.12 - 0.42 * steep, 8)
        quad = [at(-1, a, h), at(1, a, h), at(1, b, g), at(-1, b, g)]
        faces.add(quad, tone)
        if glassy and steep > 0.35 and abs(g - h) > 0.25:
            inset = [(-0.86, 0.1), (0.86, 0.1), (0.84, 0.9), (-0.84, 0.9)]
            points = [at(sx, a + (b - a) * t, h + (g - h) * t) for sx, t in inset]
            faces.add(points, _GLASS[0])
            for low, high, tone in ((0.42, 0.68, _GLASS[1]), (0.68, 0.9, _GLASS[2])):
                band = [(-0.855, low), (0.855, low), (0.845, high), (-0.845, high)]
                faces.add([at(sx, a + (b - a) * t, h + (g - h) * t) for sx, t in band], tone)
            for sx in (-0.45, 0.4):  # headrests
                head = [(sx - 0.14, 0.1), (sx + 0.14, 0.1), (sx + 0.1, 0.5), (sx - 0.1, 0.5)]
                faces.add([at(k, a + (b - a) * t, h + (g - h) * t) for k, t in head], (22, 24, 26))
    _end_details(faces, at, along, vehicle)


def _end_details(faces: _Faces, at, along, vehicle: Vehicle) -> None:
    (a, low), (_, high) = along[0], along[1]
    near = a - 0.02
    if vehicle.away:
        light = (214.0, 22.0, 20.0) if vehicle.braking else (150.0, 18.0, 22.0)
        plate = (214.0, 178.0, 40.0)
    else:
        light, plate = (226.0, 228.0, 226.0), (226.0, 226.0, 220.0)
    faces.add(
        [at(-0.96, near, low), at(0.96, near, low), at(0.96, near, low + 0.2), at(-0.96, near, low + 0.2)],
        _shade(vehicle.paint, 0.42, 12),
    )
    mid = low + 0.62 * (high - low)
    for sx in (-1, 1):
        inner, outer = sorted((sx * 0.62, sx * 0.95))
        faces.add(
            [at(inner, near, mid), at(outer, near, mid), at(outer, near, high + 0.14), at(inner, near, high + 0.1)],
            light,
        )
    faces.add(
        [
            at(-0.29, near, mid - 0.02),
            at(0.29, near, mid - 0.02),
            at(0.29, near, mid + 0.1),
            at(-0.29, near, mid + 0.1),
        ],
        plate,
    )
    if not vehicle.away:
        faces.add(
            [
                at(-0.5, near, mid + 0.12),
                at(0.5, near, mid + 0.12),
                at(0.5, near, high + 0.06),
                at(-0.5, near, high + 0.06),
            ],
            (30, 30, 32),
        )


def _flank(faces: _Faces, at, side: float, along, top, length: float, vehicle: Vehicle) -> None:
    paint = vehicle.paint
    faces.add([at(side, a, h) for a, h in along], _shade(paint, 0.9))
    low = min(h for _, h in along)
    faces.add(
        [
            at(side, 0.05, low),
            at(side, length - 0.05, low),
            at(side, length - 0.05, low + 0.2),
            at(side, 0.05, low + 0.2),
        ],
        _shade(paint, 0.6),
    )
    belt = top[0][1]
    faces.add(
        [
            at(side, 0.1, belt - 0.12),
            at(side, length * 0.75, belt - 0.12),
            at(side, length * 0.75, belt - 0.06),
            at(side, 0.1, belt - 0.06),
        ],
        _shade(paint, 1.12, 14),
    )
    faces.add([at(side, a, h) for a, h in top], _shade(paint, 0.84))
    middle = (sum(a for a, _ in top) / len(top), sum(h for _, h in top) / len(top))
    inner = [(middle[0] + (a - middle[0]) * 0.9, middle[1] + (h - middle[1]) * 0.78) for a, h in top]
    if vehicle.body != "van":
        faces.add([at(side, a, h) for a, h in inner], (34, 39, 44))
        a_mid, hs = middle[0], [h for _, h in inner]
        for shift in (-2.6, 0.0, 2.6) if vehicle.body == "bus" else (0.0,):
            a = a_mid + shift
            faces.add(
                [
                    at(side, a - 0.05, min(hs)),
                    at(side, a + 0.05, min(hs)),
                    at(side, a + 0.05, max(hs)),
                    at(side, a - 0.05, max(hs)),
                ],
                _shade(paint, 0.8),
            )
    radius = 0.32 if vehicle.body not in ("bus", "van") else 0.4
    for a in (0.78, length - 0.85):
        for r, tone in (
            (radius + 0.07, (16, 16, 17)),
            (radius, (26, 26, 28)),
            (radius * 0.6, (128, 130, 132)),
            (radius * 0.3, (70, 70, 72)),
        ):
            ring = [at(side * 1.01, a + r * c, max(radius + r * s, 0.0)) for c, s in _CIRCLE]
            faces.add(ring, tone)


_CIRCLE = [(float(np.cos(t)), float(np.sin(t))) for t in np.linspace(0, 2 * np.pi, 14, endpoint=False)]


def _paint(canvas: Canvas, camera: Camera, faces: _Faces, z: float) -> None:
    pixels = camera.project(np.array(faces.points, np.float64))
    left, right = pixels[:, 0].min(), pixels[:, 0].max()
    if right < 0 or left >= canvas.width:
        return
    code, start = depth_code(max(z, 0.5)), 0
    for count, colour, solid in faces.faces:
        part = pixels[start : start + count]
        start += count
        if solid:
            canvas.polygon(part, colour, (CAR, code, 0))
        else:
            canvas.shadow(part, 0.42)
    box = (left, pixels[:, 1].min(), right, pixels[:, 1].max())
    if right - left > 16:
        canvas.shine_on(gloss(int(sum(faces.faces[-1][1]) + abs(z)) % 6), box, (CAR, code))


@lru_cache(maxsize=None)
def gloss(variant: int) -> np.ndarray:
    """What paint and glass mirror, as brightness around 128, (96, 128) uint8."""
    rng = np.random.default_rng([51, variant])
    soft = 15 * fractal(96, 128, 32, 3, rng) + 3 * fractal(96, 128, 4, 1, rng)
    return np.clip(128 + soft + 14 * np.linspace(1, -1.2, 96)[:, None], 60, 200).astype(np.uint8)
