"""One pass of a network over labelled images, clean or shifted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from trust_seg_ros.datasets.folders import Sample
from trust_seg_ros.datasets.reading import read_or_skip
from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.timed_scores import ScoreOf, timed_scores
from trust_seg_ros.evaluation.trust import distance
from trust_seg_ros.evaluation.trust.counts import DataCounts
from trust_seg_ros.evaluation.trust.gather import ReliabilityGatherer, ScoreGatherer
from trust_seg_ros.evaluation.trust.grid import score_grid
from trust_seg_ros.evaluation.trust.policy_words import NamedPolicy
from trust_seg_ros.grid import AS_IMAGE, Grid, resized
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import UNLABELLED, Frame, GridFrame, TrustFrame, UncertaintyMaps
from trust_seg_ros.uncertainty.frame_scores import missing_scores
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

SAMPLED = 8
"""Number of images from which the bins are made."""
_PIXELS = 50_000  # at least so many pixels of either kind from each image
Progress = Callable[[int, int], None]


class LabelledImages(Protocol):
    """A labelled folder, or one whose images are corrupted while they are read."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Sample]: ...
    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and labels (H, W) uint8, 255 = no class."""


@dataclass(frozen=True)
class Look:
    """What is computed for every image.

    Attributes:
        network: the network to run.
        scores: names of pixel scores.
        policies: policies without calibration are counted in the pass.
        gradient: settings of the gradient scores.
        keep_going: leave out images that cannot be read.
        statistics: the network's statistics, for standardized_max_logit and feature scores.
        grid: where scores are made; they are judged at the size of the labels, as the node publishes them.
        more: further scores beyond ``score_names.SCORES``: name -> function of the image, the network's answer and its
            maps.
    """

    network: SegmentationNetwork
    scores: tuple[str, ...]
    policies: tuple[NamedPolicy, ...] = ()
    gradient: GradientSettings = IN_LOGARITHMS
    keep_going: bool = False
    statistics: NetworkStatistics = NO_STATISTICS
    more: Mapping[str, ScoreOf] = field(default_factory=dict)
    grid: Grid = AS_IMAGE


@dataclass(frozen=True)
class Seen:
    """One image with its ground truth and its scores.

    Attributes:
        place: position in the data set.
        sample: the image's entry in the data set.
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) uint8 class ids, 255 = void.
        maps: uncertainty maps, on the host.
        planes: score -> (H, W) float32.
        milliseconds: score, and "network" -> time.
    """

    place: int
    sample: Sample
    image: np.ndarray
    truth: np.ndarray
    maps: UncertaintyMaps
    planes: dict[str, np.ndarray]
    milliseconds: dict[str, float]

    @property
    def predicted(self) -> np.ndarray:
        """(H, W) uint8 class ids, 255 where the logits were not finite."""
        return self.maps.classes.numpy()


def walk(
    look: Look, images: LabelledImages, places: Iterable[int] | None = None, skipped: dict[str, str] | None = None
) -> Iterator[Seen]:
    """Every image, or some, with its scores.

    Args:
        look: network and scores.
        images: the data set.
        places: positions of the images; None = all.
        skipped: receives the images left out: name -> why.

    Raises:
        DatasetError: an image or its labels cannot be read, and ``look.keep_going`` is off.
        TrustSegError: the network fails, or cannot give a score.
    """
    samples, skipped = list(images), {} if skipped is None else skipped
    for place in range(len(samples)) if places is None else places:
        sample = samples[place]
        read = read_or_skip(images, sample, sample.name, look.keep_going, skipped)
        if read is not None:
            yield _seen(look, place, sample, *read)


def score_grids(look: Look, images: LabelledImages, number: int = SAMPLED) -> dict[str, np.ndarray]:
    """Bins for every score, from a few images spread over the data set; see ``grid.score_grid``.

    Raises:
        TrustStudyError: none of them could be read.
        TrustSegError: as :func:`walk`.
    """
    parts: dict[str, list[list[np.ndarray]]] = {score: [[], []] for score in look.scores}
    places = np.unique(np.linspace(0, len(images) - 1, number).round().astype(int)).tolist() if len(images) else []
    seen_any = False
    for seen in walk(look, images, places):
        seen_any = True
        valid = seen.truth != UNLABELLED
        wrong = seen.predicted != seen.truth
        step = max(1, seen.truth.size // _PIXELS)
        for score, plane in seen.planes.items():
            for kind, mask in enumerate((valid & ~wrong, valid & wrong)):
                parts[score][kind].append(plane[mask][:: step if mask.sum() > _PIXELS else 1])
    if not seen_any:
        raise TrustStudyError(f"none of the images {places} could be read; expected labelled images")
    return {score: score_grid(np.concatenate(bad), np.concatenate(good)) for score, (good, bad) in parts.items()}


def count(
    look: Look,
    images: LabelledImages,
    name: str,
    grids: Mapping[str, np.ndarray],
    progress: Progress | None = None,
) -> DataCounts:
    """Count the pixels of all images.

    Args:
        look: network, scores and policies.
        images: the data set.
        name: name for tables.
        grids: score -> bins, from :func:`score_grids`; the same for all data sets that are compared.
        progress: called with (done, total).

    Raises:
        TrustStudyError: no image could be read, or no pixel has a class.
        TrustSegError: as :func:`walk`.
    """
    names = look.network.labels.names
    scores = {score: ScoreGatherer(score, grids[score], len(names), look.policies) for score in look.scores}
    reliable = ReliabilityGatherer()
    samples, places, times = [], [], []
    skipped: dict[str, str] = {}
    total = len(images)
    with ThreadPoolExecutor(1, thread_name_prefix="trust_counts") as counter:
        waiting: Future[None] | None = None
        for seen in walk(look, images, skipped=skipped):
            if waiting is not None:
                waiting.result()  # count one image while the network runs on the next
            waiting = counter.submit(_add, seen, scores, reliable)
            samples.append(seen.sample)
            places.append(seen.place)
            times.append(seen.milliseconds["network"])
            if progress is not None:
                progress(seen.place + 1, total)
        if waiting is not None:
            waiting.result()
    if not samples:
        raise TrustStudyError(
            f"{name}: none of {total} images could be read: {next(iter(skipped.values()), 'no images')}"
        )
    found = DataCounts(
        name,
        tuple(sample.name for sample in samples),
        tuple(sample.drive for sample in samples),
        np.array(places, np.int64),
        names,
        {score: gatherer.counts() for score, gatherer in scores.items()},
        reliable.reliability(),
        skipped,
        float(np.median(times[1:] or times)),
    )
    if not found.totals.any():
        raise TrustStudyError(
            f"{name}: no pixel of {len(samples)} images has a class; expected labels to judge by (the public labels of "
            "the test split of Cityscapes are empty: take val)"
        )
    return found


def given_scores(look: Look, wanted: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The scores that the network can give, and why it cannot give the others; runs it once."""
    missing = missing_scores(look.network, look.gradient, look.statistics)
    return tuple(s for s in wanted if s not in missing), {s: missing[s] for s in wanted if s in missing}


def _add(seen: Seen, scores: dict[str, ScoreGatherer], reliable: ReliabilityGatherer) -> None:
    predicted = seen.predicted
    far = distance.ranges(predicted)
    for score, gatherer in scores.items():
        gatherer.add(seen.planes[score], predicted, seen.truth, far, seen.milliseconds[score])
    reliable.add(seen.maps.variation_ratio.numpy(), predicted, seen.truth)


def _seen(look: Look, place: int, sample: Sample, image: np.ndarray, truth: np.ndarray) -> Seen:
    found = timed_scores(look.network, image, look.scores, look.gradient, look.statistics, look.more, look.grid)
    maps = TrustFrame(Frame(image), GridFrame(found.maps)).maps
    planes = {score: resized(plane, truth.shape) for score, plane in found.planes.items()}
    return Seen(place, sample, image, truth, maps, planes, found.milliseconds)
