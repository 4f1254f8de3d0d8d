"""Meta models that look back, in the pipeline: the same as tracks and history by hand, and refused without tracks."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trust_seg_ros.meta import LinearPart, MetaModel, MetaModelError
from trust_seg_ros.meta.ood import OodModel, load_ood_model
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.pipeline.state import PipelineState
from trust_seg_ros.remarks import remarks
from trust_seg_ros.segments.history import MetricHistory, TimeWindow, with_time
from trust_seg_ros.segments.tracks import Tracker, TrackingSettings
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame

FRAMES, HZ = 10, 10
WINDOW = TimeWindow(0.5, 10, (9.0, 11.0))
FEATURES = ("E", "time.change.E", "time.trend.S", "time.std.E", "time.rows", "time.age_s")
ON = TrackingSettings(on=True)


@pytest.fixture(scope="module")
def loaded():
    return TrustPipeline.load(PipelineSettings(device="cpu"))


@pytest.fixture(scope="module")
def meta(loaded):
    m = len(FEATURES)
    weights = LinearPart(np.array([2.0, 3.0, 0.001, 4.0, -0.2, -0.5]), -1.0)
    return MetaModel(
        FEATURES,
        np.zeros(m),
        np.ones(m),
        weights,
        LinearPart(-0.1 * weights.coefficients, 0.6),
        loaded.meta.network,
        loaded.meta.class_names,
        np.tile([-1e6, 1e6], (m, 1)),
        network_sha256=loaded.meta.network_sha256,
        base_rates=(0.3, 0.5),
        time=WINDOW,
    )


@pytest.fixture
def pipeline(loaded, meta):
    return TrustPipeline(loaded.network, meta, tracking=ON)


@pytest.fixture(scope="module")
def frames():
    return street(HZ)


def street(hz):
    drive = SyntheticDrive(DriveSettings(size=(120, 160), seed=5, fps=HZ, unknown_rate=3.0))
    return [Frame(drive.frame(k).image, 10**9 + k * 10**9 // hz, "camera") for k in range(FRAMES)]


@pytest.mark.parametrize(("length", "rows"), [(10, 10), (3, 3), (50, 10)])
def test_it_judges_by_the_history_that_tracks_and_rings_give(loaded, meta, frames, length, rows):
    pipeline = TrustPipeline(loaded.network, meta, tracking=TrackingSettings(on=True, length=length))
    tracker, history = Tracker(ON), MetricHistory(("E", "S"), replace(WINDOW, length=rows))
    for frame in frames:
        result = pipeline(frame)
        table = result.segments
        tracks = tracker.update(table.ids, table.class_ids, table.sizes, frame.stamp_ns)
        p_wrong, iou = meta.predict(with_time(table, history, tracks, tracker.state().ids))
        np.testing.assert_array_equal(result.trust.p_wrong, p_wrong)
        np.testing.assert_array_equal(result.trust.iou, iou)
    assert not set(table.names) & set(FEATURES[1:]), "the results hold the metrics of the frame"
    assert result.on_grid.tracks.frames.max() == FRAMES


def test_without_tracking_it_is_refused_with_the_way_out(loaded, meta):
    with pytest.raises(MetaModelError, match=r"looks at the last 0\.5 s of every segment, .* set tracking to on, or"):
        TrustPipeline(loaded.network, meta)


def test_a_pipeline_goes_on_from_a_state(loaded, pipeline, meta, frames):
    for frame in frames[:6]:
        pipeline(frame)
    state = PipelineState.from_json(json.loads(json.dumps(pipeline.state().to_json())))
    other = TrustPipeline(loaded.network, meta, tracking=ON)
    other.load_state(ThresholdSettings(), state)
    for frame in frames[6:]:
        one, two = pipeline(frame), other(frame)
        np.testing.assert_array_equal(one.trust.p_wrong, two.trust.p_wrong)
    pipeline.reset()
    fresh = TrustPipeline(loaded.network, meta, tracking=ON)
    np.testing.assert_array_equal(pipeline(frames[9]).trust.p_wrong, fresh(frames[9]).trust.p_wrong)


@pytest.mark.parametrize(("hz", "said"), [(HZ, False), (2, True)])
def test_another_frame_rate_is_said(pipeline, hz, said):
    for frame in street(hz):
        pipeline(frame)
    text = "frames come at 2 Hz, metrics over time were fitted at 9 to 11 Hz: they are per second"
    assert (text in pipeline.rate_remark) == said
    assert any(text in remark for remark in remarks(pipeline, ThresholdSettings())) == said


def test_time_that_goes_back_or_stands_still_gives_the_first_frames_answer(loaded, pipeline, meta, frames):
    first = TrustPipeline(loaded.network, meta, tracking=ON)(frames[3]).trust.p_wrong
    for frame in frames[3:6]:
        pipeline(frame)
    np.testing.assert_array_equal(pipeline(replace(frames[3], stamp_ns=5)).trust.p_wrong, first)
    for _ in range(3):  # not stamped
        np.testing.assert_array_equal(pipeline(replace(frames[3], stamp_ns=0)).trust.p_wrong, first)


def ood_model(meta, tmp_path):
    features = ("E", "time.change.E", "time.rows", "time.age_s")
    m = len(features)
    weights = LinearPart(np.array([-1.0, 2.0, -0.4, -1.0]), 1.0)
    model = OodModel(
        features,
        np.zeros(m),
        np.ones(m),
        weights,
        np.tile([-1e6, 1e6], (m, 1)),
        meta.network,
        meta.class_names,
        "entropy",
        0.5,
        network_sha256=meta.network_sha256,
        base_rate=0.5,
        time=WINDOW,
    )
    model.save(tmp_path / "ood.json")
    loaded = load_ood_model(tmp_path / "ood.json")
    assert (loaded.time, loaded.fingerprint) == (WINDOW, model.fingerprint)
    return loaded


def test_ood_segments_are_judged_by_their_history(loaded, meta, frames, tmp_path):
    model = ood_model(meta, tmp_path)
    with pytest.raises(MetaModelError, match="the OoD meta model looks at the last"):
        TrustPipeline(loaded.network, ood_model=model)
    pipeline = TrustPipeline(loaded.network, ood_model=model, tracking=ON)
    settings = ThresholdSettings.constants(ood=0.5, ood_min_size=20, ood_meta=0.0)
    settings = replace(settings, ood_score="entropy")
    changed = 0
    for k, frame in enumerate(frames):
        here = pipeline(frame, settings)
        alone = TrustPipeline(loaded.network, ood_model=model, tracking=ON)(frame, settings)
        large = here.ood.sizes >= 20
        assert np.isfinite(here.ood.p_ood[large]).all()
        assert np.isnan(here.ood.p_ood[~large]).all()
        old = here.on_grid.ood_tracks.frames[large] > 1
        same = here.ood.p_ood[large] == alone.ood.p_ood[large]
        assert same[~old].all(), "what is new has no history"
        assert not same[old].any() if k else not old.any()
        changed += int(old.sum())
    assert changed > 5
