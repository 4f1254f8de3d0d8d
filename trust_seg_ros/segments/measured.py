"""The input of a family of metrics: the segments of an image, and the sums over their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trust_seg_ros.segments.labelling import Components
from trust_seg_ros.segments.sums import SegmentSums


@dataclass(frozen=True)
class Moments:
    """Means of one map, and of its squares, over n segments; each (n, 2) float64: mean, mean square.

    Attributes:
        over_all: all pixels of the segment.
        over_interior: its interior; 0 where that is empty.
        over_boundary: its boundary.
    """

    over_all: np.ndarray
    over_interior: np.ndarray
    over_boundary: np.ndarray

    @cached_property
    def means(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means over all, interior and boundary, each (n,) float64."""
        return self.over_all[:, 0], self.over_interior[:, 0], self.over_boundary[:, 0]

    @cached_property
    def variances(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Variances over all, interior and boundary, each (n,) float64, at least 0."""
        return _variance(self.over_all), _variance(self.over_interior), _variance(self.over_boundary)


def _variance(moments: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.maximum(moments[:, 1] - moments[:, 0] ** 2, 0.0)
    return found


@dataclass(frozen=True)
class Measured:
    """The n segments of an image.

    Attributes:
        found: the components: ids (H, W), classes, boxes, sizes.
        classes: (H, W) uint8 predicted classes; a component may span several (out-of-distribution segments).
        n_classes: number q of classes.
        maps: name -> (H, W) float32, the maps of the feature set.
        sums: sums over the segments; ``cprob`` and ``ndist`` if a family of the set needs them.
        whole: (n,) bool, the segment fills the image; then all of it counts as boundary.
        size, interior, boundary: (n,) float64 pixels.
        query: (n, 2) float64, see ``queries.query_metrics``; None where the segments are not those of queries.
    """

    found: Components
    classes: np.ndarray
    n_classes: int
    maps: Mapping[str, np.ndarray]
    sums: SegmentSums
    whole: np.ndarray
    size: np.ndarray
    interior: np.ndarray
    boundary: np.ndarray
    query: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        found: Components,
        classes: np.ndarray,
        n_classes: int,
        maps: Mapping[str, np.ndarray],
        sums: SegmentSums,
        query: np.ndarray | None = None,
    ) -> Measured:
        """The segments with sizes and boundaries derived from the sums."""
        size = found.sizes.astype(np.float64)
        inside = sums.sizes[:, 0]
        whole = inside == size
        inside = np.where(whole, 0.0, inside)
        return cls(found, classes, n_classes, maps, sums, whole, size, inside, size - inside, query)

    @property
    def relative(self) -> np.ndarray:
        """(n,) float64, S_rel: size per pixel of boundary."""
        found: np.ndarray = self.size / self.boundary
        return found

    @property
    def relative_interior(self) -> np.ndarray:
        """(n,) float64, S_in_rel: interior per pixel of boundary."""
        found: np.ndarray = self.interior / self.boundary
        return found

    def moments(self, name: str) -> Moments:
        """Means of the map called ``name``, one of ``maps``."""
        total, whole = self.sums.maps[name], self.whole[:, None]
        filled = np.where(whole, total[:, [0, 2]], 0.0)
        inner, outer = total[:, [0, 2]] - filled, total[:, [1, 3]] + filled
        return Moments(
            (inner + outer) / self.size[:, None],
            inner / np.maximum(self.interior, 1.0)[:, None],
            outer / self.boundary[:, None],
        )
