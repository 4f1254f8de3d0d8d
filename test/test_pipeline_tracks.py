"""Tracks and calm flags in the pipeline, with the shipped network on the drawn street."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trust_seg_ros.messages.detections import TRACK_RESULTS, detections
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.pipeline.state import PipelineState
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.calm import CalmSettings
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve
from trust_seg_ros.types import Frame, Wanted
from trust_seg_ros.uncertainty.errors import SettingError

FRAMES, HZ = 8, 10
RAW = ThresholdSettings()
CALM = replace(RAW, calm=CalmSettings(on=True, tau_s=0.5, hysteresis=0.1, confirm_s=0.25))


@pytest.fixture(scope="module")
def loaded():
    return TrustPipeline.load(PipelineSettings(device="cpu"))


@pytest.fixture
def pipeline(loaded):
    return with_tracking(loaded)


def with_tracking(loaded, on=True):
    return TrustPipeline(
        loaded.network,
        loaded.meta,
        ood_model=loaded.ood_model,
        calibration=loaded.calibration,
        tracking=TrackingSettings(on=on),
    )


@pytest.fixture(scope="module")
def frames():
    drive = SyntheticDrive(DriveSettings(size=(180, 240), seed=5, fps=HZ, unknown_rate=3.0))
    return [Frame(drive.frame(k).image, 10**9 + k * 10**9 // HZ, "camera") for k in range(FRAMES)]


def drive(pipeline, frames, settings=RAW):
    return [pipeline(frame, settings) for frame in frames]


def test_without_tracking_there_are_no_tracks_and_calm_flags_are_refused(loaded, frames):
    plain = with_tracking(loaded, on=False)
    result = plain(frames[0])
    assert result.on_grid.tracks is result.on_grid.ood_tracks is None
    assert plain.state().following is None
    assert plain.forgot_tracks == ""
    with pytest.raises(SettingError, match="tracking is off"):
        plain.check(CALM)


def test_tracking_numbers_segments_and_changes_nothing_else(loaded, pipeline, frames):
    plain = with_tracking(loaded, on=False)
    for one, other in zip(drive(plain, frames), drive(pipeline, frames), strict=True):
        np.testing.assert_array_equal(one.trust.unreliable, other.trust.unreliable)
        np.testing.assert_array_equal(one.trust.p_wrong, other.trust.p_wrong)
        np.testing.assert_array_equal(one.ood.kept, other.ood.kept)
        tracks = other.on_grid.tracks
        assert len(tracks) == len(other.segments)
        assert len(np.unique(tracks.ids)) == len(tracks)
        large = other.ood.sizes >= RAW.ood_min_size
        assert (other.on_grid.ood_tracks.ids > 0).tolist() == large.tolist()
    road = int(other.on_grid.segments.sizes.argmax())
    assert tracks.frames[road] == FRAMES
    assert tracks.age_s[road] == pytest.approx((FRAMES - 1) / HZ)


def test_detections_have_the_number_of_their_track(pipeline, frames):
    *_, result = drive(pipeline, frames)
    options = MessageOptions(pipeline.labels.names, pipeline.labels.palette, every_segment=True)
    view = Rendering(result, options)
    found = {d.id: dict(d.results) for d in detections(view)}
    tracks, kept = result.on_grid.tracks, np.flatnonzero(result.ood.kept)
    assert len(kept) > 0
    expected = [str(k) for k in tracks.ids] + [f"ood_{result.on_grid.ood_tracks.ids[k]}" for k in kept]
    assert list(found) == expected
    for position, number in enumerate(tracks.ids):
        results = found[str(number)]
        assert tuple(results)[-len(TRACK_RESULTS) :] == TRACK_RESULTS
        assert results["pixel_id"] == position + 1
        assert results["track_frames"] == tracks.frames[position]
        assert results["first_seen_s"] == pytest.approx(tracks.first_ns[position] / 1e9)
        assert results["velocity_x"] == pytest.approx(
            tracks.velocity[position, 0] * result.size[1] / result.on_grid.size[1]
        )
    assert found[f"ood_{result.on_grid.ood_tracks.ids[kept[0]]}"]["pixel_id"] == view.ood_numbers[kept[0]]


@pytest.mark.parametrize("settings", [RAW, CALM])
def test_continued_from_its_state_it_gives_the_same(loaded, frames, settings):
    whole, first, second = (with_tracking(loaded) for _ in range(3))
    expected = drive(whole, frames, settings)[4:]
    drive(first, frames[:4], settings)
    state = PipelineState.from_json(json.loads(json.dumps(first.state().to_json())))
    second.load_state(settings, state)
    for one, other in zip(expected, drive(second, frames[4:], settings), strict=True):
        np.testing.assert_array_equal(one.on_grid.tracks.ids, other.on_grid.tracks.ids)
        np.testing.assert_array_equal(one.on_grid.ood_tracks.ids, other.on_grid.ood_tracks.ids)
        np.testing.assert_array_equal(one.trust.p_wrong, other.trust.p_wrong)
        np.testing.assert_array_equal(one.trust.unreliable, other.trust.unreliable)
        np.testing.assert_array_equal(one.ood.kept, other.ood.kept)


def test_a_reset_forgets_tracks_and_evidence(pipeline, frames):
    drive(pipeline, frames[:3], CALM)
    pipeline.reset()
    result = pipeline(frames[3], CALM)
    assert (result.on_grid.tracks.frames == 1).all()
    np.testing.assert_array_equal(result.trust.p_wrong, result.trust.p_wrong_alone)


def test_calm_probabilities_move_between_the_last_and_the_frame_alone(pipeline, frames):
    before = {}
    moved = 0
    for result in drive(pipeline, frames, CALM):
        trust, ids = result.trust, result.on_grid.tracks.ids.tolist()
        for number, p, alone in zip(ids, trust.p_wrong, trust.p_wrong_alone, strict=True):
            past = before.get(number, alone)
            assert min(past, alone) - 1e-3 <= p <= max(past, alone) + 1e-3
            moved += p != alone
        before |= dict(zip(ids, trust.p_wrong.tolist(), strict=True))
    assert moved > 20


def test_unknown_objects_wait_until_they_are_confirmed_and_stay(pipeline, frames):
    raw = with_tracking(pipeline)
    for result, alone in zip(drive(pipeline, frames, CALM), drive(raw, frames), strict=True):
        ood, tracks = result.ood, result.on_grid.ood_tracks
        young = tracks.age_s < CALM.calm.confirm_s
        assert not (ood.kept & young).any()
        assert not (ood.waiting & ~young).any()
        assert not (ood.waiting & (ood.false_alarm | ood.too_small | ood.kept)).any()
        np.testing.assert_array_equal(ood.too_small, alone.ood.too_small)
    assert ood.kept.any()
    first = pipeline(replace(frames[0], stamp_ns=0), CALM)
    assert not first.ood.waiting.any(), "without stamps there is no age to wait for"


def test_what_a_calibrated_threshold_flags_alone_stays_flagged(pipeline, frames):
    grid = np.linspace(0.0, 1.0, 101)
    curve = ScoreCalibration(RecallCurve(grid, 1 - grid, 5000), RiskCurve(grid, grid, 99), (), ())
    calibration = Calibration(pipeline.network.name, pipeline.labels.names, scores={}, segments={"p_wrong": curve})
    promising = TrustPipeline(
        pipeline.network, pipeline.meta, calibration=calibration, tracking=TrackingSettings(on=True)
    )
    settings = replace(CALM, unreliable=PolicySettings("target_recall", recall=0.8))
    for result in drive(promising, frames, settings):
        limit = result.thresholds["unreliable"]
        assert result.trust.unreliable[result.trust.p_wrong_alone >= limit].all()
    assert result.trust.unreliable.any()


def test_a_gap_in_time_forgets_tracks_and_says_so(pipeline, frames):
    drive(pipeline, frames[:2])
    assert pipeline.forgot_tracks == ""
    pipeline(replace(frames[2], stamp_ns=10**13))
    assert "without a frame" in pipeline.forgot_tracks
    nothing = Wanted(segments=False, ood=False, pixel_flags=False)
    pipeline(replace(frames[3], stamp_ns=10**13 + 10**8), wanted=nothing)
    assert pipeline.forgot_tracks == "", "a frame that shows no segments forgets none"
