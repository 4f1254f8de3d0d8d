"""Sky, light, haze, and the effects of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from trust_seg_ros.synthetic.camera import Camera, depth_of_codes
from trust_seg_ros.synthetic.canvas import Canvas
from trust_seg_ros.synthetic.settings import ROAD
from trust_seg_ros.synthetic.textures import clouds, noise_tile

CLOUD_VARIANTS = 10


@dataclass(frozen=True)
class Look:
    """Sky and light of a scene; colours are RGB in 0..255.

    Attributes:
        zenith, low, cloud: colours of the sky above, at the horizon, and of its clouds.
        cover: amount of cloud, in [0, 1].
        light: gain of every lit surface per colour.
        haze: colour that distant things fade into; visibility: metres over which they fade by a factor e.
        sun: strength of cast shadows, in [0, 1].
        lamps: True if lights are on.
        headlights: gain of the camera's own headlights.
        rain: strength of the rain, in [0, 1].
        grain: gain of the sensor's noise; blur: deviation in pixels at a width of 640.
    """

    zenith: np.ndarray
    low: np.ndarray
    cloud: np.ndarray
    cover: float
    light: np.ndarray
    haze: np.ndarray
    visibility: float
    sun: float = 0.0
    lamps: bool = False
    headlights: float = 0.0
    rain: float = 0.0
    grain: float = 1.0
    blur: float = 0.5


def _rgb(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def _clear(rng: np.random.Generator, tint: np.ndarray) -> Look:
    u = rng.uniform
    light = u(0.85, 1.25) * tint * _rgb(1.04, 1.0, 0.94)
    zenith, low = _rgb(92, 142, 206) * u(0.85, 1.15), _rgb(206, 224, 242) * u(0.9, 1.05)
    if rng.random() < 0.4:  # exposed for the street, the sky is burnt out
        zenith = low = _rgb(246, 250, 252)
    sun = u(0.35, 0.6)
    return Look(zenith, low, _rgb(250, 250, 250), u(0, 0.7), light, low * 0.95, u(250, 600), sun=sun, grain=0.7)


def _overcast(rng: np.random.Generator, tint: np.ndarray) -> Look:
    u = rng.uniform
    low = u(170, 245) * _rgb(1, 1.01, 1.03)
    return Look(low * u(0.75, 0.95), low, low * u(0.7, 1), u(0.4, 1), u(0.62, 1) * tint, low * 0.95, u(150, 350))


def _dusk(rng: np.random.Generator, tint: np.ndarray) -> Look:
    u = rng.uniform
    low = _rgb(232, 178, 132) * u(0.6, 1.0) if rng.random() < 0.6 else _rgb(176, 182, 190) * u(0.7, 1)
    zenith, cloud = _rgb(84, 96, 130) * u(0.7, 1.3), _rgb(110, 104, 116) * u(0.7, 1.2)
    light, far, beam = u(0.22, 0.5) * tint * _rgb(1.02, 0.98, 1.0), u(150, 400), u(0, 0.1)
    return Look(zenith, low, cloud, u(0.3, 1), light, low * 0.75, far, lamps=True, headlights=beam, grain=1.6)


def _rain(rng: np.random.Generator, tint: np.ndarray) -> Look:
    u = rng.uniform
    low = u(110, 190) * _rgb(1, 1.02, 1.05)
    light, far, rain = u(0.45, 0.75) * tint, u(70, 140), u(0.4, 1)
    return Look(low * 0.85, low, low * 0.75, 1.0, light, low * 0.92, far, lamps=True, rain=rain, blur=0.9)


def _fog(rng: np.random.Generator, tint: np.ndarray) -> Look:
    u = rng.uniform
    low = u(170, 225) * _rgb(1, 1.005, 1.01)
    return Look(low, low, low, 0.0, u(0.65, 0.9) * tint, low, u(26, 60), lamps=rng.random() < 0.5, blur=0.8)


def _night(rng: np.random.Generator, tint: np.ndarray) -> Look:
    u, dark = rng.uniform, rng.uniform(6, 26)
    zenith, low = dark * _rgb(1, 1.05, 1.4), dark * _rgb(2.4, 2, 1.9)
    light, cover, far, beam = u(0.16, 0.3) * tint * _rgb(1.05, 0.97, 0.9), u(0, 1), u(100, 250), u(0.35, 0.7)
    return Look(zenith, low, low * 0.84, cover, light, low * 0.9, far, lamps=True, headlights=beam, grain=1.7, blur=0.7)


_LOOKS = {"clear": _clear, "overcast": _overcast, "dusk": _dusk, "rain": _rain, "fog": _fog, "night": _night}


def draw_look(name: str, rng: np.random.Generator) -> Look:
    """A look of the weather ``name``, varied by ``rng``."""
    return _LOOKS[name](rng, 1 + rng.normal(0, 0.03, 3))


def paint_sky(canvas: Canvas, camera: Camera, look: Look, variant: int, heading: float) -> None:
    """Fill the rows above the horizon; the ground truth there stays class 0, depth code 0."""
    rows = int(np.clip(np.ceil(camera.horizon) + 3, 1, canvas.height))
    span = max(8, min(128, rows))
    up = (1 - np.arange(span, dtype=np.float32) / span)[:, None]
    cover = cv2.resize(clouds(variant % CLOUD_VARIANTS), (256, 256), interpolation=cv2.INTER_AREA)
    pick = (np.linspace(0, 1, span) ** 1.5 * 255).astype(np.int32)
    shift = int(heading * 40) % 256
    cover = np.roll(cover, -shift, 1)[pick][:, :200] * np.float32(look.cover)
    base = look.low[None, None] * (1 - up[..., None]) + look.zenith[None, None] * up[..., None]
    sky = base + (look.cloud - base) * (cover * (0.25 + 0.75 * up))[..., None]
    sky = np.clip(sky, 0, 255).astype(np.uint8)
    canvas.image[:rows] = cv2.resize(sky, (canvas.width, rows), interpolation=cv2.INTER_LINEAR)


def light_and_haze(canvas: Canvas, look: Look) -> None:
    """Light every surface and fade it into the haze by its depth code."""
    z = depth_of_codes()
    through = np.exp(-z / look.visibility)
    beam = look.headlights * np.exp(-z / 16.0) * np.clip(z / 5, 0.3, 1)
    gain = (look.light[None] + beam[:, None] * np.array([1.0, 0.97, 0.88])) * through[:, None]
    haze = look.haze[None] * (1 - through[:, None])
    gain[0], haze[0] = 1.0, 0.0
    gain8 = np.clip(np.rint(gain * 128), 0, 255).astype(np.uint8)[None]
    haze8 = np.clip(np.rint(haze), 0, 255).astype(np.uint8)[None]
    codes = cv2.cvtColor(np.ascontiguousarray(canvas.truth[:, :, 1]), cv2.COLOR_GRAY2RGB)
    cv2.multiply(canvas.image, cv2.LUT(codes, gain8), canvas.image, 1 / 128)
    cv2.add(canvas.image, cv2.LUT(codes, haze8), canvas.image)


def reflect(canvas: Canvas, camera: Camera, strength: float) -> None:
    """Add weak, blurred reflections on wet ground."""
    top = int(camera.horizon)
    if not 4 <= top <= canvas.height - 4:
        return
    below = canvas.image[top:]
    mirrored = cv2.flip(canvas.image[:top], 0)
    small = cv2.resize(mirrored, (canvas.width // 4, max(1, top // 8)), interpolation=cv2.INTER_AREA)
    mirrored = cv2.resize(small, (canvas.width, below.shape[0]), interpolation=cv2.INTER_LINEAR)
    wet = cv2.addWeighted(below, 1 - strength, mirrored, strength, 0)
    road = (canvas.truth[top:, :, 0] == ROAD).view(np.uint8)
    cv2.copyTo(wet, road, below)


@cache
def _flare() -> np.ndarray:
    """Brightness of a lamp around its centre, (65, 65) float32 in [0, 1.25]."""
    line = np.linspace(-1, 1, 65, dtype=np.float32)
    near = np.clip(1 - np.hypot(line[None], line[:, None]), 0, 1)
    return 0.35 * near**2 + 0.9 * near**8


def glow(canvas: Canvas, column: float, row: float, radius: float, colour: tuple[float, ...]) -> None:
    """Add a soft light of ``radius`` pixels."""
    x0, x1 = max(0, int(column - radius)), min(canvas.width, int(column + radius) + 1)
    y0, y1 = max(0, int(row - radius)), min(canvas.height, int(row + radius) + 1)
    if x1 <= x0 or y1 <= y0:
        return
    step = 32 / radius
    matrix = np.array([[step, 0, 32 + (x0 - column) * step], [0, step, 32 + (y0 - row) * step]], np.float32)
    near = cv2.warpAffine(_flare(), matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    light = cv2.merge([cv2.convertScaleAbs(near, alpha=c) for c in colour])
    roi = canvas.image[y0:y1, x0:x1]
    cv2.add(roi, light, roi)


def sensor(canvas: Canvas, look: Look, noise: float, rng: np.random.Generator) -> None:
    """Rain streaks, the lens and the sensor."""
    image, scale = canvas.image, canvas.width / 640
    if look.rain:
        _streaks(image, look.rain, scale, rng)
    blur = look.blur * scale
    if blur > 0.3:
        cv2.GaussianBlur(image, (0, 0), blur, image)
    amount = noise * look.grain * 3.2 / 32
    if amount > 0:
        tile = noise_tile()
        high, wide = image.shape[:2]
        tile = tile if high <= 768 and wide <= 768 else np.tile(tile, (high // 768 + 1, wide // 768 + 1, 1))
        y, x = (int(v) for v in rng.integers(0, (tile.shape[0] - high, tile.shape[1] - wide)))
        cv2.addWeighted(image, 1.0, tile[y : y + high, x : x + wide], amount, -128 * amount, image)


def _streaks(image: np.ndarray, strength: float, scale: float, rng: np.random.Generator) -> None:
    high, wide = image.shape[:2]
    count = int(120 * strength)
    start = rng.uniform(0, 1, (count, 2)) * (wide, high)
    length = rng.uniform(6, 26, count) * scale
    layer = np.zeros((high, wide), np.uint8)
    slant = rng.uniform(-0.2, 0.2)
    for (x, y), n in zip(start, length, strict=True):
        cv2.line(layer, (int(x), int(y)), (int(x + slant * n), int(y + n)), 34, max(1, int(scale)), cv2.LINE_AA)
    cv2.add(image, cv2.cvtColor(layer, cv2.COLOR_GRAY2RGB), image)
