"""Made-up pictures with the statistics of photographs, for a look at a network before the first frame.

Noise of independent pixels says little about a network: no photograph looks like it. What photographs share is drawn
here: an amplitude spectrum of 1/f, channels that go together, a bright blue top, a grey bottom and edges in between.
"""

from __future__ import annotations

import numpy as np

Size = tuple[int, int]

_BLUE, _GREY = np.array((150.0, 180.0, 215.0)), np.array((105.0, 103.0, 100.0))
_TINTS = np.array(((120, 80, 60), (60, 100, 50), (170, 160, 150), (70, 75, 90), (150, 40, 40), (200, 190, 120)), float)
_BLOCKS = 14


def scene_image(size: Size, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 RGB: sky, ground and objects of plain shapes under 1/f texture; the same for the same seed."""
    rng = np.random.default_rng(seed)
    height, width = size
    image = np.empty((height, width, 3))
    horizon = max(1, int(height * rng.uniform(0.35, 0.55)))
    image[:horizon], image[horizon:] = _BLUE, _GREY
    for _ in range(_BLOCKS):
        h, w = (max(1, int(side * rng.uniform(0.05, 0.35))) for side in (height, width))
        foot, left = int(horizon + rng.uniform(0.0, 0.4) * height), int(rng.uniform(-0.1, 0.95) * width)
        image[max(0, foot - h) : max(0, foot), max(0, left) : max(0, left + w)] = _TINTS[rng.integers(len(_TINTS))]
    shade = _texture(size, rng)[..., None] * 28.0 + np.stack([_texture(size, rng) for _ in range(3)], 2) * 6.0
    light = rng.uniform(0.75, 1.15)
    picture: np.ndarray = np.clip(image * light + shade, 0, 255).round().astype(np.uint8)
    return picture


def _texture(size: Size, rng: np.random.Generator) -> np.ndarray:
    """(H, W) texture with an amplitude spectrum of 1/f, mean 0, standard deviation 1."""
    height, width = size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal(size)) / np.maximum(frequency, 1.0 / max(size))
    field = np.fft.irfft2(spectrum, s=size)
    return np.asarray(field / max(float(field.std()), 1e-9))
