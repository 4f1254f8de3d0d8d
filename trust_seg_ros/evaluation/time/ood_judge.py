"""A judge of OoD segments that looks back, fitted on recorded sequences with known unknown objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.time.recorded import Recorded
from trust_seg_ros.evaluation.time.sequences import UNKNOWN
from trust_seg_ros.fitting.ood_fit import Classifier, fit_ood, stacked
from trust_seg_ros.fitting.ood_over_time import OodFrame, ood_over_time
from trust_seg_ros.grid import resized
from trust_seg_ros.meta.ood import OodModel
from trust_seg_ros.meta.ood_data import OodData
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.segments.history import TimeWindow
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.uncertainty import on_grid

FEATURES = "meta_scale_free_time"


def fit_judge(
    drives: Sequence[Recorded],
    pipeline: TrustPipeline,
    thresholds: ThresholdSettings,
    frames: int,
    classifier: Classifier = "boosting",
) -> OodModel:
    """Fit a judge on the OoD segments that these settings find, followed as the pipeline follows them.

    Args:
        drives: recorded sequences; those without unknown objects in their truth are left out.
        pipeline: with the network, the grid and the settings of tracking.
        thresholds: name the score and its threshold.
        frames: how many frames it looks back, at the rate of each sequence's stamps; 2 or more.
        classifier: as for ``fit_ood``.

    Raises:
        EvaluationError: no sequence knows of unknown objects.
        MetaModelError: too few segments, or of one kind only.
    """
    known = [drive for drive in drives if drive.objects]
    if not known:
        raise EvaluationError(
            "a judge of OoD segments: no sequence says where unknown objects are; expected synthetic:seeds=…"
        )
    rates = [1e9 / float(np.median(np.diff(drive.stamps))) for drive in known]
    window = TimeWindow(frames / min(rates), rate_hz=(min(rates), max(rates)))
    at = pipeline.resolved(thresholds).ood.value
    found = stacked([ood_data(drive, pipeline, thresholds, at, window) for drive in known])
    return fit_ood(found, FEATURES, {"sequences": [drive.text for drive in known]}, classifier)


def ood_data(
    drive: Recorded, pipeline: TrustPipeline, thresholds: ThresholdSettings, at: float, window: TimeWindow
) -> OodData:
    """The OoD segments of a recorded sequence, with columns over time.

    Args:
        drive, pipeline, thresholds: as for :func:`fit_judge`.
        at: threshold on the score.
        window: how far to look back.

    Raises:
        MetaModelError: no frame with known objects has a segment.
    """

    def frames() -> Iterator[OodFrame]:
        for shot, answer in drive:
            placed = on_grid(answer, pipeline.grid)
            unknown = None if shot.truth is None else resized(shot.truth == UNKNOWN, placed.size)
            yield OodFrame(placed, shot.frame.stamp_ns, unknown)

    return ood_over_time(
        frames(),
        tuple(pipeline.labels.names),
        thresholds.ood_score,
        at,
        window,
        name=drive.name,
        network=pipeline.network.name,
        network_sha256=network_sha256(pipeline.network) or "",
        min_size=thresholds.ood_min_size,
        settings=pipeline.tracking,
    )
