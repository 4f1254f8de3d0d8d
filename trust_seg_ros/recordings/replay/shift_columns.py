"""Runs the shift monitor over a finished drive, from the means of its frames, so chunks may be done in any order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.recordings.replay.job import Job
from trust_seg_ros.thresholds.calibration import load_calibration
from trust_seg_ros.thresholds.shift import ShiftMonitor
from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference
from trust_seg_ros.thresholds.shipped import calibration_path


@dataclass
class _Columns:
    statistic: np.ndarray
    p_value: np.ndarray
    fired: np.ndarray


def shift_columns(job: Job, frames: Mapping[str, np.ndarray], class_names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The columns ``shift_statistic``, ``shift_p_value`` and ``shift_fired`` of a frame table in order of time.

    Args:
        job: job whose settings name the calibration and the pixel score.
        frames: frame table with the columns camera, stamp_ns, score_mean and time_jump.
        class_names: classes of the network; a shipped calibration of others is left out, as in the pipeline.
    """
    count = len(frames["camera"])
    columns = _Columns(np.full(count, math.nan), np.full(count, math.nan), np.zeros(count, bool))
    settings, pipeline = job.options.thresholds, job.options.pipeline
    path = calibration_path(pipeline.calibration, pipeline.model)
    calibration = None if path is None else load_calibration(path)
    if calibration is not None and calibration.class_names == class_names:
        known = calibration.scores.get(settings.pixel_score)
        try:
            reference = None if known is None else ShiftReference.from_means(known.frame_means)
        except ShiftError:  # too few images: the pipeline says so in its remarks
            reference = None
        if reference is not None:
            for camera in job.cameras:
                monitor = ShiftMonitor({settings.pixel_score: reference}, settings.shift)
                _fill(columns, frames, np.flatnonzero(frames["camera"] == camera.topic), monitor, settings.pixel_score)
    return {
        "shift_statistic": columns.statistic,
        "shift_p_value": columns.p_value,
        "shift_fired": columns.fired,
    }


def _fill(
    columns: _Columns, frames: Mapping[str, np.ndarray], rows: np.ndarray, monitor: ShiftMonitor, score: str
) -> None:
    for row in rows.tolist():
        if frames["time_jump"][row]:
            monitor.reset()
        if frames["refused"][row]:
            continue
        state = monitor.update(score, float(frames["score_mean"][row]), int(frames["stamp_ns"][row]) / 1e9)
        columns.fired[row] = state.fired
        if state.test is not None:
            columns.statistic[row], columns.p_value[row] = state.test.difference, state.test.p_value
