"""The first of two passes over images with anomalies: the pixels are pooled into counts. ``cuts`` is the second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.datasets.reading import read_or_skip
from trust_seg_ros.evaluation.anomaly.curves import Counts
from trust_seg_ros.evaluation.anomaly.pooling import BoundedScores
from trust_seg_ros.evaluation.errors import AnomalyError
from trust_seg_ros.evaluation.timed_scores import timed_scores
from trust_seg_ros.grid import AS_IMAGE, Grid, resized
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import UNLABELLED, LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

EXACT_VALUES = 12_000_000
"""Number of pixel scores kept exactly, over all score maps; beyond it, histograms are used."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Look:
    """What is computed for every image.

    Attributes:
        network: the network to run.
        scores: names of the score maps, as in ``uncertainty.score_names``.
        gradient: settings of the gradient scores.
        keep_going: leave out images that cannot be read; they are listed in ``skipped``.
        statistics: the network's statistics, for standardized_max_logit and feature scores.
        grid: the grid that segments are made on; pixels are always counted at the size of the labels.
        skipped: name of the image -> why it was left out.
    """

    network: SegmentationNetwork
    scores: tuple[str, ...]
    gradient: GradientSettings = IN_LOGARITHMS
    keep_going: bool = False
    statistics: NetworkStatistics = NO_STATISTICS
    grid: Grid = AS_IMAGE
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """One image with its ground truth and its scores.

    Attributes:
        index: position in the data set.
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) uint8: 0 in distribution, 1 anomaly, 255 void.
        answer, maps: the network's output, on the grid; the maps are on the host.
        planes: score -> (H', W') float32, on the grid.
        milliseconds: score, and "network" -> time; softmax scores are computed together and share one time.
    """

    index: int
    image: np.ndarray
    truth: np.ndarray
    answer: LogitMaps
    maps: UncertaintyMaps
    planes: dict[str, np.ndarray]
    milliseconds: dict[str, float]

    @property
    def void(self) -> np.ndarray:
        """(H', W') bool, void on the grid."""
        return resized(self.truth == UNLABELLED, self.answer.size)

    def published(self, ids: np.ndarray) -> np.ndarray:
        """Numbers (H', W') of components on the grid as (H, W), 0 on void."""
        found = resized(ids, self.truth.shape)
        return found if found is ids else np.where(self.truth == UNLABELLED, 0, found)


@dataclass(frozen=True)
class Pixels:
    """Pixels of a data set.

    Attributes:
        counts: score -> pooled counts.
        exact: score -> whether no pixel was rounded into a bin.
        milliseconds: score, and "network" -> median time per image.
        images, inside, anomalous: number of images, of in-distribution pixels and of anomalous pixels, without void.
    """

    counts: dict[str, Counts]
    exact: dict[str, bool]
    milliseconds: dict[str, float]
    images: int
    inside: int
    anomalous: int


def walk(
    look: Look, images: OodImages, indices: Sequence[int] | None = None, grid: Grid | None = None
) -> Iterator[Seen]:
    """Every image, or some, with its scores.

    Args:
        look: network and scores.
        images: the data set.
        indices: positions of the images; None = all.
        grid: where scores are made; None = the grid of ``look``.

    Raises:
        DatasetError: an image or its labels cannot be read, and ``look.keep_going`` is off.
        TrustSegError: the network fails, or cannot give a score.
    """
    for index in range(len(images)) if indices is None else indices:
        if images.names[index] in look.skipped:
            continue
        read = read_or_skip(images, index, images.names[index], look.keep_going, look.skipped)
        if read is not None:
            yield _seen(look, index, *read, look.grid if grid is None else grid)


def pool(look: Look, images: OodImages, progress: Progress | None = None) -> Pixels:
    """First pass: the pixels of every score, pooled.

    Raises:
        AnomalyError: no anomaly, or nothing else, in the whole data set.
        TrustSegError: as :func:`walk`.
    """
    return pool_all([(look, images)], lambda _: progress)


def pool_all(
    sources: Sequence[tuple[Look, OodImages]], announce: Callable[[str], Progress | None] = lambda _: None
) -> Pixels:
    """The pixels of several data sets, pooled as if they were one.

    Args:
        sources: what is computed, and the images; the scores are the same for all.
        announce: title of the next step -> callback for its (done, total).

    Raises:
        AnomalyError: a data set none of whose images can be read; no anomaly, or nothing else, in all of them.
        TrustSegError: as :func:`walk`.
    """
    scores = sources[0][0].scores
    pools = {score: BoundedScores(EXACT_VALUES // len(scores)) for score in scores}
    times: dict[str, list[float]] = {score: [] for score in (*scores, "network")}
    kinds, seen_images = np.zeros(2, np.int64), 0
    for look, images in sources:
        before, progress = seen_images, announce(f"pixels of {images.name}")
        for seen in walk(look, images, grid=AS_IMAGE):
            for score, plane in seen.planes.items():
                pools[score].add(plane, seen.truth)
            for name, value in seen.milliseconds.items():
                times[name].append(value)
            kinds += np.bincount(seen.truth.ravel(), minlength=2)[:2]
            seen_images += 1
            if progress is not None:
                progress(seen.index + 1, len(images))
        if seen_images == before:
            raise AnomalyError(
                f"{images.name}: none of {len(images)} images could be read: {first_reason(look.skipped)}"
            )
    exact = {score: pooled.exact for score, pooled in pools.items()}
    counts = {score: pools.pop(score).counts() for score in scores}  # free pixels as soon as possible
    # the first image may include compilation time
    medians = {name: float(np.median(values[1:] or values)) for name, values in times.items()}
    return Pixels(counts, exact, medians, seen_images, *kinds.tolist())


def _seen(look: Look, index: int, image: np.ndarray, truth: np.ndarray, grid: Grid) -> Seen:
    found = timed_scores(look.network, image, look.scores, look.gradient, look.statistics, grid=grid)
    return Seen(index, image, truth, found.answer, found.maps, found.planes, found.milliseconds)


def first_reason(skipped: Mapping[str, str]) -> str:
    """Why the first image was left out, in words."""
    return next(iter(skipped.values()), "there is none")
