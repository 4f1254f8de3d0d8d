"""Data of the time line: some frame columns, rounded, and the marks on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.report import formats, summary

PLOTTED = (
    "flagged_pixels",
    "entropy_mean",
    "unreliable_pixels",
    "ood_pixels",
    "threshold_pixel",
    "threshold_unreliable",
    "threshold_ood",
    "threshold_ood_meta",
    "shift_statistic",
)
"""Columns of the frames that are drawn."""


def timeline_data(drive: Drive) -> dict[str, Any]:
    """Columns of all frames for the page's plots; missing values are null.

    A column without any number is left out; its plot then says so.
    """
    topics = summary.cameras(drive)
    number = {topic: i for i, topic in enumerate(topics)}
    good = summary.judged(drive)
    columns = {name: np.where(good, summary.column(drive, name), np.nan) for name in PLOTTED}
    columns["ood_pixels"][~np.isfinite(summary.column(drive, "threshold_ood"))] = np.nan
    columns["unreliable_pixels"][~np.isfinite(summary.column(drive, "threshold_unreliable"))] = np.nan
    reasons = [(i, str(reason)) for i, reason in enumerate(drive.frames["refused"]) if str(reason)]
    return {
        "camera": [number[str(topic)] for topic in drive.frames["camera"]],
        "time": formats.seconds(drive.frames["offset_s"]),
        "columns": {name: formats.rounded(c) for name, c in columns.items() if np.isfinite(c).any()},
        "refused": reasons,
        "timeJumps": np.flatnonzero(summary.flags(drive, "time_jump")).tolist(),
        "shifts": [[number[topic], *span] for topic in topics for span in shift_intervals(drive, topic)],
    }


def shift_intervals(drive: Drive, camera: str) -> list[tuple[float, float]]:
    """(first, last) offset in seconds of every run of frames of a camera during which the shift monitor had fired."""
    mine = np.array([str(name) == camera for name in drive.frames["camera"]], dtype=bool) & summary.judged(drive)
    times = summary.column(drive, "offset_s")[mine]
    fired = summary.flags(drive, "shift_fired")[mine]
    edges = np.flatnonzero(np.diff(np.concatenate(([False], fired, [False])).astype(np.int8)))
    spans = zip(edges[::2], edges[1::2] - 1, strict=True)
    return [(round(float(times[first]), 3), round(float(times[last]), 3)) for first, last in spans]
