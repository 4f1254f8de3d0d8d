"""The shape of a vehicle: its side profile extruded to its width, as faces to fill from far to near."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

import numpy as np

# (metres from the rear, height) from the rear bumper over the roof to the front bumper, for the body and the cabin
BODIES = {
    "hatch": (4.0, 1.72, [(0, 0.28), (0, 0.62), (0.1, 0.95), (2.8, 0.98), (3.75, 0.8), (4.0, 0.6), (4.0, 0.26)],
              [(0.1, 0.95), (0.5, 1.42), (0.8, 1.47), (1.95, 1.48), (2.8, 0.98)]),
    "saloon": (4.5, 1.78,
               [(0, 0.28), (0, 0.66), (0.1, 0.95), (0.75, 0.98), (3.2, 0.96), (4.25, 0.78), (4.5, 0.58), (4.5, 0.26)],
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

_GLASS = ((36.0, 41.0, 46.0), (50.0, 56.0, 62.0), (72.0, 80.0, 88.0))
_TURN = np.linspace(0, 2 * np.pi, 14, endpoint=False)
_CIRCLE = [(float(np.cos(t)), float(np.sin(t))) for t in _TURN]
_TALL = ("bus", "van")
SHADOW, PLAIN, STRIP = 0, 1, 2


@dataclass(frozen=True)
class Paint:
    """A colour: the vehicle's paint times ``gain`` plus ``add``."""

    gain: float
    add: float = 0.0


LAMP = Paint(-1.0)
"""The colour of the lamps on its visible end."""

Tone = tuple[float, float, float] | Paint
Line = list[tuple[float, float]]


@dataclass(frozen=True)
class Face:
    """Corners ``start`` to ``stop`` of the mesh; a STRIP is visible only from above, a SHADOW only darkens."""

    start: int
    stop: int
    tone: Tone
    kind: int


@dataclass(frozen=True)
class Mesh:
    """Faces in painting order over ``points`` (N, 3): right of its middle, height, from its near end, metres."""

    points: np.ndarray
    faces: tuple[Face, ...]
    lamps: np.ndarray

    @cached_property
    def planes(self) -> np.ndarray:
        """(n, 3) indices of three points of each face, not in a line."""
        starts = np.array([face.start for face in self.faces])
        counts = np.array([face.stop - face.start for face in self.faces])
        return np.stack([starts, starts + np.maximum(counts // 3, 1), starts + np.maximum(2 * counts // 3, 2)], axis=1)

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First and end index of the points of each face."""
        return tuple((face.start, face.stop) for face in self.faces)


class _Builder:
    def __init__(self, body: str) -> None:
        self.length, width, _, cabin = BODIES[body]
        self.half, self.belt, self.roof = width / 2, cabin[0][1], max(h for _, h in cabin)
        self.lean = 0.0 if body in _TALL else 0.24
        self.points: list[tuple[float, float, float]] = []
        self.faces: list[Face] = []

    def at(self, side: float, a: float, h: float) -> tuple[float, float, float]:
        lean = 1 - self.lean * max(0.0, h - self.belt) / max(self.roof - self.belt, 0.1)
        return side * self.half * lean, h, a

    def add(self, corners: list[tuple[float, float, float]], tone: Tone, kind: int = PLAIN) -> None:
        """Corners as (side, along, height), side -1 to 1 across the vehicle."""
        start = len(self.points)
        self.points.extend(self.at(*corner) for corner in corners)
        self.faces.append(Face(start, len(self.points), tone, kind))

    def rect(self, left: float, right: float, a: float, low: float, high: float, tone: Tone) -> None:
        """An upright rectangle across the vehicle."""
        self.add([(left, a, low), (right, a, low), (right, a, high), (left, a, high)], tone)

    def panel(self, side: float, a: float, b: float, low: float, high: float, tone: Tone) -> None:
        """An upright rectangle along the vehicle."""
        self.add([(side, a, low), (side, b, low), (side, b, high), (side, a, high)], tone)


@cache
def mesh(body: str, away: bool, side: float, fine: bool) -> Mesh:
    """Mesh of ``body`` from behind (``away``) or in front, with its flank ``side`` (-1, 1); coarse unless ``fine``."""
    build = _Builder(body)
    length, _, line, cabin = BODIES[body]
    if not away:
        line = [(length - a, h) for a, h in line[::-1]]
        cabin = [(length - a, h) for a, h in cabin[::-1]]
    build.add(
        [(-1.12, -0.25, 0), (1.12, -0.25, 0), (1.12, length + 0.2, 0), (-1.12, length + 0.2, 0)], Paint(0), SHADOW
    )
    build.rect(-0.95, 0.95, 0.1, 0.12, 0.34, (14.0, 14.0, 15.0))
    for sx in (-1, 1):
        inner, outer = sorted((sx * 0.7, sx * 0.98))
        build.rect(inner, outer, 0.35, 0.0, 0.4, (20.0, 20.0, 22.0))
    _strips(build, line, cabin, fine)
    _end(build, line, away)
    _flank(build, side, line, cabin, body, fine)
    lamps = [build.at(sx * 0.72, line[0][0], build.belt * 0.72) for sx in (-1, 1)]
    return Mesh(np.array(build.points), tuple(build.faces), np.array(lamps))


def _strips(build: _Builder, line: Line, cabin: Line, fine: bool) -> None:
    """The strips across the vehicle, from the farthest to the nearest."""
    strips = [(a, b, False) for a, b in pairwise(line)] + [(a, b, True) for a, b in pairwise(cabin)]
    for (a, h), (b, g), glassy in sorted(strips, key=lambda strip: -(strip[0][0] + strip[1][0])):
        steep = abs(g - h) / max(1e-3, float(np.hypot(b - a, g - h)))
        build.add([(-1, a, h), (1, a, h), (1, b, g), (-1, b, g)], Paint(1.12 - 0.42 * steep, 8), STRIP)
        if not (glassy and steep > 0.35 and abs(g - h) > 0.25):
            continue
        parts = [(-0.86, 0.86, 0.1, 0.9, _GLASS[0])]
        if fine:
            parts += [(-0.855, 0.855, 0.42, 0.68, _GLASS[1]), (-0.845, 0.845, 0.68, 0.9, _GLASS[2])]
            parts += [(sx - 0.13, sx + 0.13, 0.1, 0.5, (22.0, 24.0, 26.0)) for sx in (-0.45, 0.4)]
        for left, right, low, high, tone in parts:
            rows = [(a + (b - a) * t, h + (g - h) * t) for t in (low, high)]
            build.add([(left, *rows[0]), (right, *rows[0]), (right, *rows[1]), (left, *rows[1])], tone, STRIP)


def _end(build: _Builder, line: Line, away: bool) -> None:
    """Bumper, lamps, plate and grille of the near end."""
    (a, low), (_, high) = line[0], line[1]
    near, mid = a - 0.02, low + 0.62 * (high - low)
    build.rect(-0.96, 0.96, near, low, low + 0.2, Paint(0.42, 12))
    for sx in (-1, 1):
        inner, outer = sorted((sx * 0.62, sx * 0.95))
        build.rect(inner, outer, near, mid, high + 0.12, LAMP)
    plate = (214.0, 178.0, 40.0) if away else (226.0, 226.0, 220.0)
    build.rect(-0.29, 0.29, near, mid - 0.02, mid + 0.1, plate)
    if not away:
        build.rect(-0.5, 0.5, near, mid + 0.12, high + 0.06, (30.0, 30.0, 32.0))


def _flank(build: _Builder, side: float, line: Line, cabin: Line, body: str, fine: bool) -> None:
    length, belt, low = build.length, build.belt, min(h for _, h in line)
    build.add([(side, a, h) for a, h in line], Paint(0.9))
    build.panel(side, 0.05, length - 0.05, low, low + 0.2, Paint(0.6))
    build.panel(side, 0.1, length * 0.75, belt - 0.12, belt - 0.06, Paint(1.12, 14))
    build.add([(side, a, h) for a, h in cabin], Paint(0.84))
    middle, height = sum(a for a, _ in cabin) / len(cabin), sum(h for _, h in cabin) / len(cabin)
    inner = [(middle + (a - middle) * 0.9, height + (h - height) * 0.78) for a, h in cabin]
    if body != "van":
        build.add([(side, a, h) for a, h in inner], (34.0, 39.0, 44.0))
        bottom, top = min(h for _, h in inner), max(h for _, h in inner)
        for shift in (-2.6, 0.0, 2.6) if body == "bus" else (0.0,):
            build.panel(side, middle + shift - 0.05, middle + shift + 0.05, bottom, top, Paint(0.8))
    if fine and body not in _TALL:
        for a in (middle, middle + 0.95):  # the gaps of the doors
            build.panel(side, a - 0.012, a + 0.012, low + 0.2, belt, Paint(0.5))
        mirror = length * (0.68 if cabin[0][0] < length - cabin[-1][0] else 0.32)
        build.panel(side * 1.1, mirror - 0.1, mirror + 0.1, belt, belt + 0.14, Paint(0.7))
    radius = 0.4 if body in _TALL else 0.32
    rings = [(0.07, 1.0, (16.0, 16.0, 17.0)), (0.0, 0.6, (122.0, 124.0, 126.0)), (0.0, 0.3, (70.0, 70.0, 72.0))]
    if fine:
        rings.insert(1, (0.0, 1.0, (28.0, 28.0, 30.0)))
    for a in (0.78, length - 0.85):
        for add, scale, tone in rings if fine else rings[:2]:
            r = radius * scale + add
            build.add([(side * 1.01, a + r * c, max(radius + r * s, 0.0)) for c, s in _CIRCLE], tone)
