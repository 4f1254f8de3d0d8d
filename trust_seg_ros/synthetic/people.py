"""People on foot and on bicycles, signs and traffic lights, as cut-outs."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import cv2
import numpy as np

from trust_seg_ros.synthetic.canvas import Sprite, make_sprite

PEOPLE, STEPS, CYCLISTS, SIGNS = 16, 6, 8, 12
PM = 110.0
_SKIN = ((214, 172, 142), (176, 128, 96), (112, 76, 56), (228, 190, 164))
_HAIR = ((40, 30, 24), (92, 66, 40), (150, 130, 90), (70, 70, 72), (24, 22, 22))
_CLOTH = (
    (40, 44, 56), (30, 30, 32), (120, 36, 40), (52, 70, 110), (90, 92, 96), (170, 160, 140), (60, 84, 62),
    (196, 196, 192), (150, 110, 60), (96, 60, 100), (210, 220, 60), (70, 56, 46),
)  # fmt: skip


class Figure:
    """Draws body parts in metres (x right, y up from the feet); soft shading is added at the end."""

    def __init__(self, width_m: float, height_m: float, per_metre: float = PM) -> None:
        self.pm = per_metre
        self.h, self.w = int(height_m * per_metre), int(width_m * per_metre)
        self.colour = np.zeros((self.h, self.w, 3), np.uint8)
        self.alpha = np.zeros((self.h, self.w), np.uint8)

    def at(self, x: float, y: float) -> tuple[int, int]:
        """Fixed-point pixel of a point in metres."""
        return round((self.w / 2 + x * self.pm) * 16), round((self.h - y * self.pm) * 16)

    def limb(self, points: list[tuple[float, float]], width: float, colour: tuple[float, ...]) -> None:
        """A bent limb of constant width in metres."""
        for a, b in pairwise(points):
            for target, value in ((self.colour, colour), (self.alpha, 255)):
                cv2.line(target, self.at(*a), self.at(*b), value, max(1, round(width * self.pm)), cv2.LINE_AA, 4)

    def shape(self, points: list[tuple[float, float]], colour: tuple[float, ...]) -> None:
        """A filled polygon."""
        fixed = np.array([self.at(*p) for p in points], np.int32)
        cv2.fillPoly(self.colour, [fixed], colour, cv2.LINE_AA, 4)
        cv2.fillPoly(self.alpha, [fixed], 255, cv2.LINE_AA, 4)

    def oval(
        self, x: float, y: float, rx: float, ry: float, colour: tuple[float, ...], turn: float = 0.0, thick: float = 0.0
    ) -> None:
        """A filled ellipse, or a ring ``thick`` metres wide."""
        axes = (round(rx * self.pm * 16), round(ry * self.pm * 16))
        line = max(1, round(thick * self.pm)) if thick else -1
        for target, value in ((self.colour, colour), (self.alpha, 255)):
            cv2.ellipse(target, self.at(x, y), axes, turn, 0, 360, value, line, cv2.LINE_AA, 4)

    def finish(self, rng: np.random.Generator, rough: float = 0.1) -> Sprite:
        """The sprite, lit from above left, with cloth or fur noise."""
        solid = cv2.GaussianBlur(self.alpha, (0, 0), max(1.0, 0.035 * self.pm)).astype(np.float32) / 255
        slope = cv2.Sobel(solid, cv2.CV_32F, 1, 0, ksize=5) + cv2.Sobel(solid, cv2.CV_32F, 0, 1, ksize=5)
        light = 1 + 0.16 * np.clip(slope, -2.0, 2.0) - 0.18 * np.linspace(0, 1, self.h, dtype=np.float32)[:, None]
        coarse = cv2.resize(rng.standard_normal((self.h // 8 + 1, self.w // 8 + 1), np.float32), (self.w, self.h))
        fine = rng.standard_normal((self.h, self.w), np.float32)
        light *= 1 + rough * (0.7 * coarse + 0.5 * fine)
        shaded = np.clip(self.colour * light[..., None], 0, 255).astype(np.uint8)
        return make_sprite(shaded, self.alpha, self.pm)


def _pick(rng: np.random.Generator, table: tuple[tuple[int, ...], ...]) -> tuple[float, ...]:
    colour = np.array(table[rng.integers(len(table))], np.float64) * rng.uniform(0.75, 1.2) + rng.normal(0, 5, 3)
    return tuple(float(v) for v in np.clip(colour, 8, 245))


@cache
def person(variant: int, step: int) -> Sprite:
    """A pedestrian 1.3 to 1.9 metres tall at one of ``STEPS`` moments of a stride."""
    rng = np.random.default_rng([31, variant])
    tall = float(rng.uniform(1.55, 1.9)) if variant % 6 else 1.25
    f, k = Figure(1.3, tall + 0.12), tall / 1.75
    coat, legs, skin, hair = _pick(rng, _CLOTH), _pick(rng, _CLOTH[:7]), _pick(rng, _SKIN), _pick(rng, _HAIR)
    shoes, long_coat, bag = (28.0, 26.0, 26.0), rng.random() < 0.35, rng.random() < 0.4
    bulk = float(rng.uniform(0.85, 1.25))
    side = 0.24 * np.sin(2 * np.pi * step / STEPS)
    far = tuple(0.72 * c for c in legs)
    for sign, colour in ((-1, far), (1, legs)):
        foot = sign * side * k
        knee = (foot * 0.45 + 0.03, 0.47 * k)
        lift = 0.05 * max(0.0, sign * np.cos(2 * np.pi * step / STEPS))
        f.limb([(0, 0.88 * k), knee, (foot - 0.02, 0.08 + lift)], 0.135 * k * bulk, colour)
        f.limb([(foot - 0.04, 0.05 + lift), (foot + 0.1, 0.04 + lift)], 0.08, shoes)
    f.limb([(0, 1.38 * k), (side * 0.7 - 0.05, 1.1 * k), (side * 1.1, 0.86 * k)], 0.1 * k, tuple(0.7 * c for c in coat))
    low, half = (0.62 if long_coat else 0.84) * k, 0.17 * k * bulk
    flank = [(half * 0.95, low), (half, 1.15 * k), (half * 0.95, 1.4 * k), (0.05, 1.47 * k)]
    f.shape(flank + [(-x, y) for x, y in reversed(flank)], coat)
    f.limb(
        [(0.0, 1.36 * k), (-side * 0.7 - 0.02, 1.08 * k), (-side * 1.1 + 0.05, 0.86 * k)],
        0.1 * k,
        tuple(0.9 * c for c in coat),
    )
    f.oval(-side * 1.1 + 0.06, 0.82 * k, 0.045, 0.05, skin)
    if bag:
        f.shape(
            [(-half - 0.12, 0.9 * k), (-half + 0.04, 0.9 * k), (-half + 0.04, 1.2 * k), (-half - 0.1, 1.2 * k)],
            _pick(rng, _CLOTH),
        )
    f.limb([(0.0, 1.42 * k), (0.0, 1.52 * k)], 0.1 * k, skin)
    f.oval(0.015, 1.62 * k, 0.092 * k, 0.12 * k, skin)
    f.oval(-0.02, 1.665 * k, 0.1 * k, 0.09 * k, hair)
    return f.finish(rng)


@cache
def cyclist(variant: int, view: int) -> Sprite:
    """A cyclist, bicycle included: ``view`` 0 from behind or in front, 1 from the side."""
    rng = np.random.default_rng([32, variant])
    coat, legs, skin, helmet = _pick(rng, _CLOTH), _pick(rng, _CLOTH[:7]), _pick(rng, _SKIN), _pick(rng, _CLOTH + _HAIR)
    frame = _pick(rng, _CLOTH)
    if view == 0:
        f = Figure(1.0, 1.85)
        f.limb([(0, 0.03), (0, 0.68)], 0.055, (24, 24, 26))
        f.limb([(-0.09, 0.5), (0.09, 0.62)], 0.04, frame)
        for sx, foot in ((-1, 0.18), (1, 0.36)):
            f.limb([(sx * 0.09, 0.95), (sx * 0.15, 0.3 + foot), (sx * 0.11, foot)], 0.14, legs)
            f.limb([(sx * 0.11, foot), (sx * 0.12, foot - 0.06)], 0.1, (26, 26, 28))
            f.limb([(sx * 0.2, 1.38), (sx * 0.28, 1.12), (sx * 0.25, 1.0)], 0.1, coat)
        f.shape([(-0.17, 0.9), (0.17, 0.9), (0.23, 1.38), (0.12, 1.48), (-0.12, 1.48), (-0.23, 1.38)], coat)
        if variant % 2:
            f.shape([(-0.19, 1.12), (0.19, 1.12), (0.2, 1.2), (-0.2, 1.2)], (210, 214, 190))
        f.oval(0, 1.6, 0.095, 0.12, skin)
        f.oval(0, 1.66, 0.11, 0.09, helmet)
        return f.finish(rng)
    f = Figure(1.95, 1.85)
    for x in (-0.52, 0.52):
        f.oval(x, 0.34, 0.32, 0.32, (26, 26, 28), thick=0.04)
        f.oval(x, 0.34, 0.05, 0.05, (120, 120, 124))
        for a in np.linspace(0, np.pi, 5)[:-1]:
            dx, dy = 0.3 * np.cos(a), 0.3 * np.sin(a)
            f.limb([(x - dx, 0.34 - dy), (x + dx, 0.34 + dy)], 0.009, (130, 130, 132))
    f.limb([(-0.52, 0.34), (-0.08, 0.32), (-0.2, 0.86), (-0.52, 0.34)], 0.035, frame)
    f.limb([(-0.08, 0.32), (0.36, 0.82), (-0.18, 0.76)], 0.035, frame)
    f.limb([(0.52, 0.34), (0.34, 0.98), (0.42, 1.02)], 0.035, frame)
    f.limb([(-0.28, 0.9), (-0.08, 0.9)], 0.06, (30, 30, 32))
    for knee, (heel, low), shade in (((0.2, 0.72), (-0.02, 0.28), 0.7), ((0.24, 0.82), (0.04, 0.5), 1.0)):
        f.limb([(-0.16, 0.94), knee, (heel, low), (heel + 0.12, low - 0.02)], 0.12, tuple(shade * c for c in legs))
    f.shape([(-0.3, 0.9), (-0.02, 0.92), (0.24, 1.3), (0.18, 1.46), (0.0, 1.46), (-0.2, 1.25)], coat)
    f.limb([(0.14, 1.36), (0.26, 1.12), (0.42, 1.03)], 0.09, tuple(0.85 * c for c in coat))
    f.oval(0.22, 1.58, 0.1, 0.12, skin)
    f.oval(0.2, 1.64, 0.125, 0.09, helmet)
    return f.finish(rng)


_RED, _WHITE, _BLUE, _INK = (186.0, 26.0, 32.0), (236.0, 236.0, 232.0), (24.0, 70.0, 160.0), (24.0, 24.0, 26.0)


@cache
def sign(variant: int) -> Sprite:
    """The plate of a traffic sign, a board, or the head of a traffic light; its foot is the lower edge."""
    rng = np.random.default_rng([33, variant])
    style = variant % 6
    if style == 0:
        f = Figure(0.75, 0.75, 90)
        f.oval(0, 0.375, 0.36, 0.36, _RED)
        f.oval(0, 0.375, 0.26, 0.26, _WHITE)
        f.limb([(-0.1, 0.25), (-0.1, 0.5)], 0.06, _INK)
        f.oval(0.07, 0.375, 0.06, 0.11, _INK, thick=0.05)
    elif style == 1:
        f = Figure(0.85, 0.78, 90)
        f.shape([(-0.41, 0.02), (0.41, 0.02), (0, 0.75)], _RED)
        f.shape([(-0.26, 0.11), (0.26, 0.11), (0, 0.57)], _WHITE)
        f.limb([(0, 0.17), (0, 0.4)], 0.05, _INK)
    elif style == 2:
        f = Figure(0.7, 0.7, 90)
        f.oval(0, 0.35, 0.34, 0.34, _BLUE)
        f.limb([(-0.16, 0.2), (0.14, 0.5)], 0.07, _WHITE)
    elif style == 3:
        f = _traffic_light(int(rng.integers(3)))
    else:
        f = _board(rng)
    return f.finish(rng, rough=0.03)


def _rect(f: Figure, x: float, low: float, high: float, colour: tuple[float, ...]) -> None:
    f.shape([(-x, low), (x, low), (x, high), (-x, high)], colour)


def _traffic_light(lit: int) -> Figure:
    f = Figure(0.42, 1.05, 90)
    _rect(f, 0.18, 0.02, 1.03, (22.0, 24.0, 24.0))
    for k, on in enumerate(((240.0, 40.0, 30.0), (245.0, 170.0, 30.0), (40.0, 235.0, 120.0))):
        f.oval(0, 0.86 - 0.33 * k, 0.11, 0.11, on if k == lit else (44.0, 44.0, 42.0))
    return f


def _board(rng: np.random.Generator) -> Figure:
    wide, tall = float(rng.uniform(0.6, 1.7)), float(rng.uniform(0.4, 1.0))
    f = Figure(wide + 0.05, tall + 0.05, 90)
    ground = (_BLUE, (20.0, 96.0, 60.0), _WHITE, (220.0, 180.0, 30.0))[int(rng.integers(4))]
    text = _INK if sum(ground) > 380 else _WHITE
    _rect(f, wide / 2, 0.02, tall, text)
    _rect(f, wide / 2 - 0.03, 0.05, tall - 0.03, ground)
    for y in np.arange(0.16, tall - 0.08, 0.17):
        f.limb([(-0.4 * wide, float(y)), (float(rng.uniform(-0.1, 0.4)) * wide, float(y))], 0.055, text)
    return f
