"""The whole pipeline by Triton's kernels, in the interpreter: the same answers as on the host."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from interpreted import needs_triton

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline, device_use
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame, LogitMaps, Wanted
from trust_seg_ros.uncertainty.errors import UncertaintyError

pytestmark = needs_triton
SIZE = (24, 32)


@pytest.fixture(scope="module")
def loaded():
    return TrustPipeline.load(PipelineSettings(device="cpu"))


def pipelines(loaded, **more):
    """One by the kernels of the CPU, one by those of a GPU; they judge images as they are."""
    pair = []
    for on_device in (False, True):
        meta = replace(loaded.meta, grid=None)
        pipeline = TrustPipeline(loaded.network, meta, ood_model=loaded.ood_model, **more)
        pipeline._on_device.on_any_device = on_device
        pair.append(pipeline)
    return pair


def picture(seed=0):
    rough = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(rough, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def assert_alike(host, device):
    for name in ("entropy", "margin", "variation_ratio"):
        assert torch.allclose(getattr(host.maps, name), getattr(device.maps, name), atol=1e-5), name
    assert torch.equal(host.maps.classes, device.maps.classes)
    assert host.maps.faulty_pixels == device.maps.faulty_pixels
    if host.segments is not None:
        assert np.array_equal(host.segments.ids, device.segments.ids)
        assert host.segments.names == device.segments.names
        for name in ("class_ids", "boxes", "sizes", "interior_sizes"):
            assert np.array_equal(getattr(host.segments, name), getattr(device.segments, name)), name
        assert np.allclose(host.segments.metrics, device.segments.metrics, rtol=1e-4, atol=1e-5)
        assert np.allclose(host.trust.p_wrong, device.trust.p_wrong, atol=1e-4)
        assert np.allclose(host.trust.iou, device.trust.iou, atol=1e-4)
        assert np.array_equal(host.trust.outside, device.trust.outside)
        assert np.array_equal(host.trust.unreliable, device.trust.unreliable)
    if host.pixel_flags is not None:
        assert np.array_equal(host.pixel_flags, device.pixel_flags)
    if host.ood is not None:
        assert np.array_equal(host.ood.ids, device.ood.ids)
        for name in ("boxes", "sizes", "kept"):
            assert np.array_equal(getattr(host.ood, name), getattr(device.ood, name)), name
        for name in ("score", "p_ood", "p_class"):
            ours, theirs = getattr(host.ood, name), getattr(device.ood, name)
            assert (ours is None) == (theirs is None), name
            assert ours is None or np.allclose(ours, theirs, atol=1e-4, equal_nan=True), name
        assert np.array_equal(host.ood.class_ids, device.ood.class_ids)
    assert host.thresholds == pytest.approx(device.thresholds)


CASES = {
    "defaults": {},
    "ood": {"ood": 0.3, "ood_min_size": 5},
    "everything": {"unreliable": 0.0, "unreliable_min_share": 0.0, "pixel": 0.0, "ood": 0.0, "ood_min_size": 1},
    "nothing": {"unreliable": 1.0, "pixel": 1.0, "ood": 2.0},
}


@pytest.mark.parametrize("case", ["ood", *(pytest.param(c, marks=pytest.mark.slow) for c in CASES if c != "ood")])
def test_both_say_the_same(loaded, case):
    host, device = pipelines(loaded)
    settings = ThresholdSettings.constants(**{"ood": 0.6, **CASES[case]})
    assert_alike(host(Frame(picture()), settings), device(Frame(picture()), settings))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["quantile", "otsu"])
def test_thresholds_that_follow_the_image(loaded, policy):
    host, device = pipelines(loaded)
    settings = ThresholdSettings().with_policy("ood", policy=policy).with_policy("pixel", policy=policy)
    assert_alike(host(Frame(picture(1)), settings), device(Frame(picture(1)), settings))


@pytest.mark.slow
def test_scores_that_are_not_of_the_softmax(loaded):
    host, device = pipelines(loaded)
    settings = replace(ThresholdSettings.constants(ood=-3.0), pixel_score="energy", ood_score="energy")
    wanted = Wanted(scores=("max_logit", "gradient_onehot"))
    ours, theirs = (pipeline(Frame(picture(2)), settings, wanted) for pipeline in (host, device))
    assert_alike(ours, theirs)
    assert set(ours.scores) == set(theirs.scores)
    for name, score in ours.scores.items():
        assert torch.allclose(score, theirs.scores[name], rtol=1e-4, atol=1e-4), name


@pytest.mark.slow
def test_tracks_go_on_over_frames(loaded):
    host, device = pipelines(loaded, tracking=TrackingSettings(on=True))
    for number in range(3):
        frame = Frame(np.roll(picture(3), number, axis=1), stamp_ns=10**9 + number * 10**8)
        ours, theirs = host(frame), device(frame)
        assert np.array_equal(ours.on_grid.tracks.ids, theirs.on_grid.tracks.ids)


@pytest.mark.slow
def test_on_a_grid_of_its_own(loaded):
    host, device = pipelines(loaded, grid="20x16")
    ours, theirs = host(Frame(picture(4))), device(Frame(picture(4)))
    assert ours.on_grid.size == theirs.on_grid.size == (16, 20)
    assert_alike(ours, theirs)


@pytest.mark.slow
def test_tables_grow_with_the_segments_and_stay_large(loaded):
    host, device = pipelines(loaded)
    memory = device._on_device._memory
    memory.rows = {"segments": 2, "ood": 1}
    settings = ThresholdSettings.constants(ood=0.5, ood_min_size=1)
    for _ in range(2):
        assert_alike(host(Frame(picture(5)), settings), device(Frame(picture(5)), settings))
    assert memory.rows["segments"] >= len(host(Frame(picture(5))).segments)


@pytest.mark.slow
def test_too_many_segments_are_measured_on_the_host(loaded, monkeypatch):
    host, device = pipelines(loaded)
    device._on_device._memory.rows = {"segments": 2, "ood": 1}
    monkeypatch.setattr("trust_seg_ros.pipeline.parts_gpu.MOST_ROWS", 2)
    settings = ThresholdSettings.constants(ood=0.5, ood_min_size=1)
    ours, theirs = (pipeline(Frame(picture(5)), settings) for pipeline in (host, device))
    assert len(ours.segments) > 2
    assert_alike(ours, theirs)


@pytest.mark.slow
def test_what_was_read_comes_along_with_the_next_frame(loaded):
    _, device = pipelines(loaded)
    first = device(Frame(picture()))
    margin = ("margin", (0, 0), (1, 1))
    assert margin not in device._on_device._memory.read
    _ = first.maps.margin
    assert margin in device._on_device._memory.read
    second = device(Frame(picture()))
    assert margin not in device._on_device._memory.read, "asked for again only when it is read again"
    assert torch.equal(first.maps.margin, second.maps.margin)


@pytest.mark.slow
def test_a_threshold_that_changes_within_the_frame(loaded):
    host, device = pipelines(loaded)
    settings = ThresholdSettings.constants(ood=0.4, pixel=0.4)
    frame = Frame(picture(6))
    before = device._parts

    def at_others(answer, perturbed):
        parts = before(answer, perturbed)
        begin = parts.begin
        parts.begin = lambda settings, wanted, constant: begin(settings, wanted, lambda target: 0.8)
        return parts

    device._parts = at_others
    device._on_device._memory.read = {("ood.ids", (0, 0), (1, 1)), ("classes", (0, 0), (1, 1))}
    assert_alike(host(frame, settings), device(frame, settings))


class Faulty:
    """A network whose logits are partly not finite."""

    def __init__(self, network):
        self.network = network
        self.labels, self.name, self.device = network.labels, network.name, network.device
        self.input_spec, self.raw = network.input_spec, network.raw

    def infer(self, image):
        answer = self.network.infer(image)
        logits = answer.logits.clone()
        logits[3, 2:4, 2:5] = torch.nan
        logits[:, 5, 1] = torch.inf
        return LogitMaps(logits, answer.size)


@pytest.mark.slow
@pytest.mark.parametrize("score", ["entropy", "energy"])
def test_faulty_pixels(loaded, score):
    pair = [TrustPipeline(Faulty(loaded.network), replace(loaded.meta, grid=None, network_sha256="")) for _ in range(2)]
    pair[1]._on_device.on_any_device = True
    settings = replace(ThresholdSettings.constants(ood=0.5 if score == "entropy" else -4.0), ood_score=score)
    host, device = (pipeline(Frame(picture()), settings) for pipeline in pair)
    assert host.maps.faulty_pixels > 0
    assert_alike(host, device)
    assert np.array_equal(np.isinf(host.ood.score), np.isinf(device.ood.score))


def recorded(run, x):
    """A recording as on a GPU: one pass with tensors that keep their places, filled anew by each replay."""
    kept = x.clone()
    parts = run(kept)

    def replay(new):
        kept.copy_(new)
        for part, made in zip(parts, run(kept), strict=True):
            part.copy_(made)
        return parts

    return replay


@pytest.mark.slow
def test_recorded_launches_give_the_same_and_start_anew_with_other_thresholds(loaded):
    from trust_seg_ros.pipeline.enqueued_gpu import Recordings
    from trust_seg_ros.segmentation.graph_capture import Replayed

    host, device = pipelines(loaded)
    told = []
    device._on_device._recordings = Recordings(told.append, lambda run, tell: Replayed(run, tell, recorded))
    settings = ThresholdSettings.constants(ood=0.5, ood_min_size=2)
    kept = []
    for number in range(4):  # the third is recorded, the fourth replayed
        kept.append((host(Frame(picture(number)), settings), device(Frame(picture(number)), settings)))
    for ours, theirs in kept:  # the last too are read when later frames have come
        assert_alike(ours, theirs)
    assert told == []
    recordings = device._on_device._recordings._kept
    assert len(recordings) == 1
    assert len(next(iter(recordings.values()))[0]._graphs) == 1, "recorded"
    assert told == []
    other = ThresholdSettings.constants(ood=0.3, pixel=0.4)
    assert_alike(host(Frame(picture()), other), device(Frame(picture()), other))
    assert len(recordings) == 2


def test_kernels_that_fail_or_differ_are_not_used(loaded, monkeypatch):
    for wrong in ("raises", "differs"):
        _, device = pipelines(loaded)
        answer = device.infer(picture())

        def broken(*_, wrong=wrong):
            if wrong == "raises":
                raise RuntimeError("ptxas fatal")
            return "its segments differ"

        monkeypatch.setattr(device_use, "_difference", broken)
        device._on_device.prove(
            picture(),
            device.network,
            answer,
            lambda maps, answer=answer, device=device: device._scores(answer, maps),
        )
        assert device._on_device.broken in ("RuntimeError: ptxas fatal", "its segments differ")
        assert device._on_device.parts(answer, lambda maps: None) is None
        monkeypatch.undo()


def test_a_kernel_that_crashes_the_device_is_named_with_the_way_out(loaded, monkeypatch):
    _, device = pipelines(loaded)

    def crash(*_):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(device_use, "_difference", crash)
    monkeypatch.setattr(device_use.DeviceUse, "parts", lambda *_: object())
    with pytest.raises(UncertaintyError, match=r"illegal memory access.*gpu_kernels off"):
        device._on_device.prove(picture(), device.network, device.infer(picture()), lambda maps: None)


@pytest.mark.slow
def test_the_proof_finds_what_is_wrong(loaded, monkeypatch):
    _, device = pipelines(loaded)
    answer = device.infer(picture())
    device._on_device.prove(picture(), device.network, answer, lambda maps: device._scores(answer, maps))
    assert device._on_device.broken == ""
    from trust_seg_ros.pipeline import enqueued_gpu

    real = enqueued_gpu.device_components

    def shifted(classes):
        found = real(classes)
        found.ids[0, 0] += 1
        return found

    monkeypatch.setattr(enqueued_gpu, "device_components", shifted)
    device._on_device.prove(picture(), device.network, answer, lambda maps: device._scores(answer, maps))
    assert "segments differ" in device._on_device.broken or "metrics differ" in device._on_device.broken
