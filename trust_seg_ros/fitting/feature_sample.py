"""Pixels to make feature statistics from: drawn by class, away from pixels without a class, the same for one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch

from trust_seg_ros.fitting.feature_fit import BANK, fit_features
from trust_seg_ros.types import UNLABELLED, Classifier, LogitMaps, Placement
from trust_seg_ros.uncertainty.errors import FeatureStatisticsError
from trust_seg_ros.uncertainty.feature_inputs import layer_of, logits_on_features, read_features
from trust_seg_ros.uncertainty.feature_statistics import FeatureStatistics

PIXELS = 44_000
"""Number of pixels kept, over all classes."""
MOST_VALUES = 64_000_000
"""Number of feature values kept, 256 MB: wide features have fewer pixels."""
_OF_AN_IMAGE = 200  # most pixels of a class from one image, so that no image stands for a class


@dataclass
class FeatureSample:
    """Collects features and logits of labelled pixels, image by image.

    Of each class the pixels with the smallest random numbers are kept; these depend on the seed and the place of the
    image alone, so that the order of the images does not matter.

    Attributes:
        class_names: names of the classes.
        seed: of the random numbers.
        layer: layer of the features, known after the first image.
    """

    class_names: tuple[str, ...]
    seed: int = 0
    layer: str | None = None
    _raw: bool = True
    _seen: dict[int, int] = field(default_factory=dict)
    _classifier: Classifier | None = None
    _kept: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)

    def add(self, answer: LogitMaps, truth: np.ndarray, place: int) -> None:
        """Add pixels of one image.

        Args:
            answer: the network's output with features.
            truth: (H, W) uint8 class ids, 255 = no class.
            place: position of the image in the data set.

        Raises:
            FeaturesNeededError, FeaturesError: the network gives no features that can be used.
            FeatureStatisticsError: features of another width than before.
        """
        features, self.layer = read_features(answer), layer_of(answer)
        self._raw, self._classifier = answer.raw, None if self.layer else answer.classifier
        depth, grid = int(features.shape[0]), (int(features.shape[1]), int(features.shape[2]))
        if any(kept[1].shape[1] != depth for kept in self._kept.values()):
            raise FeatureStatisticsError(f"features of {depth} values; expected as many as in the images before")
        logits = logits_on_features(replace(answer, logits=answer.logits.float()), features.shape)
        ids = grid_classes(truth, grid, answer.placement if answer.logits.shape[1:] == features.shape[1:] else None)
        finite = (features.isfinite().all(0) & logits.isfinite().all(0)).numpy(force=True)
        rng = np.random.default_rng((self.seed, place))
        for k in range(len(self.class_names)):
            rows, columns = np.nonzero((ids == k) & finite)
            draw = rng.random(len(rows))
            first = np.argsort(draw, kind="stable")[:_OF_AN_IMAGE]
            self._seen[k] = self._seen.get(k, 0) + len(rows)
            if len(first):
                y, x = torch.from_numpy(rows[first]), torch.from_numpy(columns[first])
                at = features[:, y, x].T.float().numpy(force=True), logits[:, y, x].T.numpy(force=True)
                self._keep(k, draw[first], *at)

    def _keep(self, k: int, draw: np.ndarray, features: np.ndarray, logits: np.ndarray) -> None:
        if k in self._kept:
            old = self._kept[k]
            draw, features, logits = (np.concatenate(pair) for pair in zip(old, (draw, features, logits), strict=True))
        most = max(1, min(PIXELS, MOST_VALUES // features.shape[1]) // len(self.class_names))
        first = np.argsort(draw, kind="stable")[:most]
        self._kept[k] = draw[first], features[first], logits[first]

    def pixels(self, *, allow_absent: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features (n, D) float32, logits (n, q) float32 and weights (n,) float64 of all classes.

        A weight is the number of pixels of its class for each one kept: weighted, the classes are as frequent as they
        are in the images.

        Args:
            allow_absent: a class may have no pixel.

        Raises:
            FeatureStatisticsError: a class has no pixel, or there is none at all.
        """
        absent = [name for k, name in enumerate(self.class_names) if k not in self._kept]
        if not self._kept or (absent and not allow_absent):
            raise FeatureStatisticsError(
                f"feature statistics: 0 pixels of {', '.join(absent)} away from pixels without a label; expected some "
                "of every class, as what is not seen counts as unknown: give more images (--split several times), or "
                "accept that with --allow-absent"
            )
        parts = [self._kept[k] for k in sorted(self._kept)]
        weights = [np.full(len(self._kept[k][0]), self._seen[k] / len(self._kept[k][0])) for k in sorted(self._kept)]
        features, logits = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
        return features, logits, np.concatenate(weights)

    def statistics(
        self, bank: int = BANK, *, network: str = "", network_sha256: str = "", allow_absent: bool = False
    ) -> FeatureStatistics:
        """Statistics from everything added; see ``fit_features``.

        Raises:
            FeatureStatisticsError: as :meth:`pixels` and ``fit_features``.
        """
        features, logits, weights = self.pixels(allow_absent=allow_absent)
        return fit_features(
            features,
            logits if self._raw else None,
            self._classifier,
            weights=weights,
            layer=self.layer or "",
            bank=bank,
            network=network,
            network_sha256=network_sha256,
            seed=self.seed,
        )

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes without a pixel so far."""
        return tuple(name for k, name in enumerate(self.class_names) if k not in self._kept)


def grid_classes(truth: np.ndarray, grid: Sequence[int], placement: Placement | None = None) -> np.ndarray:
    """Class of every cell of a grid: that of its centre, or 255 if a pixel without a class is near.

    Args:
        truth: (H, W) uint8 class ids, 255 = no class.
        grid: (h, w), at most as large.
        placement: where the image lies on the grid; None = the grid is stretched over it.

    Returns:
        (h, w) uint8; 255 where a pixel within one and a half cells of the centre has no class, and beyond the image.
    """
    h, w = grid
    height, width = truth.shape
    sides = [2 * -(-3 * n // (2 * m)) + 1 for n, m in ((height, h), (width, w))]
    near = cv2.dilate((truth == UNLABELLED).astype(np.uint8), np.ones(sides, np.uint8))
    (rows, down), (columns, along) = (
        _centres(cells, side, None if placement is None else placement.axes[axis])
        for axis, (cells, side) in enumerate(zip(grid, truth.shape, strict=True))
    )
    at = np.ix_(rows, columns)
    inside = down[:, None] & along
    return np.where((near[at] > 0) | ~inside, np.uint8(UNLABELLED), truth[at])


def _centres(cells: int, side: int, axis: tuple[int, float, float] | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows or columns of an image where the centres of cells lie, and whether the image reaches there."""
    n, first, step = (side, cells / side / 2 - 0.5, cells / side) if axis is None else axis
    places = ((np.arange(cells) - first) / (step or 1.0) + 0.5) * side / n
    inside = (places > -1e-6) & (places < side + 1e-6)
    return np.clip(places.astype(int), 0, side - 1), inside
