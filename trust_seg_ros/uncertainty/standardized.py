"""The standardised max logit: the largest logit, measured by what is usual where its class is predicted.

Source: Jung, Lee, Gwak, Choi, Choo, Standardized Max Logits: A Simple yet Effective Approach for Identifying Unexpected
Road Obstacles in Urban-Scene Segmentation, ICCV 2021, section 3.2; without their smoothing of boundaries. Logits of
different classes have different means and spreads, so that one threshold on the largest logit means something else
for every class; after standardising it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import UNLABELLED, Json, LogitMaps
from trust_seg_ros.uncertainty.errors import SettingError, StatisticsNeededError
from trust_seg_ros.uncertainty.scores import max_logit
from trust_seg_ros.uncertainty.threads import run_bands

LEAST_PIXELS = 1000
"""A class predicted on fewer pixels than this has no statistics of its own; it gets those of all pixels."""


@dataclass(frozen=True)
class ClassStatistics:
    """The largest logit over in-distribution pixels, by predicted class.

    Attributes:
        mean, std: (q,) float64, in units of the logits; std > 0.
        count: (q,) int64 pixels they come from; below ``LEAST_PIXELS``, mean and std are those of all pixels.

    Raises:
        SettingError: shapes differ, or a number cannot be used.
    """

    mean: np.ndarray
    std: np.ndarray
    count: np.ndarray

    def __post_init__(self) -> None:
        for name, kind in (("mean", np.float64), ("std", np.float64), ("count", np.int64)):
            object.__setattr__(self, name, np.asarray(getattr(self, name), kind))
        if self.mean.ndim != 1 or not self.mean.shape == self.std.shape == self.count.shape:
            raise SettingError(
                f"class statistics of shapes {self.mean.shape}, {self.std.shape}, {self.count.shape}; expected "
                "mean, std and count of every class"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0).all()):
            raise SettingError("class statistics: expected finite means, and standard deviations above 0")
        if (self.count < 0).any():
            raise SettingError(f"class statistics of {self.count.min()} pixels; expected at least 0")

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def pooled(self) -> tuple[int, ...]:
        """Ids of the classes that have the statistics of all pixels."""
        return tuple(np.flatnonzero(self.count < LEAST_PIXELS).tolist())

    def to_json(self) -> Json:
        """As plain values."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist(), "count": self.count.tolist()}

    @classmethod
    def from_json(cls, data: Json) -> ClassStatistics:
        """Back from :meth:`to_json`.

        Raises:
            SettingError, KeyError, TypeError, ValueError: damaged.
        """
        return cls(data["mean"], data["std"], data["count"])


class StatisticsBuilder:
    """Collects ``ClassStatistics`` image by image; moments of the images are joined as Chan, Golub and LeVeque (1983)
    do, which loses no digits however many pixels there are.

    Args:
        classes: number q of classes.
    """

    def __init__(self, classes: int) -> None:
        self._count = np.zeros(classes, np.int64)
        self._mean = np.zeros(classes)
        self._m2 = np.zeros(classes)  # sum of squared distances from the mean

    def add(self, maps: LogitMaps, classes: torch.Tensor | np.ndarray, valid: np.ndarray | None = None) -> None:
        """Add one in-distribution image.

        Args:
            maps: raw logits of the image.
            classes: (H, W) predicted classes; pixels of ``UNLABELLED`` do not count.
            valid: (H, W) bool, pixels that count; None = all.

        Raises:
            RawLogitsNeededError, LogitsError: as ``max_logit``.
        """
        ids = np.asarray(torch.as_tensor(classes).numpy(force=True), np.uint8).ravel()
        chosen = np.ones(ids.shape, bool) if valid is None else np.ascontiguousarray(valid, bool).ravel()
        self._join(ids, np.ascontiguousarray(max_logit(maps).numpy(force=True)).ravel(), chosen)

    def _join(self, ids: np.ndarray, scores: np.ndarray, chosen: np.ndarray) -> None:
        """Pixels of one image, (n,) each; scores are the negatives of what is collected."""
        new = moments(ids, scores, chosen, len(self._count))
        self._count, self._mean, self._m2 = _joined((self._count, self._mean, self._m2), new)

    def statistics(self) -> ClassStatistics:
        """Of everything added.

        Raises:
            SettingError: there was no pixel, or all have the same largest logit.
        """
        total = int(self._count.sum())
        if not total:
            raise SettingError("no pixel to take class statistics of; expected images with labelled pixels")
        mean = float(self._count @ self._mean) / total
        m2 = float(self._m2.sum() + self._count @ (self._mean - mean) ** 2)
        std = (m2 / total) ** 0.5
        if not std > 0.0:
            raise SettingError(
                f"all {total} pixels have the largest logit {mean:g}: nothing to standardise by; is this the network's "
                "real answer?"
            )
        own_std = np.sqrt(self._m2 / np.maximum(self._count, 1))
        own = (self._count >= LEAST_PIXELS) & (own_std > 0.0)
        count = np.where(own, self._count, np.minimum(self._count, LEAST_PIXELS - 1))
        return ClassStatistics(np.where(own, self._mean, mean), np.where(own, own_std, std), count)


@jit
def moments(
    ids: np.ndarray, scores: np.ndarray, chosen: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean and sum of squared distances from the mean of -scores, by id; what is not finite does not count.

    Args:
        ids: (n,) uint8; ids from ``classes`` on do not count.
        scores: (n,) floating point.
        chosen: (n,) bool, what counts.
        classes: number q.
    """
    count, mean, m2 = np.zeros(classes, np.int64), np.zeros(classes), np.zeros(classes)
    for i in range(ids.shape[0]):
        if chosen[i] and ids[i] < classes and np.isfinite(scores[i]):
            count[ids[i]] += 1
            mean[ids[i]] -= np.float64(scores[i])
    for k in range(classes):
        mean[k] /= max(count[k], 1)
    for i in range(ids.shape[0]):
        if chosen[i] and ids[i] < classes and np.isfinite(scores[i]):
            step = -np.float64(scores[i]) - mean[ids[i]]
            m2[ids[i]] += step * step
    return count, mean, m2


def reference_moments(
    ids: np.ndarray, scores: np.ndarray, chosen: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same as ``moments``, class by class."""
    values = -scores.astype(np.float64)
    parts = [values[chosen & (ids == k) & np.isfinite(values)] for k in range(classes)]
    count = np.array([len(part) for part in parts], np.int64)
    mean = np.array([part.mean() if len(part) else 0.0 for part in parts])
    return count, mean, np.array([((part - m) ** 2).sum() for part, m in zip(parts, mean, strict=True)])


def _joined(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean and M2 of two samples together."""
    total = a[0] + b[0]
    step = b[1] - a[1]
    share = b[0] / np.maximum(total, 1)
    return total, a[1] + step * share, a[2] + b[2] + step**2 * a[0] * share


def standardized_max_logit(maps: LogitMaps, classes: torch.Tensor, statistics: ClassStatistics | None) -> torch.Tensor:
    """-(max_y l_y - mean of ŷ) / (standard deviation of ŷ), per pixel (Jung et al. 2021, equation 3).

    Args:
        maps: raw logits (q, h, w), any floating type, any device.
        classes: (H, W) uint8 predicted classes of the same answer.
        statistics: of the same network, from in-distribution images (``trust-seg calibrate``).

    Returns:
        (H, W) float32 on the device of the logits, any real number; +inf, the score's maximum, at faulty pixels.

    Raises:
        StatisticsNeededError: there are no statistics.
        RawLogitsNeededError: the network gives probabilities only.
        SettingError: statistics of another number of classes.
        LogitsError: the logits cannot be used.
    """
    if statistics is None:
        raise StatisticsNeededError(
            "the score 'standardized_max_logit' needs class statistics of this network; trust-seg calibrate DATASET "
            "--out calibration.json makes them, the parameter or option 'calibration' names that file"
        )
    if len(statistics) != maps.logits.shape[0]:
        raise SettingError(
            f"class statistics of {len(statistics)} classes, the network has {maps.logits.shape[0]}; calibrate it anew"
        )
    score = max_logit(maps)
    scale, offset = _tables(statistics)
    if score.device.type == "cpu":
        _standardise_rows(score.numpy(), classes.numpy(), scale, offset)
        return score
    index = classes.long()
    return score * torch.from_numpy(scale).to(score.device)[index] + torch.from_numpy(offset).to(score.device)[index]


def reference_standardized_max_logit(
    maps: LogitMaps, classes: torch.Tensor, statistics: ClassStatistics
) -> torch.Tensor:
    """The same from its definition, in float64, class by class."""
    largest = -max_logit(maps).double()
    out = torch.full_like(largest, torch.inf)
    for k in range(len(statistics)):
        out = torch.where(classes == k, -(largest - statistics.mean[k]) / statistics.std[k], out)
    return out


def _tables(statistics: ClassStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Factor and summand of -max l by class id; what has no class keeps its +inf."""
    scale, offset = np.ones(UNLABELLED + 1, np.float32), np.zeros(UNLABELLED + 1, np.float32)
    scale[: len(statistics)] = 1.0 / statistics.std
    offset[: len(statistics)] = statistics.mean / statistics.std
    return scale, offset


def _standardise_rows(score: np.ndarray, classes: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> None:
    def band(first: int, last: int) -> None:
        _standardise(score, classes, scale, offset, first, last)

    run_bands(band, score.shape[0])


@jit
def _standardise(
    score: np.ndarray, classes: np.ndarray, scale: np.ndarray, offset: np.ndarray, first: int, last: int
) -> None:
    for y in range(first, last):
        for x in range(score.shape[1]):
            k = classes[y, x]
            score[y, x] = score[y, x] * scale[k] + offset[k]
