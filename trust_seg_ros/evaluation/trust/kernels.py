"""Counting the pixels of one image: by bin of the score, by threshold, by class and by distance, in one pass."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.evaluation.trust.grid import bin_of
from trust_seg_ros.support.jit import jit
from trust_seg_ros.types import UNLABELLED

_NONE = np.uint8(UNLABELLED)


@jit
def count_pixels(
    scores: np.ndarray,
    predicted: np.ndarray,
    truth: np.ndarray,
    distance: np.ndarray,
    edges: np.ndarray,
    thresholds: np.ndarray,
    classes: int,
    image: np.ndarray,
    groups: np.ndarray,
    levels: np.ndarray,
) -> None:
    """Add the pixels of an image that have a true class.

    Args:
        scores: (n,) float32, no NaN.
        predicted, truth: (n,) uint8 class ids; 255 = none.
        distance: (n,) uint8, number of the distance's range.
        edges: (k,) float32, rising, from -inf to +inf: lower ends of the bins.
        thresholds: (t,) float32, rising.
        classes: q.
        image: (2, k) uint32, right and wrong pixels of the image by bin.
        groups: (g, 2, k) int64, the same of each group over all images: predicted class 0..q-1, no predicted class,
            true class 0..q-1, distance range.
        levels: (g + 1, 2, t + 1) int64, by how many thresholds the score reaches, of the image (first) and its groups.
    """
    count, last = len(thresholds), np.int64(len(edges) - 1)
    for i in range(len(scores)):
        true = truth[i]
        if true == _NONE:
            continue
        found = predicted[i]
        wrong = np.int64(found != true)
        if found == _NONE:  # nothing vouches for it: flagged whatever the threshold
            column, reached, row = last, count, np.int64(classes)
        else:
            column, reached, row = bin_of(edges, scores[i]), 0, np.int64(found)
            while reached < count and scores[i] >= thresholds[reached]:
                reached += 1
        other, far = np.int64(classes + 1 + true), np.int64(2 * classes + 1 + distance[i])
        image[wrong, column] += np.uint32(1)
        groups[row, wrong, column] += 1
        groups[other, wrong, column] += 1
        groups[far, wrong, column] += 1
        levels[0, wrong, reached] += 1
        levels[1 + row, wrong, reached] += 1
        levels[1 + other, wrong, reached] += 1
        levels[1 + far, wrong, reached] += 1


@jit
def count_confidence(
    variation: np.ndarray, predicted: np.ndarray, truth: np.ndarray, counts: np.ndarray, sums: np.ndarray
) -> None:
    """Add the pixels of an image to the bins of a reliability diagram: equal widths, (lower, upper] (Guo et al. 2017).

    Args:
        variation: (n,) float32, 1 - confidence.
        predicted, truth: (n,) uint8; pixels without a class on either side are left out.
        counts: (b, 2) int64, pixels and right ones.
        sums: (b,) float64, of the confidence.
    """
    number = len(sums)
    for i in range(len(variation)):
        if truth[i] == _NONE or predicted[i] == _NONE:
            continue
        confidence = 1.0 - np.float64(variation[i])
        place = min(max(np.int64(np.ceil(confidence * number)) - 1, 0), number - 1)
        counts[place, 0] += 1
        counts[place, 1] += predicted[i] == truth[i]
        sums[place] += confidence
