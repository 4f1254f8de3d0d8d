"""Objects on the street that belong to no class: animals, lost load, junk."""

from __future__ import annotations

from functools import cache

import numpy as np

from trust_seg_ros.synthetic.canvas import Sprite
from trust_seg_ros.synthetic.people import Figure

VARIANTS = 5
ANIMALS = ("deer", "cow", "dog", "sheep")
Colour = tuple[float, ...]


@cache
def unknown(kind: str, variant: int) -> Sprite:
    """The sprite of one of ``UNKNOWN_KINDS`` in one of ``VARIANTS`` looks."""
    seed = int.from_bytes(kind.encode()[:8], "little")
    rng = np.random.default_rng([41, seed, variant])
    return _DRAW[kind](rng)


def _vary(rng: np.random.Generator, colour: Colour, spread: float = 0.25) -> Colour:
    gain = rng.uniform(1 - spread, 1 + spread)
    return tuple(float(np.clip(c * gain + rng.normal(0, 6), 6, 248)) for c in colour)


def _dark(colour: Colour, gain: float = 0.65) -> Colour:
    return tuple(c * gain for c in colour)


def _deer(rng: np.random.Generator) -> Sprite:
    f, coat = Figure(2.1, 1.85, 90), _vary(rng, (142, 98, 62))
    for x, far in ((-0.48, 1), (0.36, 1), (-0.58, 0), (0.46, 0)):
        tone = _dark(coat, 0.55) if far else _dark(coat, 0.85)
        bend = float(rng.uniform(-0.08, 0.08))
        f.limb([(x, 0.8), (x + bend, 0.45), (x - bend * 0.3, 0.03)], 0.075, tone)
    f.oval(-0.05, 0.88, 0.62, 0.25, coat)
    f.oval(-0.5, 0.9, 0.2, 0.22, coat)
    f.oval(-0.67, 0.95, 0.06, 0.1, (220.0, 212.0, 196.0))
    f.shape([(0.3, 0.75), (0.6, 0.95), (0.82, 1.35), (0.66, 1.42), (0.4, 1.12)], coat)
    f.shape([(0.62, 1.42), (0.78, 1.46), (1.02, 1.3), (1.0, 1.22), (0.74, 1.24)], coat)
    f.oval(0.62, 1.47, 0.1, 0.04, _dark(coat), 30)
    if rng.random() < 0.6:
        for lean in (-0.16, 0.1):
            f.limb([(0.7, 1.45), (0.7 + lean, 1.65), (0.72 + lean * 1.6, 1.82)], 0.03, (92.0, 74.0, 54.0))
            f.limb([(0.7 + lean, 1.65), (0.84 + lean, 1.74)], 0.025, (92.0, 74.0, 54.0))
    f.oval(-0.05, 0.72, 0.45, 0.06, (190.0, 170.0, 142.0))
    return f.finish(rng, 0.12)


def _cow(rng: np.random.Generator) -> Sprite:
    f, coat = Figure(2.7, 1.6, 90), _vary(rng, ((226, 220, 208), (96, 58, 36), (44, 40, 38))[int(rng.integers(3))])
    patch = (30.0, 28.0, 28.0) if sum(coat) > 500 else _dark(coat, 0.7)
    for x, far in ((-0.7, 1), (0.5, 1), (-0.84, 0), (0.62, 0)):
        f.limb([(x, 0.75), (x + 0.02, 0.4), (x, 0.04)], 0.15, _dark(coat, 0.55 if far else 0.85))
    f.shape(
        [(-0.95, 0.7), (-1.0, 1.2), (-0.85, 1.36), (0.5, 1.36), (0.85, 1.3), (0.85, 0.75), (0.4, 0.58), (-0.5, 0.58)],
        coat,
    )
    for _ in range(4):
        f.oval(
            float(rng.uniform(-0.7, 0.5)),
            float(rng.uniform(0.8, 1.2)),
            float(rng.uniform(0.08, 0.26)),
            float(rng.uniform(0.08, 0.16)),
            patch,
        )
    f.shape([(0.75, 1.32), (1.1, 1.38), (1.33, 1.1), (1.25, 0.96), (1.05, 1.0), (0.8, 0.9)], _dark(coat, 0.9))
    f.oval(1.27, 1.04, 0.09, 0.1, (196.0, 150.0, 140.0))
    f.oval(0.98, 1.38, 0.12, 0.05, patch, -20)
    f.limb([(-0.98, 1.25), (-1.1, 0.9), (-1.08, 0.55)], 0.05, _dark(coat))
    return f.finish(rng, 0.08)


def _dog(rng: np.random.Generator) -> Sprite:
    coats = ((58, 44, 34), (186, 150, 98), (30, 28, 28), (206, 200, 188), (130, 84, 48))
    f, coat = Figure(1.25, 0.85, 150), _vary(rng, coats[int(rng.integers(5))])
    for x, far in ((-0.26, 1), (0.2, 1), (-0.34, 0), (0.27, 0)):
        f.limb([(x, 0.4), (x - 0.03, 0.22), (x + 0.02, 0.03)], 0.075, _dark(coat, 0.6 if far else 0.9))
    f.oval(-0.03, 0.45, 0.38, 0.15, coat)
    f.shape([(0.2, 0.4), (0.34, 0.5), (0.44, 0.7), (0.28, 0.74), (0.1, 0.55)], coat)
    f.oval(0.4, 0.7, 0.12, 0.1, coat)
    f.shape([(0.42, 0.74), (0.6, 0.68), (0.6, 0.62), (0.42, 0.6)], _dark(coat, 0.85))
    f.oval(0.32, 0.72, 0.05, 0.1, _dark(coat, 0.6), 15)
    f.limb([(-0.38, 0.5), (-0.5, 0.6), (-0.56, 0.72)], 0.05, coat)
    return f.finish(rng, 0.14)


def _sheep(rng: np.random.Generator) -> Sprite:
    f, wool = Figure(1.5, 1.05, 120), _vary(rng, (214, 206, 188), 0.15)
    for x in (-0.34, 0.28, -0.26, 0.36):
        f.limb([(x, 0.4), (x, 0.03)], 0.07, (48.0, 44.0, 42.0))
    for _ in range(42):
        a, r = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        f.oval(
            float(0.46 * r * np.cos(a)),
            float(0.62 + 0.2 * r * np.sin(a)),
            0.11,
            0.1,
            _dark(wool, rng.uniform(0.82, 1.05)),
        )
    f.shape([(0.42, 0.84), (0.56, 0.86), (0.7, 0.62), (0.6, 0.56), (0.46, 0.66)], (52.0, 46.0, 44.0))
    f.oval(0.44, 0.84, 0.08, 0.035, (60.0, 54.0, 50.0), -20)
    return f.finish(rng, 0.16)


def _cuboid(rng: np.random.Generator, w: float, h: float, d: float, colour: Colour, pm: float) -> Figure:
    f = Figure(w + d + 0.08, h + 0.4 * d + 0.08, pm)
    left, shift, rise = -(w + d) / 2, d, 0.28 * d
    f.shape([(left, 0.01), (left + w, 0.01), (left + w, h), (left, h)], colour)
    f.shape([(left + w, 0.01), (left + w + shift, rise), (left + w + shift, h + rise), (left + w, h)], _dark(colour))
    f.shape(
        [(left, h), (left + w, h), (left + w + shift, h + rise), (left + shift, h + rise)],
        tuple(min(250.0, c * 1.18) for c in colour),
    )
    return f


def _box(rng: np.random.Generator) -> Sprite:
    w, h, d = (float(v) for v in rng.uniform((0.45, 0.35, 0.2), (1.0, 0.85, 0.5)))
    colour = _vary(rng, (176, 134, 88), 0.2)
    f = _cuboid(rng, w, h, d, colour, 140)
    left = -(w + d) / 2
    f.shape(
        [(left, h * 0.92), (left + w, h * 0.92), (left + w, h * 0.99), (left, h * 0.99)], _vary(rng, (206, 178, 130))
    )
    f.limb([(left + 0.1, h * 0.3), (left + 0.35 * w, h * 0.3)], 0.05, _dark(colour, 0.6))
    if rng.random() < 0.6:
        f.shape(
            [(left, h), (left + w * 0.5, h), (left + w * 0.3, h + 0.24 * d + 0.05), (left - 0.02, h + 0.05)],
            _dark(colour, 1.25),
        )
    return f.finish(rng, 0.06)


def _crate(rng: np.random.Generator) -> Sprite:
    w, h, d = 1.1, 0.7, 0.5
    colour = _vary(rng, ((168, 132, 86), (40, 90, 160), (170, 40, 40))[int(rng.integers(3))])
    f = _cuboid(rng, w, h, d, _dark(colour, 0.45), 120)
    left = -(w + d) / 2
    for y in np.arange(0.08, h, 0.16):
        f.limb([(left, float(y)), (left + w, float(y))], 0.11, colour)
        f.limb([(left + w, float(y)), (left + w + d, float(y) + 0.28 * d)], 0.1, _dark(colour))
    for x in (left + 0.04, left + w / 2, left + w - 0.04):
        f.limb([(x, 0.03), (x, h)], 0.08, _dark(colour, 0.85))
    return f.finish(rng, 0.08)


def _suitcase(rng: np.random.Generator) -> Sprite:
    colours = ((190, 36, 60), (36, 60, 130), (40, 42, 46), (226, 130, 40), (120, 60, 130))
    f = _cuboid(rng, 0.5, 0.75, 0.2, _vary(rng, colours[int(rng.integers(5))]), 150)
    f.limb([(-0.2, 0.78), (-0.2, 0.84), (0.02, 0.84), (0.02, 0.78)], 0.03, (60.0, 60.0, 62.0))
    for x in (-0.28, -0.18, -0.02, 0.08):
        f.limb([(x, 0.12), (x, 0.68)], 0.02, (30.0, 30.0, 34.0))
    return f.finish(rng, 0.04)


def _tyre(rng: np.random.Generator) -> Sprite:
    if rng.random() < 0.5:
        f = Figure(0.8, 0.42, 170)
        f.shape([(-0.36, 0.12), (0.36, 0.12), (0.36, 0.26), (-0.36, 0.26)], (30.0, 30.0, 32.0))
        f.oval(0, 0.12, 0.36, 0.1, (26.0, 26.0, 28.0))
        f.oval(0, 0.26, 0.36, 0.12, (48.0, 48.0, 50.0))
        f.oval(0, 0.265, 0.2, 0.06, (14.0, 14.0, 15.0))
        return f.finish(rng, 0.12)
    f = Figure(0.8, 0.75, 170)
    f.oval(0.05, 0.36, 0.3, 0.34, (20.0, 20.0, 21.0))
    f.oval(-0.03, 0.36, 0.3, 0.34, (42.0, 42.0, 44.0))
    f.oval(-0.03, 0.36, 0.17, 0.2, (92.0, 90.0, 86.0) if rng.random() < 0.5 else (12.0, 12.0, 13.0))
    return f.finish(rng, 0.1)


def _debris(rng: np.random.Generator) -> Sprite:
    f = Figure(1.9, 0.7, 110)
    stuff = ((150, 146, 140), (120, 96, 70), (90, 90, 94), (170, 120, 90), (60, 70, 84))
    for _ in range(int(rng.integers(9, 17))):
        x, y = float(rng.normal(0, 0.36)), float(abs(rng.normal(0, 0.13)) + 0.05)
        n, r = int(rng.integers(3, 6)), float(rng.uniform(0.06, 0.24))
        angles = np.sort(rng.uniform(0, 2 * np.pi, n))
        f.shape(
            [(x + r * float(np.cos(a)), max(0.01, y + 0.6 * r * float(np.sin(a)))) for a in angles],
            _vary(rng, stuff[int(rng.integers(5))], 0.4),
        )
    for _ in range(2):
        x = float(rng.uniform(-0.5, 0.3))
        f.limb([(x, 0.06), (x + 0.5, float(rng.uniform(0.1, 0.55)))], 0.06, _vary(rng, (138, 108, 74)))
    return f.finish(rng, 0.14)


def _sofa(rng: np.random.Generator) -> Sprite:
    cloths = ((150, 40, 44), (60, 84, 110), (130, 110, 84), (70, 90, 60), (176, 170, 160))
    f, cloth = Figure(2.2, 1.0, 100), _vary(rng, cloths[int(rng.integers(5))])
    f.shape([(-0.98, 0.3), (0.98, 0.3), (0.94, 0.9), (-0.94, 0.9)], _dark(cloth, 0.85))
    f.shape([(-0.86, 0.1), (0.86, 0.1), (0.86, 0.42), (-0.86, 0.42)], cloth)
    for x in (-0.43, 0.43):
        f.shape(
            [(x - 0.41, 0.36), (x + 0.41, 0.36), (x + 0.39, 0.5), (x - 0.39, 0.5)],
            tuple(min(250.0, c * 1.2) for c in cloth),
        )
        f.shape([(x - 0.4, 0.5), (x + 0.4, 0.5), (x + 0.38, 0.84), (x - 0.38, 0.84)], cloth)
    for x in (-0.95, 0.95):
        f.shape([(x - 0.12, 0.06), (x + 0.12, 0.06), (x + 0.12, 0.6), (x - 0.12, 0.6)], _dark(cloth, 0.95))
        f.oval(x, 0.6, 0.13, 0.08, cloth)
        f.limb([(x, 0.06), (x, 0.02)], 0.07, (50.0, 40.0, 34.0))
    return f.finish(rng, 0.07)


def _ladder(rng: np.random.Generator) -> Sprite:
    f, metal = Figure(3.0, 0.7, 100), _vary(rng, ((176, 178, 182), (196, 150, 60))[int(rng.integers(2))])
    rise = float(rng.uniform(0.1, 0.3))
    for off in (0.05, 0.3):
        f.limb([(-1.4 + off * 0.4, off), (1.3 + off * 0.4, off + rise)], 0.06, metal)
    for t in np.linspace(0.03, 0.97, 10):
        x, y = -1.4 + 2.7 * float(t), rise * float(t)
        f.limb([(x + 0.02, 0.05 + y), (x + 0.12, 0.3 + y)], 0.04, _dark(metal, 0.8))
    return f.finish(rng, 0.04)


def _barrel(rng: np.random.Generator) -> Sprite:
    colours = ((36, 84, 150), (176, 50, 36), (80, 90, 70), (220, 160, 40), (110, 70, 50))
    f, paint = Figure(0.75, 1.05, 130), _vary(rng, colours[int(rng.integers(5))])
    f.shape([(-0.3, 0.08), (0.3, 0.08), (0.3, 0.9), (-0.3, 0.9)], paint)
    f.oval(0, 0.09, 0.3, 0.07, paint)
    for x, gain in ((-0.24, 0.7), (-0.1, 1.2), (0.14, 0.85), (0.25, 0.6)):
        f.shape(
            [(x - 0.06, 0.08), (x + 0.05, 0.06), (x + 0.05, 0.9), (x - 0.06, 0.9)],
            tuple(min(250.0, c * gain) for c in paint),
        )
    for y in (0.34, 0.62):
        f.limb([(-0.31, y), (0.31, y)], 0.035, _dark(paint, 0.75))
    f.oval(0, 0.9, 0.3, 0.08, tuple(min(250.0, c * 1.2) for c in paint))
    f.oval(0, 0.905, 0.25, 0.055, _dark(paint, 0.7))
    return f.finish(rng, 0.05)


def _ball(rng: np.random.Generator) -> Sprite:
    colours = ((220, 60, 50), (240, 240, 236), (240, 150, 40), (50, 130, 210), (120, 200, 60))
    f, colour = Figure(0.62, 0.6, 180), _vary(rng, colours[int(rng.integers(5))], 0.15)
    f.oval(0, 0.28, 0.265, 0.265, _dark(colour, 0.62))
    f.oval(-0.02, 0.3, 0.235, 0.235, colour)
    f.oval(-0.07, 0.36, 0.13, 0.12, tuple(min(252.0, c * 1.18 + 10) for c in colour))
    other = _vary(rng, colours[int(rng.integers(5))])
    f.shape([(-0.05, 0.5), (0.05, 0.5), (0.12, 0.28), (0.05, 0.06), (-0.05, 0.06), (0.02, 0.28)], other)
    return f.finish(rng, 0.03)


def _trolley(rng: np.random.Generator) -> Sprite:
    f, wire = Figure(1.15, 1.1, 120), _vary(rng, (160, 162, 166))
    for t in np.linspace(0, 1, 9):
        f.limb(
            [(-0.38 + 0.08 * float(t), 0.95 - 0.5 * float(t)), (0.5 - 0.12 * float(t), 0.88 - 0.42 * float(t))],
            0.024,
            wire,
        )
        f.limb(
            [(-0.38 + 0.88 * float(t), 0.95 - 0.07 * float(t)), (-0.3 + 0.68 * float(t), 0.45)], 0.024, _dark(wire, 0.8)
        )
    f.limb([(-0.5, 1.02), (-0.38, 0.95), (-0.3, 0.2), (0.42, 0.16)], 0.04, wire)
    f.limb([(-0.56, 1.02), (-0.42, 1.02)], 0.05, _vary(rng, (190, 40, 40)))
    for x in (-0.3, 0.4):
        f.oval(x, 0.08, 0.07, 0.07, (30.0, 30.0, 32.0))
    return f.finish(rng, 0.04)


_DRAW = {
    "deer": _deer,
    "cow": _cow,
    "dog": _dog,
    "sheep": _sheep,
    "box": _box,
    "tyre": _tyre,
    "debris": _debris,
    "sofa": _sofa,
    "ladder": _ladder,
    "barrel": _barrel,
    "ball": _ball,
    "crate": _crate,
    "suitcase": _suitcase,
    "trolley": _trolley,
}
