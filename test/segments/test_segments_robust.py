"""Bad input is named, faulty pixels stay out, and nothing overflows or depends on who else is at work."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from places import CAMVID, needs_camvid

from trust_seg_ros.segments import (
    FeatureError,
    FeatureSet,
    MapShapeError,
    ScoreThresholdError,
    TargetError,
    apply_ignore,
    components,
    maps_from_softmax,
    ood_segments,
    segment_table,
    segment_table_from_softmax,
    targets,
)
from trust_seg_ros.segments.bands import map_bands
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import reference_maps, uncertainty_maps


def logits(q: int = 4, h: int = 12, w: int = 16, scale: int = 4, seed: int = 0) -> LogitMaps:
    values = np.random.default_rng(seed).normal(0, 3, (q, h, w)).astype(np.float32)
    return LogitMaps(torch.from_numpy(values), (h * scale, w * scale))


@pytest.mark.parametrize(
    "classes",
    [
        np.zeros((2, 2), np.int64),
        np.zeros(4, np.uint8),
        np.zeros((0, 3), np.uint8),
        np.zeros((2, 2, 1), np.uint8),
        [[1]],
    ],
)
def test_what_is_no_class_map_is_refused(classes):
    with pytest.raises(MapShapeError, match=r"class map is .*expected a \(H, W\) uint8"):
        components(classes)


def test_maps_and_logits_of_different_sizes_are_refused():
    given = logits()
    other = LogitMaps(given.logits, (50, 64))
    with pytest.raises(MapShapeError, match=r"maps are \(48, 64\).*\(50, 64\)"):
        segment_table(uncertainty_maps(given), other)


def test_maps_and_logits_of_different_networks_are_refused():
    given = logits(q=9)
    with pytest.raises(MapShapeError, match=r"holds class 8 .* 4 classes"):
        segment_table(uncertainty_maps(given), logits(q=4))


def test_unknown_features_and_missing_maps_are_named():
    given = logits()
    maps = uncertainty_maps(given)
    with pytest.raises(FeatureError, match=r"'metasec'.*metaseg, meta_ood, meta_scale_free, all"):
        segment_table(maps, given, "metasec")
    with pytest.raises(FeatureError, match=r"'G'.*extra"):
        segment_table(maps, given, FeatureSet(maps=("E", "G")))
    with pytest.raises(MapShapeError, match=r"map 'G' has shape \(3, 3\); expected \(48, 64\)"):
        segment_table(maps, given, "all", extra={"G": np.zeros((3, 3), np.float32)})


def test_ground_truth_that_does_not_fit_is_refused():
    given = logits()
    table = segment_table(uncertainty_maps(given), given)
    truth = np.zeros((48, 64), np.uint8)
    with pytest.raises(TargetError, match="'realeased'"):
        targets(table, truth, "realeased")
    with pytest.raises(MapShapeError, match=r"ground truth has shape \(48, 63\)"):
        targets(table, truth[:, 1:])
    with pytest.raises(MapShapeError, match="ground truth is int64"):
        apply_ignore(truth, truth.astype(np.int64))
    truth[3, 5:9] = 255
    with pytest.raises(TargetError, match=r"4 pixels .* 255 .*apply_ignore"):
        targets(table, truth)


@pytest.mark.parametrize(
    "prob", [np.zeros((4, 4), np.float32), np.zeros((1, 4, 4), np.float32), np.ones((3, 2, 2), int)]
)
def test_what_is_no_softmax_is_refused(prob):
    with pytest.raises(MapShapeError, match=r"softmax is .*2 to 254 classes"):
        segment_table_from_softmax(prob)


def test_logits_are_not_taken_for_a_softmax():
    with pytest.raises(MapShapeError, match=r"do not hold probabilities.*segment_table"):
        maps_from_softmax(logits().logits)


def test_faulty_pixels_are_in_no_segment_and_do_not_spoil_their_neighbours():
    given = logits()
    broken = given.logits.clone()
    broken[1, 5, 7], broken[2, 9, 2] = torch.nan, torch.inf
    given = LogitMaps(broken, given.size)
    maps = uncertainty_maps(given)
    table = segment_table(maps, given, "meta_ood")
    assert maps.faulty_pixels > 0
    assert (table.ids[maps.classes.numpy() == 255] == 0).all()
    assert table.sizes.sum() == table.ids.size - maps.faulty_pixels
    assert np.isfinite(table.metrics).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_types_give_the_same_metrics(dtype):
    given = logits()
    maps = uncertainty_maps(given)
    prob = torch.softmax(torch.nn.functional.interpolate(given.logits[None], given.size, mode="bilinear")[0], 0)
    wanted = segment_table(maps, given).metrics
    found = segment_table_from_softmax(prob.to(dtype), maps=maps).metrics
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-2 if dtype is torch.bfloat16 else 1e-3)


def test_maps_from_a_softmax_are_those_of_the_logits():
    given = logits(q=7, scale=1)
    prob = given.logits.softmax(0)
    wanted = reference_maps(given)
    found = maps_from_softmax(prob)
    assert torch.equal(found.classes, wanted.classes)
    for name in ("entropy", "margin", "variation_ratio"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), atol=1e-5)


def test_certain_uniform_and_faulty_softmax_pixels_have_the_ends_of_the_ranges():
    prob = np.zeros((4, 1, 3), np.float32)
    prob[2, 0, 0] = 1
    prob[:, 0, 1] = 0.25
    prob[:, 0, 2] = [np.nan, 0.5, 0.5, 0]
    maps = maps_from_softmax(prob)
    assert maps.classes.tolist() == [[2, 0, 255]]
    assert maps.entropy.tolist() == [[0, pytest.approx(1, abs=1e-6), 1]]
    assert maps.margin.tolist() == [[0, 1, 1]]
    assert maps.variation_ratio.tolist() == [[0, 0.75, 0.75]]
    assert maps.faulty_pixels == 1


def test_read_only_and_strided_arrays_are_taken():
    given = logits()
    maps = uncertainty_maps(given)
    prob = torch.softmax(torch.nn.functional.interpolate(given.logits[None], given.size, mode="bilinear")[0], 0).numpy()
    wanted = segment_table_from_softmax(prob, maps=maps)
    strided = np.moveaxis(np.ascontiguousarray(np.moveaxis(prob, 0, -1)), -1, 0)
    strided.flags.writeable = False
    truth = np.zeros((48, 128), np.uint8)[:, ::2]
    truth.flags.writeable = False
    found = segment_table_from_softmax(strided, maps=maps, ground_truth=truth)
    assert found.metrics.tobytes() == wanted.metrics.tobytes()
    assert len(targets(found, truth).iou) == len(wanted)


def test_more_segments_than_16_bits_hold():
    # four classes in 2x2 tiles: no two equal pixels touch
    classes = np.tile(np.array([[0, 1], [2, 3]], np.uint8), (150, 150))
    prob = np.full((4, 300, 300), 0.1, np.float32)
    np.put_along_axis(prob, classes[None].astype(int), 0.7, axis=0)
    table = segment_table_from_softmax(prob)
    assert len(table) == 90_000
    assert table.ids.ravel().tolist() == list(range(1, 90_001))
    assert table.boxes[89_999].tolist() == [299, 299, 300, 300]
    np.testing.assert_allclose(table.column("cprob_3")[-1], 0.7, rtol=1e-6)
    assert targets(table, classes).iou_adj.tolist() == [1.0] * 90_000


def test_ood_segments_reach_the_threshold_span_classes_and_skip_nan():
    score = np.array([[0.7, 0.9, 0.1, np.nan, 0.8]], np.float32)
    found = ood_segments(score, 0.7, min_size=2)
    assert found.ids.tolist() == [[1, 1, 0, 0, 2]]
    assert found.kept.tolist() == [True, False]
    assert found.boxes.tolist() == [[0, 0, 2, 1], [4, 0, 5, 1]]
    assert found.score == pytest.approx([0.8, 0.8])
    assert len(ood_segments(score, 1.0).sizes) == 0
    assert ood_segments(torch.full((3, 3), -torch.inf), -np.inf).sizes.tolist() == [9]


def test_ood_input_that_makes_no_sense_is_refused():
    with pytest.raises(ScoreThresholdError, match="NaN"):
        ood_segments(np.zeros((2, 2), np.float32), float("nan"))
    with pytest.raises(MapShapeError, match=r"score map has shape \(3,\)"):
        ood_segments(np.zeros(3, np.float32), 0.5)


def test_several_callers_at_once_get_the_same_tables():
    cases = [logits(seed=seed, scale=20) for seed in range(4)]
    wanted = [segment_table(uncertainty_maps(case), case).metrics.tobytes() for case in cases]
    with ThreadPoolExecutor(4) as callers:
        found = list(callers.map(lambda case: segment_table(uncertainty_maps(case), case), cases * 6))
    assert [table.metrics.tobytes() for table in found] == wanted * 6


def test_an_error_in_any_band_reaches_the_caller():
    def work(band: int) -> int:
        return 1 // (band - 5)

    with pytest.raises(ZeroDivisionError):
        map_bands(work, range(12), threads=3)
    assert map_bands(lambda band: band * band, range(12), threads=3) == [band * band for band in range(12)]


WARM = """
import numpy as np, torch
from trust_seg_ros.segments import ood_segments, segment_table, targets, warm_up
from trust_seg_ros.segments import probabilities, run_kernels, sum_kernels
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import uncertainty_maps

warm_up()
kernels = [value for room in (probabilities, run_kernels, sum_kernels) for value in vars(room).values()]
kernels = [kernel for kernel in kernels if hasattr(kernel, "signatures")]
before = [len(kernel.signatures) for kernel in kernels]
given = LogitMaps(torch.randn(6, 30, 20), (120, 80))
maps = uncertainty_maps(given)
targets(segment_table(maps, given, threads=2), np.zeros((120, 80), np.uint8))
ood_segments(maps.entropy, 0.7, threads=2)
assert [len(kernel.signatures) for kernel in kernels] == before, "compiled after warm_up"
print(len(kernels), "kernels")
"""


@pytest.mark.slow
def test_warm_up_compiles_everything_that_a_frame_needs():
    # a process of its own: here other tests have compiled most of it
    done = subprocess.run([sys.executable, "-c", WARM], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_maps_on_a_gpu_are_brought_to_the_host():
    given = logits()
    on_gpu = LogitMaps(given.logits.cuda(), given.size)
    found = segment_table(uncertainty_maps(on_gpu), on_gpu)
    np.testing.assert_allclose(found.metrics, segment_table(uncertainty_maps(given), given).metrics, atol=1e-4)


@needs_camvid
def test_a_real_label_image_predicts_itself():
    import cv2

    files = sorted(p for p in CAMVID.rglob("*.png") if "annot" in p.parent.name or "label" in p.parent.name)
    truth = cv2.imread(str(files[0]), cv2.IMREAD_GRAYSCALE)
    truth[truth == 11] = 255
    prob = np.full((11, *truth.shape), 0.02, np.float32)
    np.put_along_axis(prob, np.minimum(truth, 10)[None].astype(int), 0.8, axis=0)
    table = segment_table_from_softmax(prob, ground_truth=truth)
    count = sum(cv2.connectedComponents((truth == c).astype(np.uint8), connectivity=8)[0] - 1 for c in range(11))
    assert len(table) == count > 20
    for variant in ("component", "released"):
        found = targets(table, truth, variant)
        assert found.iou.tolist() == found.iou_adj.tolist() == [1.0] * count
