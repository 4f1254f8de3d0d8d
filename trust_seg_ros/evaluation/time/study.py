"""The study of time: drives recorded once, then every set of settings judged on all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.time import sequences
from trust_seg_ros.evaluation.time.passes import TimeCounts, time_counts, total
from trust_seg_ros.evaluation.time.recorded import Recorded, recorded
from trust_seg_ros.evaluation.time.strip import draw_strip
from trust_seg_ros.evaluation.time.tracker_alone import tracker_alone
from trust_seg_ros.evaluation.tracking.measures import LONGEST_GAP, TrackingCounts
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.pipeline.trust_pipeline import TrustPipeline
from trust_seg_ros.thresholds import ThresholdSettings

Announce = Callable[[str], Callable[[int, int], None]]
"""Title of the next step -> callback for its (done, total)."""
ALONE_GAPS = (0, 1, LONGEST_GAP)
"""Frames that objects are taken out of the true class map for, where the tracker is judged alone."""


@dataclass(frozen=True)
class Variant:
    """One set of settings to compare.

    Attributes:
        name: for tables.
        pipeline: its network is that of all variants; tracking is switched on.
        thresholds: settings of the flags.
    """

    name: str
    pipeline: PipelineSettings
    thresholds: ThresholdSettings


@dataclass(frozen=True)
class Study:
    """What was found.

    Attributes:
        drives: the sequences, recorded.
        counts: variant -> sequence -> what was counted.
        alone: frames taken out -> group -> counts of the tracker on true class maps, of all sequences with objects.
        strip: writes pictures of the first sequence with the numbers of its tracks, see ``strip``.
    """

    drives: tuple[Recorded, ...]
    counts: Mapping[str, Mapping[str, TimeCounts]]
    alone: Mapping[int, Mapping[str, TrackingCounts]]
    strip: Callable[[Path], bool]

    def total(self, variant: str) -> TimeCounts:
        """All sequences together."""
        return total(self.counts[variant].values())


def study(
    given: Sequence[sequences.Sequence], variants: Sequence[Variant], cache: Path, alone: bool, announce: Announce
) -> Study:
    """Record what is not recorded yet, and judge.

    Args:
        given: at least one sequence, with different names.
        variants: at least one, with different names.
        cache: folder of the recorded answers.
        alone: whether the tracker is judged on true class maps, too.
        announce: begins a progress bar.

    Raises:
        EvaluationError: two of one name, or settings that need the pictures.
    """
    _check(given, variants)
    pipelines = {one.name: TrustPipeline.load(_tracking(one.pipeline)) for one in variants}
    network = pipelines[variants[0].name].network
    drives = tuple(recorded(network, one, cache, announce(f"network on {one.name}")) for one in given)
    counts: dict[str, dict[str, TimeCounts]] = {}
    for one in variants:
        bar, done, frames = announce(one.name), 0, sum(len(drive.stamps) for drive in drives)
        counts[one.name] = {}
        for drive in drives:
            pipeline = pipelines[one.name]
            counts[one.name][drive.name] = time_counts(pipeline, one.thresholds, drive, _shifted(bar, done, frames))
            done += len(drive.stamps)
    found: dict[int, dict[str, TrackingCounts]] = {}
    settings = _tracking(variants[0].pipeline).tracking
    for gap in ALONE_GAPS if alone else ():
        bar = announce(f"tracker alone, {gap} frames taken out")
        for drive in (one for one in drives if one.objects):
            for group, part in tracker_alone(drive, settings, gap, bar).items():
                groups = found.setdefault(gap, {})
                groups[group] = groups.get(group, TrackingCounts()) + part
    first = variants[0]
    strip = partial(draw_strip, pipelines[first.name], first.thresholds, given[0], drives[0])
    return Study(drives, counts, found, strip)


def _shifted(bar: Callable[[int, int], None], before: int, total: int) -> Callable[[int, int], None]:
    """The progress of one drive as part of that of all."""
    return lambda done, _: bar(before + done, total)


def _tracking(settings: PipelineSettings) -> PipelineSettings:
    return replace(settings, tracking=replace(settings.tracking, on=True))


def _check(given: Sequence[sequences.Sequence], variants: Sequence[Variant]) -> None:
    for what, names in (("sequences", [one.name for one in given]), ("variants", [one.name for one in variants])):
        double = sorted({name for name in names if names.count(name) > 1})
        if double or not names:
            found = f"two are called {', '.join(double)}" if double else "there are none"
            raise EvaluationError(f"{what}: {found}; expected at least one, each with a name of its own")
    for one in variants:
        if one.thresholds.perturbed is not None:
            raise EvaluationError(
                f"{one.name}: the pixel score {one.thresholds.pixel_score} runs the network on changed pictures, and "
                "only its answers are kept here: expected a score of a single pass, such as entropy"
            )
