"""How probable it is that a disputed region is an error of the labels.

P(label error) = 1 / (1 + exp(-(b + Σ w_k z_k))), z_k the features of :data:`FEATURES`, standardised. The weights are
learned on the data set itself, from errors made on purpose in copies of its labels (:mod:`.injected`): regions that
find such an error against all regions of the labels as they are. Nothing is learned from an image that it judges:
images are divided into ``FOLDS`` blocks of neighbours, and each block is judged by weights, and by a meta classifier,
of the others.

Two features are those of confident learning (Northcutt, Jiang, Chuang 2021), for regions: how much surer the network
is of its class than it usually is where it is right, and how much less it believes the label than it usually does
where that label stands. Another is P(wrong) of the predicted segment (MetaSeg, Rottmann et al. 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from trust_seg_ros.evaluation.label_errors.evidence import CELLS, Counts, Evidence
from trust_seg_ros.evaluation.label_errors.regions import Regions
from trust_seg_ros.fitting.fit import fit_ridge, statistics
from trust_seg_ros.meta.linear import logistic

FEATURES = (
    "size",
    "size²",
    "depth",
    "log_label",
    "log_predicted",
    "label_below_usual",
    "predicted_above_usual",
    "usual_there",
    "usual_here",
    "rivals",
    "place",
    "segment_wrong",
    "label_share",
    "predicted_share",
    "label_agrees",
    "predicted_agrees",
    "edge_labelled",
    "edge_predicted",
    "kind_label",
    "kind_predicted",
)
"""docs/label_errors.md says what each is."""
FOLDS = 5
_RIDGE = 1e-3  # of the weights, beside the mean log-loss


@dataclass(frozen=True, eq=False)
class Ranking:
    """Of every image, P(label error) of its regions.

    Attributes:
        p: per image (n,) float64 in [0, 1].
        weights: (len(FEATURES),) float64, mean over the blocks, of standardised features; None = nothing was learned,
            as no error made on purpose was found, and P is that of the network for its own class against the label.
    """

    p: tuple[np.ndarray, ...]
    weights: np.ndarray | None


def ranked(images: Sequence[Evidence]) -> Ranking:
    """Judge the regions of all images.

    Args:
        images: in the order of the data set, so that neighbours of a recording fall into one block.
    """
    fold = np.arange(len(images)) * min(FOLDS, len(images)) // max(len(images), 1)
    counts, wrong = reduce(add, (image.counts for image in images)), segment_logits(images, fold)
    usual = Usual(counts, [image.regions for image in images])
    given = [usual.features(image.regions, logits) for image, logits in zip(images, wrong, strict=True)]
    made = [usual.features(image.made, logits) for image, logits in zip(images, wrong, strict=True)]
    p: list[np.ndarray] = [_unlearned(image.regions) for image in images]
    weights = []
    for block in np.unique(fold):
        learn = np.flatnonzero(fold != block)
        errors, others = _stacked(made, learn), _stacked(given, learn)
        if not len(errors) or not len(others):
            return Ranking(tuple(_unlearned(image.regions) for image in images), None)
        x = np.concatenate([errors, others])
        means, scales = statistics(x)
        part = fit_ridge((x - means) / scales, np.arange(len(x)) < len(errors), _RIDGE)
        weights.append(part.coefficients)
        for index in np.flatnonzero(fold == block).tolist():
            p[index] = logistic(part((given[index] - means) / scales))
    return Ranking(tuple(p), np.mean(weights, axis=0))


def segment_logits(images: Sequence[Evidence], fold: np.ndarray) -> list[np.ndarray]:
    """Of every image, log-odds of P(wrong) of its predicted segments, by a classifier of the other blocks' images.

    Args:
        images: the images.
        fold: (N,) block of every image.

    Returns:
        Per image (n,) float64; 0 where the other blocks hold segments of one kind only.
    """
    found = [np.zeros(len(image.metrics)) for image in images]
    for block in np.unique(fold):
        others = [image for image, at in zip(images, fold, strict=True) if at != block]
        if not others:
            continue
        x = np.concatenate([image.metrics[image.judged] for image in others])
        y = np.concatenate([image.wrong[image.judged] for image in others])
        if not len(y) or y.all() or not y.any():
            continue
        means, scales = statistics(x)
        low, high = x.min(0), x.max(0)
        part = fit_ridge((x - means) / scales, y, _RIDGE)
        for index in np.flatnonzero(fold == block).tolist():
            found[index] = part((images[index].metrics.clip(low, high) - means) / scales)
    return found


class Usual:
    """What is usual in a data set, and the features of regions that compare with it."""

    def __init__(self, counts: Counts, regions: Sequence[Regions]) -> None:
        """Count.

        Args:
            counts: over all images.
            regions: of all images, of the labels as they are.
        """
        pairs = counts.pairs + 1.0
        self._there = np.log(pairs / pairs.sum(1, keepdims=True))
        self._here = np.log(pairs / pairs.sum(0, keepdims=True))
        self._label = counts.log_label / np.maximum(counts.pairs.sum(1), 1)
        self._right = counts.log_right / np.maximum(np.diag(counts.pairs), 1)
        places = counts.places + 0.01 * counts.places.sum((0, 1)) / CELLS**2 + 1.0
        self._places = np.log(places / places.sum((0, 1)))
        self._images, self._q = len(regions), len(pairs)
        sizes = np.concatenate([part.measure("size") for part in regions])
        codes = np.concatenate([self._code(part) for part in regions])
        self._sizes = {code: np.sort(sizes[codes == code]) for code in np.unique(codes).tolist()}

    def features(self, regions: Regions, segment_wrong: np.ndarray) -> np.ndarray:
        """(n, len(FEATURES)) float64.

        Args:
            regions: of one image.
            segment_wrong: (m,) log-odds of P(wrong) of its predicted segments.
        """
        label, said = regions.labelled.astype(int), regions.predicted.astype(int)
        size, of = np.log(regions.measure("size")), regions.measure
        row, column = ((of(name) * CELLS).astype(int).clip(0, CELLS - 1) for name in ("row", "column"))
        columns = {
            "size": size,
            "size²": size**2,
            "depth": np.log(of("depth")),
            "log_label": of("log_label"),
            "log_predicted": of("log_predicted"),
            "label_below_usual": of("log_label") - self._label[label],
            "predicted_above_usual": of("log_predicted") - self._right[said],
            "usual_there": self._there[label, said],
            "usual_here": self._here[label, said],
            "rivals": self._rivals(regions),
            "place": self._places[row, column, said] - self._places[row, column, label],
            "segment_wrong": np.append(segment_wrong, 0.0)[regions.segments - 1],
            "kind_label": (regions.kinds == 1).astype(float),
            "kind_predicted": (regions.kinds == 2).astype(float),
        }
        as_measured = (
            "label_share",
            "predicted_share",
            "label_agrees",
            "predicted_agrees",
            "edge_labelled",
            "edge_predicted",
        )
        columns |= {name: of(name) for name in as_measured}
        return np.stack([columns[name] for name in FEATURES], axis=1)

    def _code(self, regions: Regions) -> np.ndarray:
        return regions.labelled.astype(int) * self._q + regions.predicted

    def _rivals(self, regions: Regions) -> np.ndarray:
        """Logarithm of the number per image of regions of the same label and prediction that are as large or larger."""
        found = np.zeros(len(regions))
        for index, (code, size) in enumerate(zip(self._code(regions).tolist(), regions.measure("size"), strict=True)):
            sizes = self._sizes.get(code)
            found[index] = 0 if sizes is None else len(sizes) - np.searchsorted(sizes, size)
        return np.log((1 + found) / self._images)


def _unlearned(regions: Regions) -> np.ndarray:
    return logistic(regions.measure("log_predicted") - regions.measure("log_label"))


def _stacked(parts: Sequence[np.ndarray], chosen: np.ndarray) -> np.ndarray:
    return np.concatenate([parts[index] for index in chosen.tolist()] or [np.zeros((0, len(FEATURES)))])
