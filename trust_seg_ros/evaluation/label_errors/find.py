"""Finds label errors of a data set: the network over the images once, then the list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from trust_seg_ros.datasets.folders import DatasetError, LabelledFolder, Sample
from trust_seg_ros.evaluation.label_errors.evidence import Evidence, evidence_of
from trust_seg_ros.evaluation.label_errors.listing import PER_IMAGE, LabelError, listed
from trust_seg_ros.evaluation.label_errors.ranking import ranked
from trust_seg_ros.fitting.collect_worker import portable_reason
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments import segment_table
from trust_seg_ros.types import LogitMaps, SegmentTable
from trust_seg_ros.uncertainty import uncertainty_maps
from trust_seg_ros.uncertainty.logits import class_probabilities

SMALLEST = 1 / 5000
"""Share of an image that a region covers at least, by default (35 pixels of 480×360)."""


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """What was found.

    Attributes:
        errors: the list, likeliest first.
        samples: the images, by the positions in ``errors``.
        classes: per image, the predicted classes as a PNG file, which :func:`decoded` reads.
        regions: number of disputed regions, from which the list was chosen.
        weights: (len(FEATURES),) float64, see ``ranking.Ranking``; None = nothing could be learned.
        skipped: images left out: name to reason.
        labelled: pixels with a label.
    """

    errors: tuple[LabelError, ...]
    samples: tuple[Sample, ...]
    classes: tuple[bytes, ...]
    regions: int
    weights: np.ndarray | None
    skipped: dict[str, str]
    labelled: int


@dataclass(frozen=True, eq=False)
class Prediction:
    """A network's answer, on the pixels of the labels.

    Attributes:
        classes: (H, W) uint8 predicted classes, 255 = none.
        prob: (q, H, W) float32 softmax.
        table: the predicted segments, without the pixels that the labels ignore.
    """

    classes: np.ndarray
    prob: np.ndarray
    table: SegmentTable


def find_label_errors(
    network: SegmentationNetwork,
    folder: LabelledFolder,
    *,
    top: int = 300,
    per_image: int = PER_IMAGE,
    min_size: int | None = None,
    seed: int = 0,
    keep_going: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LabelErrors:
    """List the places of a data set where its labels are probably wrong.

    Args:
        network: a network that was not trained on these labels: it repeats the errors that it has learned.
        folder: the images and their labels.
        top: most entries.
        per_image: most entries of one image.
        min_size: pixels of the smallest region; None = ``SMALLEST`` of each image.
        seed: of the errors made on purpose, from which the ranking is learned.
        keep_going: leave out images that cannot be read; else the first one is an error.
        progress: called with the number of images done and of all images.

    Raises:
        DatasetError: an image cannot be read and ``keep_going`` is False, none can be, or no pixel has a label.
        TrustSegError: the network fails.
    """
    kept: list[tuple[Sample, Evidence, bytes]] = []
    skipped: dict[str, str] = {}
    progress(0, len(folder))
    for index, sample in enumerate(folder):
        try:
            image, truth = folder.read(sample)
        except DatasetError as error:
            if not keep_going:
                raise DatasetError(f"{error}; repair or remove it, or leave such images out: --keep-going") from error
            skipped[sample.name] = portable_reason(error, sample)
        else:
            found = predict(network, image, truth)
            least = max(round(SMALLEST * truth.size), 1) if min_size is None else min_size
            rng = np.random.default_rng((seed, index))
            evidence = evidence_of(image, truth, found.classes, found.prob, found.table, rng, least)
            kept.append((sample, evidence, cv2.imencode(".png", found.classes)[1].tobytes()))
        progress(index + 1, len(folder))
    return _judged(kept, skipped, top, per_image)


def predict(network: SegmentationNetwork, image: np.ndarray, truth: np.ndarray) -> Prediction:
    """Run a network on an image (H, W, 3) uint8 RGB with labels (H, W) uint8."""
    answer = network.infer(image)
    return prediction_of(replace(answer, size=(image.shape[0], image.shape[1])), truth)


def prediction_of(logits: LogitMaps, truth: np.ndarray) -> Prediction:
    """The prediction from logits, brought to the size of the labels (H, W)."""
    maps = uncertainty_maps(logits).host()
    prob = class_probabilities(logits).cpu().numpy()
    return Prediction(maps.classes.numpy(), prob, segment_table(maps, logits, "metaseg", ground_truth=truth))


def decoded(classes: bytes) -> np.ndarray:
    """(H, W) uint8, an entry of ``LabelErrors.classes``."""
    found = cv2.imdecode(np.frombuffer(classes, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None, "written by this module"
    return found


def _judged(
    kept: list[tuple[Sample, Evidence, bytes]], skipped: dict[str, str], top: int, per_image: int
) -> LabelErrors:
    if not kept:
        first = next(iter(skipped.values()), "")
        raise DatasetError(f"none of the {len(skipped)} images can be read; the first: {first}")
    evidence = [part[1] for part in kept]
    labelled = sum(int(part.counts.pairs.sum()) for part in evidence)
    if not labelled:
        raise DatasetError("no pixel has a class, so no label can be wrong; expected some labels that are not ignored")
    ranking = ranked(evidence)
    regions = [part.regions for part in evidence]
    errors = listed(regions, ranking.p, [part.size for part in evidence], top, per_image)
    return LabelErrors(
        tuple(errors),
        tuple(part[0] for part in kept),
        tuple(part[2] for part in kept),
        sum(map(len, regions)),
        ranking.weights,
        skipped,
        labelled,
    )
