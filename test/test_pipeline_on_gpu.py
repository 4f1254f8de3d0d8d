"""The shipped network, the maps and the whole pipeline on a GPU: where things lie, and that the CPU says the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_networks import Masks

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.segmentation import load_network
from trust_seg_ros.segments import components, segment_table
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame, LogitMaps, MaskQueries, Wanted
from trust_seg_ros.uncertainty import reference_maps, uncertainty_maps
from trust_seg_ros.uncertainty.score_names import MASK_SCORES, SCORES, SOFTMAX_SCORES, score_map

DEVICE = "cuda"
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

SAME_CLASS = 0.99
"""Least share of pixels with one class in float16 and float32; neighbouring classes swap on their border."""
MEAN_ENTROPY = 0.005
"""Most that the entropies of float16 and float32 differ on average, of 1."""


@pytest.fixture(scope="module")
def image():
    return training_sample(3, (360, 480))[0]


@pytest.fixture(scope="module")
def on_gpu():
    return load_network("embedded", device=DEVICE)


@pytest.fixture(scope="module")
def on_cpu():
    return load_network("embedded", device="cpu")


def assert_alike(ours, theirs):
    assert (ours.classes.cpu() == theirs.classes.cpu()).float().mean() > SAME_CLASS
    assert (ours.entropy.cpu() - theirs.entropy.cpu()).abs().mean() < MEAN_ENTROPY


def test_the_network_is_half_precision_and_channels_last(on_gpu):
    parameters = list(on_gpu._forward.parameters())  # nothing public tells: what a user would notice is the speed
    assert {p.dtype for p in parameters} == {torch.float16}
    assert {p.device.type for p in parameters} == {DEVICE}
    kernels = [p for p in parameters if p.ndim == 4]
    assert kernels
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    assert on_gpu.input_spec.half


def test_logits_and_maps_stay_on_the_device(on_gpu, image):
    logit_maps = on_gpu.infer(image)
    assert logit_maps.logits.device.type == DEVICE
    assert logit_maps.logits.dtype == torch.float32
    maps = uncertainty_maps(logit_maps)
    for values in (maps.classes, maps.entropy, maps.margin, maps.variation_ratio):
        assert values.device.type == DEVICE
        assert values.shape == image.shape[:2]


def test_the_maps_of_one_logit_tensor_are_those_of_the_definition(on_cpu, image):
    """float32 on both sides: what is left is the order of sums."""
    given = on_cpu.infer(image)
    ours = uncertainty_maps(LogitMaps(given.logits.to(DEVICE), given.size))
    expected = reference_maps(given)
    for name in ("entropy", "margin", "variation_ratio"):
        assert torch.allclose(getattr(ours, name).cpu(), getattr(expected, name), atol=2e-5), name
    assert (ours.classes.cpu() == expected.classes).float().mean() > 0.9999


def test_class_sums_and_scores_of_masks_stay_on_the_device():
    answer = Masks().infer(training_sample(3, (360, 480))[0])
    queries = MaskQueries(answer.queries.probabilities.cuda(), answer.queries.masks.cuda())
    there = replace(answer, logits=answer.logits.cuda(), queries=queries)
    maps, want = uncertainty_maps(there), reference_maps(answer)
    assert maps.entropy.device.type == DEVICE
    assert (maps.entropy.cpu() - want.entropy).abs().max() < 1e-5
    for name in MASK_SCORES:
        score = score_map(name, there, maps)
        assert score.device.type == DEVICE
        if name != "maskomaly":  # at a border, which is 0, a rounding makes the difference
            assert (score.cpu() - score_map(name, answer, want)).abs().max() < 1e-5, name


def test_the_network_says_what_it_says_on_the_cpu(on_gpu, on_cpu, image):
    assert_alike(uncertainty_maps(on_gpu.infer(image)), uncertainty_maps(on_cpu.infer(image)))


def test_full_precision_on_request(on_cpu, image):
    network = load_network("embedded", device=DEVICE, half="off")
    ours, theirs = network.infer(image).logits.cpu(), on_cpu.infer(image).logits
    assert {p.dtype for p in network._forward.parameters()} == {torch.float32}
    # TF32, which cuDNN's convolutions use by default, keeps 10 bits
    assert (ours - theirs).abs().max() < 0.02 * (theirs.max() - theirs.min())


def test_the_whole_pipeline(image):
    pipeline = TrustPipeline.load(PipelineSettings(device=DEVICE))
    pipeline.warm_up(image.shape[:2])
    result = pipeline(Frame(image))
    assert result.maps.entropy.device.type == "cpu"
    assert_alike(result.maps, TrustPipeline.load(PipelineSettings(device="cpu"))(Frame(image)).maps)
    assert result.segments.ids.shape == image.shape[:2]
    assert len(result.trust.p_wrong) == len(result.segments) > 0
    p_wrong, iou = pipeline.meta.predict(result.segments)
    assert p_wrong == pytest.approx(result.trust.p_wrong, abs=1e-9)  # there on the device, here on the host
    assert iou == pytest.approx(result.trust.iou, abs=1e-9)
    assert result.ood is not None
    assert result.pixel_flags.shape == image.shape[:2]


@pytest.mark.parametrize("cuda_graph", ["off", "on"])
def test_the_kernels_find_what_the_host_finds(image, cuda_graph):
    """One network in turns, as the switch is the process's; more frames than a recording needs."""
    frames = [Frame(np.roll(image, 40 * k, axis=1)) for k in range(6)]
    settings = PipelineSettings(device=DEVICE, half="off", cuda_graph=cuda_graph)
    kernels = TrustPipeline.load(settings)
    kernels.warm_up(image.shape[:2])
    assert kernels.gpu_kernels == "used"
    thresholds = ThresholdSettings.constants(ood=0.5, ood_min_size=20)
    ours = [kernels(frame, thresholds) for frame in frames]
    assert kernels.gpu_kernels == "used", "recorded, where it should be"
    host = TrustPipeline.load(replace(settings, gpu_kernels="off"))
    host.warm_up(image.shape[:2])
    assert host.gpu_kernels == "not used: switched off"
    for mine, frame in zip(ours, frames, strict=True):
        theirs = host(frame, thresholds)
        assert_alike(mine.maps, theirs.maps)
        ids, count = components(mine.on_grid.maps.classes.numpy())
        assert np.array_equal(ids, mine.on_grid.segments.ids)
        assert count == len(mine.segments)
        same = segment_table(mine.on_grid.maps, host.infer(frame.image), "metaseg")
        first = len(same.names)
        assert np.allclose(mine.segments.metrics[:, :first], same.metrics, rtol=1e-3, atol=1e-3)
        assert mine.trust.unreliable.mean() == pytest.approx(theirs.trust.unreliable.mean(), abs=0.05)
    TrustPipeline.load(settings)  # allows the kernels again


def test_every_score_and_the_ood_segments_of_it_come_to_the_host(image):
    pipelines = [TrustPipeline.load(PipelineSettings(device=device, half="off")) for device in (DEVICE, "cpu")]
    for pipeline in pipelines:
        pipeline.warm_up(image.shape[:2])
    for name in SCORES:
        if name in SOFTMAX_SCORES or pipelines[0].unavailable(name) is not None:
            continue
        wanted = Wanted(scores=(name,))
        ours, theirs = (
            p(Frame(image), ThresholdSettings.constants(ood_score=name, ood=-3.0), wanted) for p in pipelines
        )
        assert ours.scores[name].device.type == "cpu"
        middle = [result.scores[name].median() for result in (ours, theirs)]
        assert middle[0] == pytest.approx(middle[1], rel=0.05, abs=0.05), name
        assert len(ours.ood.kept) == len(ours.ood.class_ids)
