"""Temperature scaling and the calibration error of the softmax, from a random sample of pixels.

Sources: Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, ICML 2017 (temperature, section 4.2;
expected calibration error with 15 equal bins, equation 3).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from trust_seg_ros.types import Json, LogitMaps
from trust_seg_ros.uncertainty.kernels import grid_taps
from trust_seg_ros.uncertainty.logits import LOG_FLOOR, Prepared, prepare, prepare_sums, to_shares

BINS = 15
_RANGE = (0.05, 20.0)


@dataclass(frozen=True)
class Temperature:
    """The best temperature of a network's softmax, and its effect.

    Attributes:
        value: T > 0 of softmax(l / T) with the least negative log-likelihood (NLL).
        nll_before, nll_after: mean NLL of the true class, in nats, at T = 1 and at ``value``.
        ece_before, ece_after: expected calibration error in [0, 1], 15 bins of equal width.
        pixels: number of pixels in the sample.
        bins_before, bins_after: (15, 3) of the reliability diagram: share of the sample, mean confidence, accuracy.
    """

    value: float
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float
    pixels: int
    bins_before: tuple[tuple[float, ...], ...] = ()
    bins_after: tuple[tuple[float, ...], ...] = ()

    def to_json(self) -> Json:
        """As plain values."""
        tables = {name: [list(row) for row in getattr(self, name)] for name in ("bins_before", "bins_after")}
        return asdict(self) | tables

    @classmethod
    def from_json(cls, data: Json) -> Temperature:
        """Back from :meth:`to_json`; raises KeyError, TypeError or ValueError if it is damaged."""
        names = ("value", "nll_before", "nll_after", "ece_before", "ece_after")
        numbers = {name: float(data[name]) for name in names}
        if not numbers["value"] > 0.0 or not all(map(math.isfinite, numbers.values())):
            raise ValueError(f"temperature {numbers}")
        before, after = (_rows(data.get(name, [])) for name in ("bins_before", "bins_after"))
        return cls(pixels=int(data["pixels"]), bins_before=before, bins_after=after, **numbers)


class LogitSample:
    """Logits of random labelled pixels, at most ``per_image`` of each image, the same limit for every image.

    Args:
        per_image: pixels per image; halved, also for images added before, whenever there would be more than ``most``.
        most: pixels in total; bounds the memory to 4 q bytes for each.
        seed: seed of the choice, combined with the number of the image: earlier images do not change the choice.
    """

    def __init__(self, per_image: int = 2000, seed: int = 0, most: int = 400_000) -> None:
        self._per_image, self._seed, self._images, self._most = per_image, seed, 0, most
        self._logits: list[np.ndarray] = []  # (n, q) float32 of each image, in random order
        self._truth: list[np.ndarray] = []

    def add(self, maps: LogitMaps, truth: np.ndarray) -> None:
        """Add one image.

        Args:
            maps: logits or log-probabilities, which give the same softmax, or class sums L, whose log(L / sum L) does.
            truth: (H, W) uint8 class ids; values that are not a class do not count.

        Raises:
            LogitsError: the logits cannot be used.
        """
        prepared = prepare_sums(maps) if maps.linear else prepare(maps)
        rng, self._images = np.random.default_rng((self._seed, self._images)), self._images + 1
        labelled = truth < maps.logits.shape[0]
        faulty = prepared.faulty()
        if faulty is not None:
            labelled &= ~faulty.numpy(force=True)
        known = np.flatnonzero(labelled)
        # in random order, so that the first half of them is a random half
        places = known[rng.choice(len(known), min(self._per_image, len(known)), replace=False)]
        self._logits.append(_logits_at(prepared, places, maps.linear))
        self._truth.append(truth.ravel()[places])
        while len(self) > self._most and self._per_image > 1:
            self._per_image //= 2
            self._logits, self._truth = (
                [rows[: self._per_image].copy() for rows in held] for held in (self._logits, self._truth)
            )

    def __len__(self) -> int:
        return sum(map(len, self._truth))

    def temperature(self) -> Temperature | None:
        """The best temperature and what it changes; None for a sample without pixels."""
        if not len(self):
            return None
        logits, truth = np.concatenate(self._logits).astype(np.float64), np.concatenate(self._truth).astype(np.intp)
        # log T: the NLL is convex in 1/T, so it has one minimum in either
        low, high = (math.log(t) for t in _RANGE)
        best = minimize_scalar(lambda u: nll(logits / math.exp(u), truth), bounds=(low, high), method="bounded")
        value = math.exp(float(best.x))
        before, after = (reliability(*_confidence(scaled, truth)) for scaled in (logits, logits / value))
        return Temperature(
            value=value,
            nll_before=nll(logits, truth),
            nll_after=nll(logits / value, truth),
            ece_before=error_of_bins(*before),
            ece_after=error_of_bins(*after),
            pixels=len(truth),
            bins_before=_table(*before),
            bins_after=_table(*after),
        )


def _logits_at(prepared: Prepared, places: np.ndarray, linear: bool = False) -> np.ndarray:
    """(n, q) float32 upsampled logits of some pixels only, (n,) positions in the output grid.

    Of class sums (``linear``), the logarithm of their distribution: p^(1/T), normalised, is softmax(log p / T).
    """
    values, device = prepared.values, prepared.values.device
    rows, columns = np.divmod(places, prepared.size[1])
    vertical, horizontal = grid_taps(values.shape[1:], prepared.size, prepared.placement)
    top, bottom, down = (torch.from_numpy(part[rows]).to(device) for part in vertical)
    left, right, along = (torch.from_numpy(part[columns]).to(device) for part in horizontal)
    above = torch.lerp(values[:, top, left], values[:, top, right], along)
    below = torch.lerp(values[:, bottom, left], values[:, bottom, right], along)
    found = torch.lerp(above, below, down)
    if linear:
        found = to_shares(found).log_().clamp_min_(LOG_FLOOR)
    return found.T.contiguous().numpy(force=True)


def nll(logits: np.ndarray, truth: np.ndarray) -> float:
    """Mean of -log softmax of the true class, (n, q) logits and (n,) ids, in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    own = shifted[np.arange(len(truth)), truth]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - own))


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> tuple[np.ndarray, ...]:
    """Number, mean confidence and accuracy of the samples in each of ``bins`` equal parts of (0, 1]; 0 where empty."""
    index = np.clip(np.ceil(confidence * bins).astype(np.intp) - 1, 0, bins - 1)
    count = np.bincount(index, minlength=bins)
    sums = (np.bincount(index, weights, bins) for weights in (confidence, correct))
    mean, accuracy = (total / np.maximum(count, 1) for total in sums)
    return count, mean, accuracy


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """Mean distance of confidence and accuracy over the bins, weighted by their samples; in [0, 1]."""
    return error_of_bins(*reliability(confidence, correct, bins))


def error_of_bins(count: np.ndarray, mean: np.ndarray, accuracy: np.ndarray) -> float:
    """The expected calibration error of the bins of :func:`reliability` (Guo et al., equation 3); 0 if empty."""
    return float((count * np.abs(mean - accuracy)).sum() / max(count.sum(), 1))


def _table(count: np.ndarray, mean: np.ndarray, accuracy: np.ndarray) -> tuple[tuple[float, ...], ...]:
    rows = np.stack([count / max(count.sum(), 1), mean, accuracy], axis=1)
    return tuple(tuple(row) for row in rows.tolist())


def _rows(data: object) -> tuple[tuple[float, ...], ...]:
    if not isinstance(data, list):
        raise TypeError(f"{type(data).__name__} where rows of a reliability diagram are expected")
    rows = tuple(tuple(float(value) for value in row) for row in data)
    if any(len(row) != 3 or not all(map(math.isfinite, row)) for row in rows):
        raise ValueError("rows of a reliability diagram: expected three numbers each")
    return rows


def _confidence(logits: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return 1.0 / np.exp(shifted).sum(axis=1), logits.argmax(axis=1) == truth
