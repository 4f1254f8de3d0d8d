"""OoD segments of recordings, followed and measured with their past, to fit judges that look back on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.ood_data import OodData
from trust_seg_ros.segments import ood_segment_table, ood_segments
from trust_seg_ros.segments.history import MetricHistory, TimeWindow, with_time
from trust_seg_ros.segments.tracks import Tracker, TrackingSettings
from trust_seg_ros.types import LogitMaps, SegmentTable
from trust_seg_ros.uncertainty import uncertainty_maps
from trust_seg_ros.uncertainty.frame_scores import FrameScores

FEATURES = "all"
"""The set that is measured: others are chosen from it."""


@dataclass(frozen=True, eq=False)
class OodFrame:
    """A frame of a recording.

    Attributes:
        answer: the network's answer, on the grid.
        stamp_ns: when the frame was taken, nanoseconds, above 0.
        unknown: (H, W) bool of the grid, pixels of unknown objects; None = not known, and the frame is only followed.
    """

    answer: LogitMaps
    stamp_ns: int
    unknown: np.ndarray | None = None


def ood_over_time(
    frames: Iterable[OodFrame],
    class_names: tuple[str, ...],
    score: str,
    threshold: float,
    window: TimeWindow,
    *,
    name: str = "recording",
    network: str = "",
    network_sha256: str = "",
    min_size: int = 50,
    settings: TrackingSettings | None = None,
    threads: int | None = None,
) -> OodData:
    """The OoD segments of one recording that are large enough to count, with columns over time of all metrics.

    They are found and followed as the node does it. A false alarm has no pixel of an unknown object.

    Args:
        frames: in order.
        class_names: classes of the network.
        score, threshold: segments are the components of {score >= threshold}.
        window: how far to look back.
        name: of the recording: in cross-validation its segments stay together, as those of one image do.
        network, network_sha256: name of the network, and hash of its weights.
        min_size: least number of pixels of a segment.
        settings: of the tracker.
        threads: None for all available processors; the result does not depend on it.

    Raises:
        MetaModelError: no frame with known objects has a segment.
        TrustSegError: the network's answer does not give the score.
    """
    tracker = Tracker(settings or TrackingSettings(on=True))
    history: MetricHistory | None = None
    tables, alarms, grid = [], [], None
    for frame in frames:
        maps = uncertainty_maps(frame.answer, threads=threads).host()
        scores = FrameScores(frame.answer, maps)
        scores.compute([score])
        plane = scores.get(score)
        found = ood_segments(plane, threshold, min_size)
        tracks = tracker.update(found.ids, None, np.where(found.kept, found.sizes, 0), frame.stamp_ns)
        specks = np.append(False, ~found.kept)[found.ids]
        table = ood_segment_table(plane, threshold, maps, frame.answer, FEATURES, ignore=specks, threads=threads)
        history = history or MetricHistory(table.names, window)
        table = with_time(table, history, tracks.only(found.kept), tracker.state().ids)
        if frame.unknown is not None:
            tables.append(table)
            alarms.append(_false_alarms(table, frame.unknown))
            grid = (frame.answer.size[0], frame.answer.size[1])
    if not sum(map(len, tables)):
        raise MetaModelError(f"{name}: no OoD segment of {min_size} pixels where {score} is at least {threshold:g}")
    return OodData(
        tables[0].names,
        np.concatenate([table.metrics for table in tables]),
        np.concatenate(alarms),
        np.concatenate([table.class_ids for table in tables]),
        np.zeros(sum(map(len, tables)), np.int32),
        (name,),
        network,
        class_names,
        score,
        threshold,
        network_sha256=network_sha256,
        grid=grid,
        time=window,
    )


def _false_alarms(table: SegmentTable, unknown: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.bincount(table.ids[unknown], minlength=len(table) + 1)[1:] == 0
    return found
