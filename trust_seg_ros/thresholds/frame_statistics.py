"""Numbers of a frame that the shift monitor watches: of the network's answer, and of the image itself.

Softmax scores alone do not tell every shift: over-exposed images leave them where they were. Each statistic costs well
under a millisecond: maps are sampled, features are looked at on their own coarse grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.errors import UncertaintyError
from trust_seg_ros.uncertainty.feature_inputs import fitting_statistics, read_features
from trust_seg_ros.uncertainty.feature_scores import compare
from trust_seg_ros.uncertainty.feature_statistics import FeatureSource, rows_of

SAMPLES = 1 << 16
"""Pixels of an image or a map that a statistic looks at, about."""
_BRIGHT = 250
_FEATURES = 256  # positions of the features' grid
_SHORTEST = 1e-3  # of a feature: zeros have no logarithm
_DARKEST = 1e-3  # of the variance of a Laplacian: below the noise of any camera, so that black images have a logarithm


@dataclass(frozen=True, eq=False)
class Watched:
    """What the statistics of a frame are computed from.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        answer: the network's answer to it, on the grid of the maps.
        maps: its maps, on the host.
        features: gives the statistics of the network's features; None = there are none.
    """

    image: np.ndarray
    answer: LogitMaps
    maps: UncertaintyMaps
    features: FeatureSource | None = None


@dataclass(frozen=True)
class FrameStatistic:
    """One number of a frame.

    Attributes:
        name: as in calibration files and in diagnostics.
        text: what it is, for people; "the … of the image".
        unit: in words; "" = a plain number.
        of: computes it; NaN where it cannot.
        network: whether it is a number of the network's answer, and not of the image alone.
    """

    name: str
    text: str
    unit: str
    of: Callable[[Watched], float]
    network: bool = True


def frame_mean(score: np.ndarray | torch.Tensor) -> float:
    """Mean of the finite scores of a frame, (H, W) floating point, where they lie; NaN where there is none."""
    if isinstance(score, torch.Tensor):
        finite = torch.isfinite(score)
        total, count = torch.stack([torch.where(finite, score, 0.0).sum(dtype=torch.float64), finite.sum()]).tolist()
        return total / count if count else math.nan
    total = float(np.sum(score, dtype=np.float64))
    if math.isfinite(total) and score.size:
        return total / score.size
    finite = score[np.isfinite(score)]
    return float(finite.mean(dtype=np.float64)) if finite.size else math.nan


def sampled_mean(plane: np.ndarray) -> float:
    """Mean over the finite values of every k-th pixel of a map (H, W), about ``SAMPLES`` in all; NaN without one."""
    step = _step(plane.shape)
    return frame_mean(plane[step // 2 :: step, step // 2 :: step])


def sampled_map_mean(maps: UncertaintyMaps, name: str) -> float:
    """The same of one of the maps, of which only the sample comes to the host."""
    step = _step(maps.size)
    return frame_mean(maps.part(name, (step // 2, step // 2), (step, step)))


def _step(shape: tuple[int, ...]) -> int:
    return max(1, round(math.sqrt(shape[0] * shape[1] / SAMPLES)))


def _max_logit(frame: Watched) -> float:
    """On the grid of the logits; of probabilities there is none."""
    if not frame.answer.raw:
        return math.nan
    logits = frame.answer.logits
    step = _step(tuple(logits.shape[1:]))
    return sampled_mean(-logits[:, ::step, ::step].float().amax(0).cpu().numpy())


def _feature_length(frame: Watched) -> float:
    """Unlike images light up fewer channels: a density that needs no statistics of features."""
    try:
        features = read_features(frame.answer)
    except UncertaintyError:
        return math.nan
    step = max(1, round(math.sqrt(features.shape[1] * features.shape[2] / _FEATURES)))
    part = features[:, step // 2 :: step, step // 2 :: step].flatten(1).float()
    return float(torch.linalg.vector_norm(part, dim=0).clamp(min=_SHORTEST).log().mean())


def _feature_distance(frame: Watched) -> float:
    """Mean of the score ``knn`` at some positions of the features' own grid."""
    try:
        features = read_features(frame.answer)
        statistics = fitting_statistics(frame.features, frame.answer, features)
    except UncertaintyError:
        return math.nan
    step = max(1, round(math.sqrt(features.shape[1] * features.shape[2] / _FEATURES)))
    part = features[:, step // 2 :: step, step // 2 :: step].contiguous()
    return sampled_mean(compare(part, rows_of(statistics, part.device)).distance.cpu().numpy()[None])


def _brightness(image: np.ndarray) -> float:
    return float(_green(image).mean()) / 255.0


def _contrast(image: np.ndarray) -> float:
    return float(_green(image).std()) / 255.0


def _saturated(image: np.ndarray) -> float:
    return float(np.count_nonzero(_green(image) >= _BRIGHT)) / max(1, _green(image).size)


def _green(image: np.ndarray) -> np.ndarray:
    step = _step(image.shape)
    return np.asarray(image[step // 2 :: step, step // 2 :: step, 1])


def _sharpness(image: np.ndarray) -> float:
    """Logarithm of the variance of a Laplacian of the green channel, on some rows: of neighbours at full resolution."""
    green = image[:, :, 1]
    height, width = green.shape
    if height < 3 or width < 3:
        return math.nan
    step = max(1, height * width // SAMPLES)
    centre, above, below = (green[k : height - 2 + k : step].astype(np.int16) for k in (1, 0, 2))
    found = 4 * centre[:, 1:-1] - centre[:, :-2] - centre[:, 2:] - above[:, 1:-1] - below[:, 1:-1]
    return math.log(max(_DARKEST, float(found.var(dtype=np.float64))))


IMAGE_STATISTICS: Mapping[str, Callable[[np.ndarray], float]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "saturated": _saturated,
    "sharpness": _sharpness,
}
"""Name -> what computes it from an image (H, W, 3) uint8 RGB; those of ``ROWS`` that need no answer."""


def image_statistics(image: np.ndarray, names: Iterable[str] = IMAGE_STATISTICS) -> dict[str, float]:
    """Name -> value of statistics of the image alone; NaN for one that this image is too small for."""
    return {name: IMAGE_STATISTICS[name](image) for name in names}


ROWS = (
    FrameStatistic("entropy", "mean entropy", "0..1", lambda frame: sampled_map_mean(frame.maps, "entropy")),
    FrameStatistic("margin", "mean margin", "0..1", lambda frame: sampled_map_mean(frame.maps, "margin")),
    FrameStatistic("max_logit", "mean of minus the largest logit", "logits", _max_logit),
    FrameStatistic("feature_length", "mean logarithm of the features' length", "log", _feature_length),
    FrameStatistic("feature_distance", "mean distance of the features to known ones", "1 - cosine", _feature_distance),
    FrameStatistic(
        "brightness", "brightness of the image", "of full", lambda frame: _brightness(frame.image), network=False
    ),
    FrameStatistic("contrast", "contrast of the image", "of full", lambda frame: _contrast(frame.image), network=False),
    FrameStatistic(
        "saturated",
        "saturated share of the image",
        "of the pixels",
        lambda frame: _saturated(frame.image),
        network=False,
    ),
    FrameStatistic(
        "sharpness", "sharpness of the image", "log variance", lambda frame: _sharpness(frame.image), network=False
    ),
)
STATISTICS: Mapping[str, FrameStatistic] = {row.name: row for row in ROWS}


OLDER = ("entropy", "margin")
"""Statistics that are means of a score as calibration files without statistics of frames hold them, too."""


def frame_statistics(frame: Watched, names: Iterable[str] = STATISTICS) -> dict[str, float]:
    """Name -> value of the wanted statistics; NaN for one that this frame does not have."""
    return {name: STATISTICS[name].of(frame) for name in names}


def title(name: str) -> str:
    """What a statistic is, in words."""
    return STATISTICS[name].text if name in STATISTICS else name
