"""Textures, made once per process: noise, asphalt, paving, facades, clouds."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from trust_seg_ros.synthetic.canvas import mip_chain

FACADES = 56
FLOOR_M = 3.0
PER_METRE = 30


def fractal(height: int, width: int, cell: int, octaves: int, rng: np.random.Generator) -> np.ndarray:
    """Seamless noise, (height, width) float32 of mean 0 and deviation 1; ``cell`` pixels at the coarsest."""
    total = np.zeros((height, width), np.float32)
    for k in range(octaves):
        step = max(1, cell >> k)
        gh, gw = max(1, height // step), max(1, width // step)
        grid = rng.standard_normal((gh, gw), np.float32)
        wrapped = np.pad(grid, 2, mode="wrap")
        big = cv2.resize(wrapped, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        part = big[2 * step : 2 * step + height, 2 * step : 2 * step + width]
        total[: part.shape[0], : part.shape[1]] += part * 0.62**k
    total -= total.mean()
    return total / max(float(total.std()), 1e-6)


def _closed(tile: np.ndarray, low: float, high: float) -> np.ndarray:
    """The tile as uint8, with its first row and column repeated at its end."""
    return np.pad(np.clip(tile, low, high).astype(np.uint8), ((0, 1), (0, 1)), mode="wrap")


@cache
def asphalt(variant: int) -> np.ndarray:
    """Brightness of a 25.6 m square of asphalt, (513, 513) uint8 around 128: stains, patches, cracks."""
    rng = np.random.default_rng([11, variant])
    tile = 128 + 6 * fractal(512, 512, 128, 4, rng) + 1.5 * fractal(512, 512, 4, 2, rng)
    tracks = np.cos(np.linspace(0, 2 * np.pi * 16, 512, endpoint=False))
    tile += 3 * tracks[None, :]
    for _ in range(int(rng.integers(2, 6))):
        x, y = rng.integers(0, 440, 2)
        w, h = rng.integers(16, 70, 2)
        tile[y : y + h, x : x + w] += rng.uniform(-22, 10)
    for _ in range(5):
        steps = rng.normal(0, 5, (18, 2)) + rng.normal(0, 5, 2)
        line = np.cumsum(steps, 0) + rng.integers(60, 450, 2)
        cv2.polylines(tile, [np.rint(line).astype(np.int32)], False, 95.0, 1)
    for _ in range(5):
        cv2.circle(tile, tuple(int(v) for v in rng.integers(20, 490, 2)), 7, 88.0, -1)
    return _closed(tile, 40, 215)


@cache
def grain() -> np.ndarray:
    """Fine grain of a 5.12 m square, (513, 513) uint8 around 128."""
    rng = np.random.default_rng(12)
    return _closed(128 + 8 * fractal(512, 512, 8, 4, rng), 30, 225)


@cache
def paving(variant: int) -> np.ndarray:
    """Brightness of a 6.4 m square of slabs, (513, 513) uint8 around 128."""
    rng = np.random.default_rng([13, variant])
    tile = 128 + 6 * fractal(512, 512, 64, 5, rng) + 7 * fractal(512, 512, 4, 2, rng)
    rows, cols = ((64, 32), (32, 32), (64, 64), (512, 512))[variant % 4]
    for r in range(0, 512, rows):
        shift = (r // rows % 2) * cols // 2
        for c in range(0, 512, cols):
            c0 = (c + shift) % 512
            tile[r : r + rows, c0 : c0 + cols] += rng.normal(0, 7)
            if cols < 512:
                tile[r : r + rows, c0 : c0 + 2] -= 36
        tile[r : r + 2] -= 36 if rows < 512 else 0
    return _closed(tile, 30, 225)


@cache
def lawn() -> np.ndarray:
    """Brightness of a 6.4 m square of grass, (513, 513) uint8 around 128."""
    rng = np.random.default_rng(14)
    return _closed(128 + 16 * fractal(512, 512, 32, 5, rng) + 16 * fractal(512, 512, 4, 2, rng), 20, 240)


@cache
def clouds(variant: int) -> np.ndarray:
    """Cloud cover, (256, 512) float32 in [0, 1], seamless in the columns."""
    rng = np.random.default_rng([15, variant])
    noise = fractal(256, 512, 64, 6, rng)
    cover = rng.uniform(-0.6, 0.6)
    return np.clip(0.5 + 0.45 * (noise + cover), 0, 1).astype(np.float32)


@cache
def noise_tile() -> np.ndarray:
    """Sensor noise, (1024, 1024, 3) uint8, mean 128, deviation 32, mostly equal in the three colours."""
    rng = np.random.default_rng(16)
    grey = rng.standard_normal((1024, 1024, 1), np.float32)
    colour = rng.standard_normal((1024, 1024, 3), np.float32)
    soft = cv2.GaussianBlur(0.8 * grey + 0.6 * colour, (0, 0), 0.55)
    return np.clip(128 + 32 * soft / soft.std(), 0, 255).astype(np.uint8)


_WALLS = (
    (150, 92, 70), (128, 78, 62), (168, 140, 104), (178, 160, 128), (196, 190, 176), (222, 218, 206), (140, 136, 130),
    (110, 108, 106), (172, 120, 92), (205, 180, 140), (90, 70, 62), (186, 186, 190), (160, 150, 120), (120, 100, 84),
)  # fmt: skip
_DOORS = ((60, 30, 28), (30, 50, 40), (36, 42, 70), (90, 80, 70), (130, 24, 24), (40, 40, 44))
_SHOPS = ((24, 60, 120), (150, 24, 30), (20, 90, 60), (40, 40, 44), (190, 150, 40), (120, 40, 110), (220, 220, 215))


@cache
def facade(variant: int, shade: bool) -> tuple[tuple[np.ndarray, ...], float, float]:
    """Front of a building: its texture chain (RGB), width and height in metres; darker when ``shade``."""
    if shade:
        chain, width, height = facade(variant, False)
        dark = cv2.multiply(chain[0], (0.62, 0.66, 0.74, 0))  # type: ignore[call-overload]  # takes one factor a channel
        return mip_chain(dark), width, height
    rng = np.random.default_rng([17, variant])
    floors = int(rng.choice([2, 2, 2, 3, 3, 4, 5]))
    width = float(rng.uniform(6, 15))
    h, w = int((floors * FLOOR_M + 0.6) * PER_METRE), int(width * PER_METRE)
    wall = _wall(h, w, rng)
    modern = rng.random() < 0.25
    shop = rng.random() < 0.4
    if modern:
        _ribbon_windows(wall, floors, rng)
    else:
        _sash_windows(wall, floors, 1 if shop else 0, rng)
    if shop:
        _shop(wall, rng)
    light = 1 - 0.16 * np.linspace(0, 1, h, dtype=np.float32)[:, None] ** 2
    light = light * (1 + 0.035 * cv2.resize(fractal(64, 64, 32, 4, rng), (w, h)))
    out = np.clip(wall * light[..., None], 0, 255).astype(np.uint8)
    return mip_chain(out), width, h / PER_METRE


def _wall(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    colour = np.array(_WALLS[rng.integers(len(_WALLS))], np.float32) * rng.uniform(0.8, 1.08)
    wall = np.empty((h, w, 3), np.float32)
    wall[:] = np.clip(colour + rng.normal(0, 7, 3), 25, 240)
    if rng.random() < 0.55:
        bricks = rng.normal(0, 9, (h // 3 + 1, w // 7 + 1)).astype(np.float32)
        wall += cv2.resize(bricks, (w, h), interpolation=cv2.INTER_NEAREST)[..., None]
        wall[::3] *= 0.93
    else:
        wall += 4 * rng.standard_normal((h, w, 1), np.float32)
    cornice = np.array((210, 205, 195), np.float32) * rng.uniform(0.5, 1)
    wall[: int(0.35 * PER_METRE)] = cornice
    wall[int(0.35 * PER_METRE) : int(0.42 * PER_METRE)] *= 0.6
    return wall


def _glass(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    top = np.array((96, 108, 122), np.float32) * rng.uniform(0.35, 1.25)
    low = np.array((38, 42, 48), np.float32) * rng.uniform(0.5, 1.2)
    ramp = np.linspace(0, 1, max(h, 1), dtype=np.float32)[:, None, None]
    pane = np.broadcast_to(top * (1 - ramp) + low * ramp, (h, w, 3)).copy()
    if rng.random() < 0.35:
        pane[: int(h * rng.uniform(0.2, 0.8)), : int(w * rng.uniform(0.2, 1))] = np.array(
            (190, 184, 168)
        ) * rng.uniform(0.5, 1)
    return pane


def _put_window(wall: np.ndarray, y: int, x: int, h: int, w: int, frame: np.ndarray, rng: np.random.Generator) -> None:
    wall[y - 3 : y + h + 5, x - 3 : x + w + 3] *= 0.8
    wall[y + h : y + h + 5, x - 4 : x + w + 4] = frame * 0.9
    wall[y : y + h, x : x + w] = frame
    pane = wall[y + 3 : y + h - 3, x + 3 : x + w - 3]
    pane[:] = _glass(pane.shape[0], pane.shape[1], rng)
    pane[:3] *= 0.5
    wall[y + h // 2 - 1 : y + h // 2 + 1, x : x + w] = frame
    if w > 34:
        wall[y : y + h, x + w // 2 - 1 : x + w // 2 + 1] = frame


def _sash_windows(wall: np.ndarray, floors: int, skip: int, rng: np.random.Generator) -> None:
    h, w = wall.shape[:2]
    frame = np.array((226, 224, 218), np.float32) * (1 if rng.random() < 0.7 else 0.3)
    count = max(1, int(w / PER_METRE / rng.uniform(2.0, 3.4)))
    ww, wh = int(rng.uniform(0.8, 1.5) * PER_METRE), int(rng.uniform(1.3, 1.9) * PER_METRE)
    pitch = w / count
    door = int(rng.integers(count))
    for floor in range(floors):
        y = h - int(((floor + 1) * FLOOR_M - 0.45) * PER_METRE)
        for k in range(count if floor >= skip else 0):
            x = int((k + 0.5) * pitch - ww / 2)
            if floor == 0 and k == door:
                dh, dw = int(2.15 * PER_METRE), PER_METRE
                wall[h - dh - 4 : h, x - 4 : x + dw + 4] = frame * 0.85
                wall[h - dh : h, x : x + dw] = np.array(_DOORS[rng.integers(len(_DOORS))], np.float32)
                wall[h - dh : h - dh + 10, x + 3 : x + dw - 3] = 70
            elif y > 4 and x > 4 and x + ww < w - 4:
                _put_window(wall, y, x, wh, ww, frame, rng)


def _ribbon_windows(wall: np.ndarray, floors: int, rng: np.random.Generator) -> None:
    h, w = wall.shape[:2]
    pitch = int(rng.uniform(1.1, 2.0) * PER_METRE)
    wh = int(rng.uniform(1.4, 2.1) * PER_METRE)
    for floor in range(floors):
        y = h - int(((floor + 1) * FLOOR_M - 0.3) * PER_METRE)
        for x in range(6, w - pitch, pitch):
            pane = wall[max(y, 14) : y + wh, x : x + pitch - 4]
            pane[:] = _glass(pane.shape[0], pane.shape[1], rng)


def _shop(wall: np.ndarray, rng: np.random.Generator) -> None:
    h, w = wall.shape[:2]
    top = h - int(2.9 * PER_METRE)
    colour = np.array(_SHOPS[rng.integers(len(_SHOPS))], np.float32)
    wall[top:] = colour * 0.7
    wall[top : top + 20] = colour
    for _ in range(int(rng.integers(4, 9))):
        x = int(rng.uniform(0.25, 0.7) * w)
        wall[top + 5 : top + 15, x : x + int(rng.integers(4, 14))] = 235 if colour.sum() < 450 else 30
    pitch = int(rng.uniform(1.5, 2.6) * PER_METRE)
    for x in range(5, w - pitch // 2, pitch):
        pane = wall[top + 26 : h - 14, x : min(x + pitch - 6, w - 4)]
        pane[:] = _glass(pane.shape[0], pane.shape[1], rng)
        for _ in range(5):
            py, px = int(rng.uniform(0.3, 0.9) * pane.shape[0]), int(rng.uniform(0, 0.9) * pane.shape[1])
            pane[py : py + 9, px : px + 7] = rng.uniform(20, 230, 3)
