"""The second pass over images with anomalies: segments at the thresholds that the first pass has given.

The network runs on every image again, because the score maps of a data set are too large to keep. Only the metrics of
an image's segments and their overlaps with ground truth are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros import segments
from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.evaluation.anomaly.objects import NO_LIMITS, Overlaps, SizeLimits, overlaps
from trust_seg_ros.evaluation.anomaly.passes import Look, Progress, Seen, first_reason, walk
from trust_seg_ros.evaluation.errors import AnomalyError
from trust_seg_ros.grid import Size
from trust_seg_ros.meta.ood import OodData
from trust_seg_ros.meta.sizes import common_grid
from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.types import UNLABELLED


@dataclass(frozen=True)
class Cut:
    """Segments of a data set: components of {score >= threshold}, void left out.

    Attributes:
        data: metrics of the segments that are not below the limit; no metrics if none were asked for.
        indices: positions of the images in the data set.
        overlaps: for each image, overlaps of all its segments.
        large: for each image, (p,) bool, segments not below the limit: the rows of ``data``, in order.
        sweep: (k, 3) float64, further thresholds with their false positives and false negatives.
        grids: sizes of the grids that the segments were made on, each once.
    """

    data: OodData
    indices: tuple[int, ...]
    overlaps: tuple[Overlaps, ...]
    large: tuple[np.ndarray, ...]
    sweep: np.ndarray
    grids: tuple[Size, ...] = ()

    def kept(self, discarded: np.ndarray | None) -> list[np.ndarray]:
        """For each image, (p,) bool: segments that are large and not discarded.

        Args:
            discarded: (n,) bool for the rows of ``data``; None = none.
        """
        if discarded is None:
            return list(self.large)
        ends = np.cumsum([int(large.sum()) for large in self.large])
        kept = [large.copy() for large in self.large]
        for mask, part in zip(kept, np.split(~discarded, ends[:-1]), strict=True):
            mask[mask] = part
        return kept


def cut(
    look: Look,
    images: OodImages,
    thresholds: Mapping[str, float],
    *,
    metrics: bool = True,
    limits: SizeLimits = NO_LIMITS,
    sweeps: Mapping[str, np.ndarray] | None = None,
    progress: Progress | None = None,
) -> dict[str, Cut]:
    """Second pass: the segments of every score at one threshold, compared with ground truth; see :func:`cuts`."""
    several = {score: (threshold,) for score, threshold in thresholds.items()}
    found = cuts(look, images, several, metrics=metrics, limits=limits, sweeps=sweeps, progress=progress)
    return {score: parts[0] for score, parts in found.items()}


def cuts(
    look: Look,
    images: OodImages,
    thresholds: Mapping[str, Sequence[float]],
    *,
    metrics: bool = True,
    limits: SizeLimits = NO_LIMITS,
    sweeps: Mapping[str, np.ndarray] | None = None,
    progress: Progress | None = None,
) -> dict[str, tuple[Cut, ...]]:
    """Second pass: the segments of every score, compared with ground truth.

    Args:
        look, images: as in the first pass.
        thresholds: score -> thresholds, at least one; the sweep is counted with the first.
        metrics: measure the segments for meta classification.
        limits: smaller segments do not count as errors, and are neither fitted on nor judged; predicted ones are
            measured in pixels of the grid, as by the node's ``ood.min_size``.
        sweeps: score -> further thresholds (k,) whose segment errors are counted as well.
        progress: called with (done, total).
    """
    parts: dict[str, list[list[_Part]]] = {score: [[] for _ in thresholds[score]] for score in look.scores}
    grids = {score: np.asarray((sweeps or {}).get(score, ()), np.float64) for score in look.scores}
    sums = {score: np.zeros((len(grid), 2)) for score, grid in grids.items()}
    for seen in walk(look, images):
        for score in look.scores:
            for found, threshold in zip(parts[score], thresholds[score], strict=True):
                found.append(_part(seen, score, threshold, metrics, limits))
            for row, threshold in enumerate(grids[score]):
                met, large = _compared(seen, _components(seen.planes[score], seen.void, threshold), limits)
                sums[score][row] += met.errors(large, SizeLimits(1, limits.actual))
        if progress is not None:
            progress(seen.index + 1, len(images))
    swept = {score: np.column_stack([grids[score], sums[score]]) for score in look.scores}
    return {
        score: tuple(
            _joined(found, look, images, score, threshold, swept[score] if k == 0 else swept[score][:0])
            for k, (found, threshold) in enumerate(zip(parts[score], thresholds[score], strict=True))
        )
        for score in look.scores
    }


@dataclass(frozen=True)
class _Part:
    index: int
    names: tuple[str, ...]
    metrics: np.ndarray
    class_ids: np.ndarray
    overlaps: Overlaps
    large: np.ndarray
    size: Size
    grid: Size


def _part(seen: Seen, score: str, threshold: float, metrics: bool, limits: SizeLimits) -> _Part:
    plane = seen.planes[score]
    if metrics:
        table = segments.ood_segment_table(plane, threshold, seen.maps, seen.answer, "all", ignore=seen.void)
        found, names, values, classes = table.ids, table.names, table.metrics, table.class_ids
    else:
        found = _components(plane, seen.void, threshold)
        names, values, classes = (), np.empty((int(found.max(initial=0)), 0)), np.empty(0, np.uint8)
    met, large = _compared(seen, found, limits)
    own = classes[large] if metrics else classes
    return _Part(seen.index, names, values[large], own, met, large, seen.truth.shape, seen.answer.size)


def _compared(seen: Seen, ids: np.ndarray, limits: SizeLimits) -> tuple[Overlaps, np.ndarray]:
    """Overlaps of components, as published, with ground truth; and which of them are large enough on the grid."""
    sizes = np.bincount(ids.ravel())[1:]
    return overlaps(seen.published(ids), seen.truth, len(sizes)), sizes >= limits.predicted


def _components(plane: np.ndarray, void: np.ndarray, threshold: float) -> np.ndarray:
    """Numbers (H', W') of the components of {score >= threshold}, compared in float32 as ``segments`` does."""
    above = (plane >= np.float32(threshold)) & ~void
    return find_components(np.where(above, np.uint8(0), np.uint8(UNLABELLED))).ids


def _joined(parts: list[_Part], look: Look, images: OodImages, score: str, threshold: float, sweep: np.ndarray) -> Cut:
    if not parts:
        raise AnomalyError(f"{images.name}: none of {len(images)} images could be read: {first_reason(look.skipped)}")
    data = OodData(
        names=parts[0].names,
        metrics=np.concatenate([part.metrics for part in parts]),
        false_alarm=np.concatenate([part.overlaps.false_alarms[part.large] for part in parts]),
        class_ids=np.concatenate([part.class_ids for part in parts]),
        image=np.concatenate([np.full(int(part.large.sum()), part.index, np.int32) for part in parts]),
        images=images.names,
        network=look.network.name,
        class_names=look.network.labels.names,
        score=score,
        threshold=float(threshold),
        image_sizes=tuple(sorted({part.size for part in parts})),
        network_sha256=network_sha256(look.network),
        grid=common_grid(look.grid, [part.grid for part in parts]),
    )
    return Cut(
        data,
        tuple(part.index for part in parts),
        tuple(part.overlaps for part in parts),
        tuple(part.large for part in parts),
        sweep,
        tuple(sorted({part.grid for part in parts})),
    )
