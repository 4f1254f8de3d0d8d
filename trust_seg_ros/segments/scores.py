"""Pixel scores whose means over segments can become metrics: their names and their maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trust_seg_ros.segments.errors import FeatureError
from trust_seg_ros.support.nearest import unknown
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.score_names import SCORES, SOFTMAX_SCORES, scores_that_need

SEGMENT_SCORES = tuple(name for name in SCORES if name not in (*SOFTMAX_SCORES, *scores_that_need("calibration")))
"""Single-pass scores for segments. The softmax scores are the maps E, D and V already; the standardised max logit is
left out; feature scores need the statistics that the meta model was fitted with, which its file names by their hash."""
_LARGEST = np.float32(np.finfo(np.float32).max)


def checked_scores(names: Sequence[str]) -> tuple[str, ...]:
    """The names in the order of ``SEGMENT_SCORES``, each once: the order of the columns.

    Raises:
        FeatureError: a name is not a score for segments.
    """
    for name in names:
        if name not in SEGMENT_SCORES:
            raise FeatureError(unknown("score for segment metrics", name, SEGMENT_SCORES))
    return tuple(name for name in SEGMENT_SCORES if name in names)


def score_planes(scores: FrameScores, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Name -> (H, W) float32 map of the given scores of a frame, for ``segment_table(extra=...)``.

    Faulty pixels, +inf in a score, become the largest float32, so that means and variances stay numbers.

    Raises:
        SettingError: no such score.
        UncertaintyError: the network cannot give it.
    """
    scores.compute(names)
    return {name: np.minimum(scores.get(name).numpy(), _LARGEST) for name in names}
