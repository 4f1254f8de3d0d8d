"""Runs the shift monitor over a finished drive, from statistics of its frames, so chunks may be done in any order."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from trust_seg_ros.recordings.replay.job import Job
from trust_seg_ros.thresholds.calibration import load_calibration
from trust_seg_ros.thresholds.shift import ShiftMonitor
from trust_seg_ros.thresholds.shift_references import shift_references
from trust_seg_ros.thresholds.shipped import calibration_path

COLUMNS = ("shift_statistic", "shift_of", "shift_p_value", "shift_fired")


def shift_columns(job: Job, frames: Mapping[str, np.ndarray], class_names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The columns ``COLUMNS`` of a frame table in order of time.

    Args:
        job: job whose settings name the calibration.
        frames: frame table with the columns camera, stamp_ns, time_jump, refused and those of watched statistics.
        class_names: classes of the network; a shipped calibration of others is left out, as in the pipeline.
    """
    count = len(frames["camera"])
    nothing = np.full(count, math.nan), np.full(count, "", object), np.full(count, math.nan), np.zeros(count, bool)
    columns = dict(zip(COLUMNS, nothing, strict=True))
    options = job.options
    path = calibration_path(options.pipeline.calibration, options.pipeline.model)
    calibration = None if path is None else load_calibration(path)
    if calibration is None or calibration.class_names != class_names:
        return columns
    references, _ = shift_references(calibration)
    for camera in job.cameras if references else ():
        monitor = ShiftMonitor(references, options.thresholds.shift)
        _fill(columns, frames, np.flatnonzero(frames["camera"] == camera.topic), monitor)
    return columns


def _fill(
    columns: Mapping[str, np.ndarray], frames: Mapping[str, np.ndarray], rows: np.ndarray, monitor: ShiftMonitor
) -> None:
    for row in rows.tolist():
        if frames["time_jump"][row]:
            monitor.reset()
        if frames["refused"][row]:
            continue
        numbers = {name: frames[f"watched_{name}"][row] for name in monitor.references}
        state = monitor.update(numbers, int(frames["stamp_ns"][row]) / 1e9)
        found = state.difference, state.statistic, state.p_value if state.known else math.nan, state.fired
        for name, value in zip(COLUMNS, found, strict=True):
            columns[name][row] = value
