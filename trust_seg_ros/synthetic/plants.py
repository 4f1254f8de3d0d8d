"""Trees and hedges as cut-outs."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from trust_seg_ros.synthetic.canvas import Sprite, make_sprite, mip_chain
from trust_seg_ros.synthetic.textures import fractal

TREES = 18
_GREENS = ((58, 82, 34), (74, 92, 44), (44, 66, 36), (92, 98, 46), (110, 92, 44), (60, 74, 48), (38, 56, 34))


@cache
def tree(variant: int) -> Sprite:
    """A tree 4 to 11 metres tall: in leaf, or bare as in winter."""
    rng = np.random.default_rng([21, variant])
    height = float(rng.uniform(4.5, 11))
    per_metre = 300.0 / height
    colour = np.zeros((304, 304, 3), np.uint8)
    alpha = np.zeros((304, 304), np.uint8)
    bark = tuple(float(v) for v in np.array((62, 52, 42)) * rng.uniform(0.6, 1.2))
    if variant % 3 == 0:
        _branch(colour, alpha, (152.0, 304.0), -np.pi / 2, 82.0, 9.0, bark, rng, 0)
        haze = cv2.GaussianBlur(alpha, (0, 0), 7)
        twigs = (np.clip(fractal(304, 304, 8, 3, rng) * 60 + haze.astype(np.float32) * 1.3 - 60, 0, 150)).astype(
            np.uint8
        )
        colour[alpha < 40] = bark
        alpha = np.maximum(
            alpha, np.where((haze > 24) & (np.arange(304)[:, None] < 190), twigs // 4 * 3, 0).astype(np.uint8)
        )
    else:
        _branch(colour, alpha, (152.0, 304.0), -np.pi / 2, 90.0, 11.0, bark, rng, 2)
        _crown(colour, alpha, rng)
    return make_sprite(colour, alpha, per_metre)


def _branch(
    colour: np.ndarray, alpha: np.ndarray, start: tuple[float, float], angle: float, length: float, width: float,
    bark: tuple[float, ...], rng: np.random.Generator, depth: int,
) -> None:  # fmt: skip
    end = (start[0] + length * np.cos(angle), start[1] + length * np.sin(angle))
    a, b = (tuple(round(v * 16) for v in p) for p in (start, end))
    cv2.line(colour, a, b, bark, max(1, round(width)), cv2.LINE_AA, 4)
    cv2.line(alpha, a, b, 255, max(1, round(width)), cv2.LINE_AA, 4)
    if depth >= 6 or length < 5:
        return
    for _ in range(2 if depth else 3):
        turn = rng.uniform(0.15, 0.75) * rng.choice([-1, 1])
        _branch(colour, alpha, end, angle + turn, length * rng.uniform(0.6, 0.86), width * 0.62, bark, rng, depth + 1)


def _crown(colour: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> None:
    green = np.array(_GREENS[rng.integers(len(_GREENS))], np.float32) * rng.uniform(0.75, 1.25)
    mask = np.zeros((304, 304), np.float32)
    light = np.zeros((304, 304), np.float32)
    wide, top = rng.uniform(60, 100), rng.uniform(0.0, 0.3)
    order = []
    for _ in range(44):
        angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        y = 118 + 82 * radius * np.sin(angle)
        squeeze = 1 - top * (200 - y) / 160
        order.append((y, 152 + wide * squeeze * radius * np.cos(angle), rng.uniform(18, 38)))
    for y, x, r in sorted(order, reverse=True):
        cv2.circle(mask, (int(x), int(y)), int(r), 1.0, -1)
        cv2.circle(light, (int(x), int(y)), int(r), float(0.55 + 0.5 * (210 - y) / 180), -1)
        cv2.circle(light, (int(x - r * 0.25), int(y - r * 0.3)), int(r * 0.6), float(0.72 + 0.55 * (210 - y) / 180), -1)
    leaves = fractal(304, 304, 8, 3, rng)
    edge = cv2.GaussianBlur(mask, (0, 0), 5) + 0.22 * leaves
    lit = cv2.GaussianBlur(light, (0, 0), 3) * (1 + 0.26 * leaves + 0.12 * fractal(304, 304, 32, 3, rng))
    leafy = np.clip((edge - 0.45) * 6, 0, 1)[..., None]
    leafy *= _main_part(leafy[..., 0] > 0.5)[..., None]
    tint = green * np.clip(lit, 0.2, 2.0)[..., None]
    colour[:] = np.clip(colour * (1 - leafy) + tint * leafy, 0, 255).astype(np.uint8)
    np.maximum(alpha, (leafy[..., 0] * 255).astype(np.uint8), out=alpha)


def _main_part(solid: np.ndarray) -> np.ndarray:
    """The largest connected part and its fringe, (h, w) bool, so that no leaves float beside the tree."""
    _, numbers, table, _ = cv2.connectedComponentsWithStats(solid.view(np.uint8), connectivity=4)
    largest = numbers == 1 + int(np.argmax(table[1:, cv2.CC_STAT_AREA]))
    return cv2.dilate(largest.view(np.uint8), np.ones((3, 3), np.uint8)) > 0


@cache
def hedge(variant: int) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Six metres of hedge: chains of colour (premultiplied) and transparency."""
    rng = np.random.default_rng([22, variant])
    green = np.array(_GREENS[rng.integers(len(_GREENS))], np.float32) * rng.uniform(0.7, 1.1)
    leaves = fractal(96, 512, 8, 3, rng)
    light = (1.15 - 0.6 * np.linspace(0, 1, 96, dtype=np.float32)[:, None]) * (1 + 0.3 * leaves)
    colour = np.clip(green * np.clip(light, 0.15, 2)[..., None], 0, 255).astype(np.uint8)
    rough = 8 + 5 * fractal(1, 512, 32, 4, rng)[0] + 2 * leaves[:1][0]
    cut = (np.arange(96)[:, None] > rough[None, :]).astype(np.uint8) * 255
    alpha = cv2.GaussianBlur(cut, (3, 3), 0)
    dimmed = cv2.multiply(colour, cv2.merge([alpha] * 3), scale=1 / 255)
    return mip_chain(dimmed), mip_chain(cv2.merge([255 - alpha] * 3))


@cache
def fence(variant: int) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], float]:
    """Six metres of fence or wall: chains of colour and transparency, and its height in metres."""
    rng = np.random.default_rng([23, variant])
    colour = np.zeros((128, 512, 3), np.float32)
    alpha = np.zeros((128, 512), np.uint8)
    style = variant % 4
    height = float((1.1, 1.3, 1.7, 1.0)[style] * rng.uniform(0.85, 1.2))
    if style == 0:
        colour[:] = np.array((56, 62, 58)) * rng.uniform(0.4, 2.2)
        alpha[4:12] = alpha[104:112] = 255
        for x in range(0, 512, 11):
            alpha[8:110, x : x + 4] = 255
        alpha[:, :7] = alpha[:, 256:263] = 255
    elif style == 1:
        colour[:] = np.array((190, 186, 176)) * rng.uniform(0.45, 1.1)
        for y in (6, 50, 92):
            alpha[y : y + 13] = 255
        for x in (0, 84, 170, 256, 340, 426):
            alpha[:, x : x + 12] = 255
        colour += 8 * rng.standard_normal((128, 512, 1))
    elif style == 2:
        colour[:] = np.array((124, 96, 68)) * rng.uniform(0.6, 1.2)
        alpha[:] = 255
        for x in range(0, 512, 13):
            colour[:, x : x + 13] *= rng.uniform(0.85, 1.12)
            colour[:, x : x + 2] *= 0.55
            alpha[: int(rng.integers(0, 5)), x : x + 13] = 0
        colour += 7 * rng.standard_normal((128, 512, 1))
    else:
        colour[:] = np.array((170, 172, 174)) * rng.uniform(0.5, 1.15)
        alpha[20:64] = 255
        for x in (10, 138, 266, 394):
            alpha[20:, x : x + 10] = 255
        colour[30:36] *= 0.7
        colour[46:52] *= 1.15
    pre = cv2.multiply(np.clip(colour, 0, 255).astype(np.uint8), cv2.merge([alpha] * 3), scale=1 / 255)
    return mip_chain(pre), mip_chain(cv2.merge([255 - alpha] * 3)), height
