"""Judges tracked segments by all their frames: evidence over time and hysteresis, see ``thresholds.calm``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.thresholds.calm import CalmSettings, Evidence
from trust_seg_ros.thresholds.engine import ThresholdInForce
from trust_seg_ros.thresholds.flags import large_enough
from trust_seg_ros.types import OodSegments, SegmentTable, SegmentTracks

_SHARE_HELD = 0.5
"""A flagged segment stays flagged down to this share of the smallest size that is flagged."""


def held(
    flagged: np.ndarray,
    before: np.ndarray,
    p: np.ndarray,
    alone: np.ndarray,
    found: ThresholdInForce,
    table: SegmentTable,
    settings: ThresholdSettings,
) -> np.ndarray:
    """(n,) bool, the flags of segments with hysteresis.

    What a calibrated policy promises counts single frames; what it flags by a frame alone stays flagged here, so that
    no more is missed than promised.

    Args:
        flagged: (n,) bool, by ``p`` and size.
        before: (n,) bool, flagged when last seen.
        p, alone: (n,) P(false positive) over time, and by this frame alone.
        found: the threshold.
        table: the segments.
        settings: the settings.
    """
    share = settings.min_share
    stays = before & found.flags(p + settings.calm.hysteresis)
    result: np.ndarray = flagged | (stays & large_enough(table.sizes, table.ids.size, _SHARE_HELD * share))
    if settings.unreliable.calibrated:
        result |= found.flags(alone)
    return result


def calm_ood(
    ood: OodSegments,
    large: np.ndarray,
    tracks: SegmentTracks,
    evidence: Evidence,
    least: float,
    calm: CalmSettings,
    *,
    calibrated: bool,
) -> OodSegments:
    """OoD segments judged over time: those not seen for long enough wait, and a verdict changes with hysteresis.

    Args:
        ood: as judged by this frame alone.
        large: (m,) bool, large enough to count.
        tracks: their tracks.
        evidence: of their tracks; its ``remember`` is left to the caller.
        least: threshold on P(OoD).
        calm: the settings.
        calibrated: whether ``least`` promises something of single frames; what is kept by them stays kept then.
    """
    alone = np.full(len(large), np.nan) if ood.p_ood is None else ood.p_ood
    p, before = evidence.update(tracks, alone, calm.tau_s)
    verdict = large.copy()
    if ood.p_ood is not None:
        verdict &= (p >= least) | (before & (p + calm.hysteresis >= least))
        verdict |= large & (np.zeros(len(large), bool) if ood.outside is None else ood.outside)
        verdict |= ood.kept & calibrated
    timeless = (tracks.first_ns <= 0) | (tracks.stamp_ns <= 0)  # without stamps there is no age to wait for
    confirmed = before | (tracks.age_s >= calm.confirm_s) | timeless | calibrated
    return replace(
        ood,
        kept=verdict & confirmed,
        waiting=verdict & ~confirmed,
        p_ood=None if ood.p_ood is None else p,
        p_ood_alone=ood.p_ood,
    )
