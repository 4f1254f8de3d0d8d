"""The study from images to results: one pass over every data set, then all draws, policies and scores from counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.evaluation.trust.cache import CountsCache
from trust_seg_ros.evaluation.trust.counts import DataCounts
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.measures import Ordering, Reliability, ordering
from trust_seg_ros.evaluation.trust.outcomes import Calibrated, Outcome, calibrate, judge
from trust_seg_ros.evaluation.trust.passes import LabelledImages, Progress
from trust_seg_ros.evaluation.trust.policy_words import NamedPolicy

Announce = Callable[[str], Progress]
"""Title of the next step -> callback for its (done, total)."""


@dataclass(frozen=True)
class Condition:
    """Shifted images on which thresholds of clean images are tried.

    Attributes:
        name: name for tables, e.g. ``fog:3``.
        images: read only when needed.
        kind, severity: kind and severity of a corruption; "" and 0 otherwise.
    """

    name: str
    images: LabelledImages
    kind: str = ""
    severity: int = 0


@dataclass(frozen=True)
class Judged:
    """Results of one data set, clean or shifted, after its images have been counted.

    Attributes:
        name, kind, severity: as in ``Condition``.
        images: (n,) their names.
        orderings: score -> measures that need no threshold.
        curves: score -> (2, k) int64, right and wrong pixels by bin, for figures.
        reliability: reliability diagram of the softmax confidence.
        outcomes: name of the arrangement -> one per score and policy.
        means: score -> (n,) frame means of the score.
        drives: (n,) recordings that the images come from.
        skipped: image left out -> why.
    """

    name: str
    kind: str
    severity: int
    images: tuple[str, ...]
    orderings: dict[str, Ordering]
    curves: dict[str, np.ndarray]
    reliability: Reliability
    outcomes: dict[str, tuple[Outcome, ...]]
    means: dict[str, np.ndarray]
    drives: tuple[str, ...]
    skipped: dict[str, str]

    @property
    def wrong(self) -> float:
        """Share of misclassified pixels."""
        return next(iter(self.orderings.values())).wrong

    def outcome(self, arrangement: str, score: str, policy: str) -> Outcome:
        """The outcome with these names; KeyError if there is none."""
        for found in self.outcomes[arrangement]:
            if (found.score, found.policy.name) == (score, policy):
                return found
        raise KeyError((arrangement, score, policy))


@dataclass(frozen=True)
class Study:
    """Results of the study.

    Attributes:
        counts: counts of the clean images.
        arrangements: how calibration and judged images were divided.
        clean: results on clean images.
        shifted: results on shifted images.
        policies: all policies, in the requested order.
        thresholds: (arrangement, score, policy) -> thresholds in each draw.
    """

    counts: DataCounts
    arrangements: tuple[Arrangement, ...]
    clean: Judged
    shifted: tuple[Judged, ...]
    policies: tuple[NamedPolicy, ...]
    thresholds: dict[tuple[str, str, str], Calibrated]

    @property
    def best_score(self) -> str:
        """The score with the highest AUROC on clean images; the first if none is defined."""
        found = self.clean.orderings
        return max(found, key=lambda score: np.nan_to_num(found[score].auroc))


def study(
    cache: CountsCache,
    counts: DataCounts,
    arrangements: Sequence[Arrangement],
    policies: Sequence[NamedPolicy],
    conditions: Sequence[Condition] = (),
    grids: dict[str, np.ndarray] | None = None,
    announce: Announce | None = None,
) -> Study:
    """Judge every score and policy on clean images, then run a pass over every shifted condition.

    Args:
        cache: network and scores, and where counts are kept.
        counts: counts of the clean images, from ``CountsCache.counts``.
        arrangements: arrangements of those images.
        policies: policies to judge.
        conditions: shifted data.
        grids: the grids that ``counts`` was made with; needed with conditions.
        announce: for progress bars.

    Raises:
        TrustSegError: as ``passes.count``.
    """
    thresholds = {
        (arrangement.name, score, policy.name): calibrate(policy, score, arrangement)
        for arrangement in arrangements
        for score in cache.look.scores
        for policy in policies
        if policy.calibrated
    }
    clean = _judged(counts, "", 0, arrangements, policies, thresholds)
    shifted = []
    for condition in conditions:
        progress = None if announce is None else announce(condition.name)
        seen = cache.counts(condition.images, condition.name, grids or {}, progress)
        shifted.append(_judged(seen, condition.kind, condition.severity, arrangements, policies, thresholds))
    return Study(counts, tuple(arrangements), clean, tuple(shifted), tuple(policies), thresholds)


def _judged(
    data: DataCounts,
    kind: str,
    severity: int,
    arrangements: Sequence[Arrangement],
    policies: Sequence[NamedPolicy],
    thresholds: dict[tuple[str, str, str], Calibrated],
) -> Judged:
    curves = {
        score: np.stack([found.right.sum(0, dtype=np.int64), found.wrong.sum(0, dtype=np.int64)])
        for score, found in data.scores.items()
    }
    outcomes = {
        arrangement.name: tuple(
            judge(policy, score, arrangement, data, thresholds.get((arrangement.name, score, policy.name)))
            for score in data.scores
            for policy in policies
            if policy.calibrated or policy.fits(score)
        )
        for arrangement in arrangements
    }
    return Judged(
        data.name,
        kind,
        severity,
        data.images,
        {score: ordering(wrong, right) for score, (right, wrong) in curves.items()},
        curves,
        data.reliability,
        outcomes,
        {score: found.means for score, found in data.scores.items()},
        data.drives,
        data.skipped,
    )
