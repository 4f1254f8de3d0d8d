"""Fits the meta classifier of OoD segments over several sources, and judges it on sources it was not fitted on.

A source is a data set with marked objects. Sources differ more than images of one source do, so that only a source
left out shows what a classifier is worth on a road that nobody has labelled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from trust_seg_ros.evaluation.anomaly.cuts import Cut
from trust_seg_ros.evaluation.meta import measures
from trust_seg_ros.fitting.ood_fit import Classifier, cross_validated, fit_ood, judged_apart, stacked
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.ood import DISCARD_ABOVE, OodData, OodModel, OodVerdict
from trust_seg_ros.types import Json

MOST_LOST = 0.02
"""Share of the objects found that a classifier may lose on a source left out; more is worse than no classifier."""


@dataclass(frozen=True)
class Source:
    """Segments of one data set.

    Attributes:
        name: of the data set.
        cuts: its segments at one or several thresholds; the first is the threshold that the model is used at.
        actual: objects of fewer pixels do not count.
    """

    name: str
    cuts: tuple[Cut, ...]
    actual: int = 1

    @property
    def data(self) -> OodData:
        """The segments of all thresholds, stacked."""
        return stacked([cut.data for cut in self.cuts], one_data_set=True)


@dataclass(frozen=True)
class LeftOut:
    """One source, judged by a classifier that was fitted on the others.

    Attributes:
        source: its name.
        threshold: threshold of the segments.
        segments: number of segments judged.
        outside: how many of them lie outside the range fitted on.
        auroc: of P(false alarm); NaN if all segments are of one kind.
        objects: number of objects there are.
        alarms_before, alarms_after: false alarms, all and after discarding.
        missed_before, missed_after: objects that no segment, or no kept segment, touches.
        failed: why there is no judgement; "" if there is one.
    """

    source: str
    threshold: float
    segments: int
    outside: int
    auroc: float
    objects: int
    alarms_before: int
    alarms_after: int
    missed_before: int
    missed_after: int
    failed: str = ""

    @property
    def lost(self) -> float:
        """Share of the objects found that discarding loses, 0 to 1; 0 if none was found."""
        found = self.objects - self.missed_before
        return (self.missed_after - self.missed_before) / found if found else 0.0

    @property
    def worse(self) -> str:
        """Why no classifier at all would be better on this source, in words; "" if it would not."""
        if self.failed:
            return f"{self.source}: not judged: {self.failed}"
        before, after = self.alarms_before + self.missed_before, self.alarms_after + self.missed_after
        if after > before:
            return f"{self.source}: {before} errors without the meta classifier, {after} with it"
        if self.lost > MOST_LOST:
            found = self.objects - self.missed_before
            few = ", of so few one is already too many" if found * MOST_LOST < 1 else ""
            return (
                f"{self.source}: {self.missed_after - self.missed_before} of {found} objects found are lost{few} "
                f"(at most {100 * MOST_LOST:g} %)"
            )
        return ""

    @property
    def better(self) -> bool:
        """Whether discarding leaves fewer errors and loses no more objects than it may."""
        before, after = self.alarms_before + self.missed_before, self.alarms_after + self.missed_after
        return not self.worse and after < before

    def to_json(self) -> Json:
        """For the summary of a model file."""
        return {name: value for name, value in asdict(self).items() if name != "failed" or value}


@dataclass(frozen=True)
class SourceFit:
    """How a classifier is fitted over sources.

    Attributes:
        features: choice of metrics.
        keep: share of the objects found that the threshold on P(false alarm) keeps; None = discard above 1/2. P is that
            of a classifier fitted on the other sources: a classifier knows the sources it was fitted on too well to
            say what it keeps of another. Where a single source has objects, P is judged by folds over images.
        folds: number of those folds.
        classifier: as for ``fit_ood``.
    """

    features: str = "meta_ood"
    keep: float | None = None
    folds: int = 5
    classifier: Classifier = "logistic"

    def __call__(self, sources: Sequence[Source]) -> OodModel:
        """Fit on these sources.

        Raises:
            MetaModelError: too few segments, or of one kind only.
        """
        datas = [source.data for source in sources]
        data = stacked(datas)
        model = fit_ood(data, self.features, classifier=self.classifier)
        if self.keep is None:
            return model
        if sum(not each.false_alarm.all() for each in datas) > 1:
            part = np.repeat(np.arange(len(sources)), [len(each) for each in datas])
            verdict = judged_apart(data, part, self.features, classifier=self.classifier)
        else:
            verdict = self._by_image(data, self.keep)
        return replace(model, discard_above=discard_threshold(least_p_of_objects(sources, verdict), self.keep))

    def _by_image(self, data: OodData, keep: float) -> OodVerdict:
        with_objects = len(np.unique(data.image[~data.false_alarm]))
        if with_objects < 2:
            raise MetaModelError(
                f"objects are found in {with_objects} image; to choose the threshold that keeps {100 * keep:g} % "
                "of them by folds over the images takes at least 2: fit on more images, or without --keep"
            )
        return cross_validated(data, self.features, min(self.folds, with_objects), classifier=self.classifier)


def object_rows(cut: Cut, actual: int = 1) -> tuple[np.ndarray, np.ndarray, int]:
    """Which segments touch which objects.

    Returns:
        (k,) rows of ``cut.data``, (k,) numbers of the objects they touch, and the number of objects there are; objects
        below ``actual`` pixels are left out.
    """
    rows, numbers, row, number = [], [], 0, 0
    for met, large in zip(cut.overlaps, cut.large, strict=True):
        there = met.there >= actual
        row_of, number_of = np.cumsum(large) - 1 + row, np.cumsum(there) - 1 + number
        p, g = met.pairs.T
        both = large[p] & there[g]
        rows.append(row_of[p[both]])
        numbers.append(number_of[g[both]])
        row, number = row + int(large.sum()), number + int(there.sum())
    empty = np.empty(0, np.int64)
    return np.concatenate([empty, *rows]), np.concatenate([empty, *numbers]), number


def least_p_of_objects(sources: Sequence[Source], verdict: OodVerdict) -> np.ndarray:
    """(k,) for every object found, the smallest P(false alarm) of the segments that touch it: above it, all are gone.

    Args:
        sources: the sources; an object counts once for each threshold at which it is found.
        verdict: on the segments of all sources, in the order of :func:`stacked`; segments outside the range are never
            discarded and count as 0.
    """
    p = np.where(verdict.outside, 0.0, verdict.p_false_alarm)
    found, start = [np.empty(0)], 0
    for source in sources:
        for cut in source.cuts:
            rows, numbers, there = object_rows(cut, source.actual)
            least = np.full(there, np.inf)
            np.minimum.at(least, numbers, p[start + rows])
            found.append(least[np.isfinite(least)])
            start += len(cut.data)
    return np.concatenate(found)


def discard_threshold(least_p: np.ndarray, keep: float) -> float:
    """The smallest P(false alarm) above which segments may be discarded so that a share ``keep`` of objects remains.

    Args:
        least_p: (k,) from :func:`least_p_of_objects`; without objects the threshold is 1/2.
        keep: share of the objects, above 0 and at most 1.

    Returns:
        A number in [0, 1], rounded up to six digits.
    """
    if not len(least_p):
        return DISCARD_ABOVE
    at = math.ceil(keep * len(least_p) - 1e-9) - 1
    return min(1.0, math.ceil(1e6 * float(np.sort(least_p)[at])) / 1e6)


def judged_on(source: Source, cut: Cut, model: OodModel) -> LeftOut:
    """What a model does to the segments of one source at one threshold."""
    verdict, alarm = model.judge(cut.data), cut.data.false_alarm
    gone = verdict.discarded(model.discard_above)
    rows, numbers, there = object_rows(cut, source.actual)
    before, after = (there - len(np.unique(numbers[kept])) for kept in (np.ones(len(rows), bool), ~gone[rows]))
    return LeftOut(
        source.name,
        cut.data.threshold,
        len(cut.data),
        int(verdict.outside.sum()),
        float(measures.auroc(verdict.p_false_alarm, alarm)),
        there,
        int(alarm.sum()),
        int((alarm & ~gone).sum()),
        before,
        after,
    )


def leave_source_out(
    sources: Sequence[Source], fit: SourceFit, progress: Callable[[int, int], None] | None = None
) -> tuple[LeftOut, ...]:
    """Every source, at each of its thresholds, judged by a classifier fitted on the other sources.

    Raises:
        MetaModelError: fewer than two sources.
    """
    if len(sources) < 2:
        raise MetaModelError(f"{len(sources)} source; to leave one out takes at least two: name more with --fit-on")
    found: list[LeftOut] = []
    for k, source in enumerate(sources):
        try:
            model = fit([*sources[:k], *sources[k + 1 :]])
        except MetaModelError as error:
            t = source.cuts[0].data.threshold
            found.append(LeftOut(source.name, t, 0, 0, math.nan, 0, 0, 0, 0, 0, f"fitted on the others: {error}"))
        else:
            found += [judged_on(source, cut, model) for cut in source.cuts]
        if progress is not None:
            progress(k + 1, len(sources))
    return tuple(found)
