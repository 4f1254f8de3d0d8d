"""What is reported of a score: by hand, and the passes over real answers of the embedded network."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from remembering import Remembering

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.evaluation.anomaly import passes
from trust_seg_ros.evaluation.anomaly.benchmark import image_f1, judge, pixel_measures, sweep_grid
from trust_seg_ros.evaluation.anomaly.curves import Counts, average_precision, best_f1
from trust_seg_ros.evaluation.anomaly.cuts import Cut, cut
from trust_seg_ros.evaluation.anomaly.objects import SizeLimits, match_objects, overlaps, pooled
from trust_seg_ros.evaluation.anomaly.panel import Panel
from trust_seg_ros.evaluation.anomaly.passes import Look, pool, walk
from trust_seg_ros.evaluation.anomaly.pooling import pooled_scores
from trust_seg_ros.evaluation.anomaly.sources import SourceFit
from trust_seg_ros.evaluation.anomaly.study import Plan, study
from trust_seg_ros.evaluation.errors import AnomalyError
from trust_seg_ros.fitting.ood_fit import fit_ood
from trust_seg_ros.grid import parsed_grid
from trust_seg_ros.meta.ood import OodData, OodVerdict
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segments import ood_segment_table, ood_segments
from trust_seg_ros.segments.labelling import find_components
from trust_seg_ros.uncertainty import uncertainty_maps

pytestmark = pytest.mark.slow

ONE = SizeLimits(1, 1)
COUNTS = Counts(np.array([0.9, 0.5, 0.1]), np.array([2, 3, 4]), np.array([0, 1, 6]))


def hand_made():
    """Two images: an object found with a false alarm beside it; an object missed by a false alarm."""
    truth = [np.array([[1, 1, 0, 0, 0]], np.uint8), np.array([[0, 0, 0, 0, 1]], np.uint8)]
    masks = [np.array([[1, 1, 0, 0, 1]], bool), np.array([[1, 0, 0, 0, 0]], bool)]
    found = [find_components(np.where(mask, np.uint8(0), np.uint8(255))).ids for mask in masks]
    met = tuple(overlaps(ids, t) for ids, t in zip(found, truth, strict=True))
    data = OodData(
        ("S",),
        np.array([[2.0], [1.0], [1.0]]),
        np.array([False, True, True]),
        np.zeros(3, np.uint8),
        np.array([0, 0, 1], np.int32),
        ("a", "b"),
        "net",
        ("road",),
        "entropy",
        0.5,
    )
    return Cut(data, (0, 1), met, tuple(m.found >= 1 for m in met), np.array([[0.8, 0.0, 1.0]]))


def test_discarding_the_false_alarms_by_hand():
    verdict = OodVerdict(np.array([0.1, 0.9, 0.5]), np.zeros(3, bool))
    result = judge("entropy", 1.0, pixel_measures(COUNTS, True), hand_made(), verdict, ONE, ONE)
    assert (result.plain.false_positives, result.plain.false_negatives, result.actual) == (2, 1, 2)
    after = result.meta.segments
    assert (after.false_positives, after.false_negatives) == (1, 1)  # P = 0.5 stays
    assert result.meta.accuracy == pytest.approx(2 / 3)
    assert result.meta.auroc == 1.0
    assert result.plain.objects.siou.tolist() == [1.0, 0.0]
    assert result.plain.objects.ppv.tolist() == [1.0, 0.0, 0.0]
    assert after.objects.ppv.tolist() == [1.0, 0.0]
    assert result.fewest == (0.8, 1)
    np.testing.assert_allclose(image_f1(result), [1.0, 0.0])
    np.testing.assert_allclose(image_f1(replace(result, meta=None)), [2 * 2 / 5, 0.0])


def test_pixel_measures_and_the_grid_of_thresholds_by_hand():
    found = pixel_measures(COUNTS, True)
    assert found.auprc == pytest.approx(0.5 * 1 + 0.25 * 3 / 4 + 0.25 * 4 / 10)
    assert (found.fpr95, found.uncertain) == (1.0, 0.0)
    assert (found.best_threshold, found.best_f1) == (0.5, pytest.approx(6 / 8))
    assert pixel_measures(COUNTS, False).uncertain > 0
    assert sweep_grid(COUNTS, 3).tolist() == [0.9, 0.5]


@pytest.fixture(scope="module")
def network():
    return Remembering(NetworkSettings(device="cpu").load())


@pytest.fixture(scope="module")
def images():
    """Four scenes, drawn once."""
    scenes = open_ood_images("synthetic:seeds=30-33:kinds=sofa,cow:rate=4:size=160x120")
    drawn = [scenes.read(k) for k in range(4)]
    return OodImages(scenes.name, scenes.layout, scenes.names, lambda k: tuple(part.copy() for part in drawn[k]))


def test_passes_equal_doing_it_plainly(network, images):
    look = Look(network, ("entropy", "energy"))
    pixels = pool(look, images)
    seen = list(walk(look, images))
    assert pixels.images == 4
    assert pixels.inside + pixels.anomalous == 4 * 120 * 160
    thresholds = {score: best_f1(pixels.counts[score])[0] for score in look.scores}
    cuts = cut(look, images, thresholds, sweeps={"energy": np.array([thresholds["energy"]])})
    for score in look.scores:
        plain = pooled_scores("exact")
        for s in seen:
            plain.add(s.planes[score], s.truth)
        assert average_precision(pixels.counts[score]) == average_precision(plain.counts())
        limits = SizeLimits(20, 10)
        result = judge(score, 0.0, pixel_measures(pixels.counts[score], True), cuts[score], None, limits, ONE)
        masks = [s.planes[score] >= np.float32(thresholds[score]) for s in seen]
        expected = pooled([match_objects(mask, s.truth, limits) for mask, s in zip(masks, seen, strict=True)])
        assert result.plain.objects.siou.tolist() == expected.siou.tolist()
        assert result.plain.objects.ppv.tolist() == expected.ppv.tolist()
        hit = sum(int((mask & (s.truth == 1)).sum()) for mask, s in zip(masks, seen, strict=True))
        called = sum(int(mask.sum()) for mask in masks)
        assert 2 * hit / (called + pixels.anomalous) == pytest.approx(result.pixels.best_f1)  # the mask of the best F1
        assert len(cuts[score].data) == sum(len(met.found) for met in cuts[score].overlaps)
        np.testing.assert_allclose(
            cuts[score].data.metrics[:, 0], np.concatenate([met.found for met in cuts[score].overlaps])
        )
        if score == "energy":
            assert cuts[score].sweep[0, 1:].tolist() == [result.plain.false_positives, result.plain.false_negatives]


def test_a_model_says_of_the_segments_of_a_frame_what_it_says_of_them_here(network, images):
    data = cut(Look(network, ("entropy",)), images, {"entropy": 0.3})["entropy"].data
    model = fit_ood(data, "S,E,D_bd,cprob_*")
    answer = network.infer(images.read(2)[0])
    maps = uncertainty_maps(answer)
    table = ood_segment_table(maps.entropy, 0.3, maps, answer)  # as at run time: nothing is void
    np.testing.assert_allclose(model.p_ood(table), model.p_ood(data)[data.image == 2], rtol=1e-9)


def test_segments_of_a_grid_are_compared_as_published_and_pixels_at_the_size_of_the_labels(network, images):
    plain, fine = Look(network, ("entropy",)), Look(network, ("entropy",), grid=parsed_grid("320x240"))
    counts = [pool(look, images).counts["entropy"] for look in (plain, fine)]
    assert average_precision(counts[0]) == average_precision(counts[1])
    limits = SizeLimits(9, 1)
    for metrics in (True, False):
        found = cut(fine, images, {"entropy": 0.3}, metrics=metrics, limits=limits)["entropy"]
        assert (found.data.grid, found.grids, found.data.image_sizes) == ((240, 320), ((240, 320),), ((120, 160),))
        seen = list(walk(fine, images))
        for met, large, one in zip(found.overlaps, found.large, seen, strict=True):
            there = ood_segments(np.where(one.void, np.nan, one.planes["entropy"]), 0.3)
            published = one.published(there.ids)
            assert met.found.tolist() == np.bincount(published.ravel(), minlength=len(there.sizes) + 1)[1:].tolist()
            assert large.tolist() == (there.sizes >= 9).tolist(), "limits are pixels of the grid"
            assert (published[one.truth == 255] == 0).all()


def test_what_is_judged_gets_the_grid_of_the_data_fitted_on(network, images):
    def twice(k):
        image, truth = (part.repeat(2, 0).repeat(2, 1) for part in images.read(k))
        return image, truth

    larger = OodImages("larger", "", images.names, twice)
    for own, expected in ((True, ((240, 320),)), (False, ((120, 160),))):
        plan = Plan(thresholds={"entropy": 0.3}, fit=SourceFit(features="E,S"), grid_of_fit=own)
        found = study(Look(network, ("entropy",)), images, plan, [larger])
        assert found.results[0].cut.grids == expected
        assert found.sources["entropy"][0].data.grid == (240, 320)


def test_segments_without_metrics_are_the_same_segments(network, images):
    look = Look(network, ("entropy",))
    measured, plain = (cut(look, images, {"entropy": 0.3}, metrics=m)["entropy"] for m in (True, False))
    assert plain.data.metrics.shape == (len(measured.data), 0)
    np.testing.assert_array_equal(plain.data.false_alarm, measured.data.false_alarm)
    for a, b in zip(plain.overlaps, measured.overlaps, strict=True):
        np.testing.assert_array_equal(a.found, b.found)
        np.testing.assert_array_equal(a.pairs, b.pairs)


def test_many_pixels_are_binned_and_it_is_said_how_far_off(network, images, monkeypatch):
    look = Look(network, ("entropy",))
    exact = pixel_measures(pool(look, images).counts["entropy"], True)
    monkeypatch.setattr(passes, "EXACT_VALUES", 20_000)
    pixels = pool(look, images)
    assert pixels.exact == {"entropy": False}
    binned = pixel_measures(pixels.counts["entropy"], False)
    assert abs(binned.auprc - exact.auprc) <= binned.uncertain < 1e-3


def without(images, broken=(), blank=()):
    """The same images, some not readable, some with nothing but void or in distribution."""

    def read(index):
        if index in broken:
            raise DatasetError(f"image {index} is torn")
        image, truth = images.read(index)
        return image, truth * 0 + np.uint8(255 * (index % 2)) if index in blank else truth

    return OodImages(images.name, images.layout, images.names, read)


def test_images_without_anomalies_or_without_anything_else_do_no_harm(network, images):
    look = Look(network, ("entropy",))
    found = study(look, without(images, blank=(0, 1)), Plan(meta="none"))
    assert found.results[0].meta is None
    assert found.pixels.images == 4
    assert found.pixels.inside + found.pixels.anomalous == 3 * 120 * 160
    with pytest.raises(AnomalyError, match="curves need both"):
        study(look, without(images, blank=(0, 1, 2, 3)), Plan(meta="none"))


def test_a_broken_image_stops_or_is_named(network, images):
    torn = without(images, broken=(1,))
    with pytest.raises(DatasetError, match="image 1 is torn"):
        pool(Look(network, ("entropy",)), torn)
    look = Look(network, ("entropy",), keep_going=True)
    found = study(look, torn, Plan(meta="none"))
    assert found.skipped == {images.name: {"seed31": "image 1 is torn"}}
    assert found.results[0].cut.indices == (0, 2, 3)
    with pytest.raises(AnomalyError, match="none of 4 images could be read: image 0 is torn"):
        pool(Look(network, ("entropy",), keep_going=True), without(images, broken=range(4)))


def test_meta_classification_that_cannot_be_is_a_note_and_the_rest_is_told(network, images):
    plan = Plan(thresholds={"entropy": 0.999}, fit=SourceFit("E,S"))
    found = study(Look(network, ("entropy",)), images, plan)
    assert found.results[0].meta is None
    assert "entropy: no meta classification: " in found.notes[0]
    assert found.results[0].pixels.auprc > 0


@dataclass(frozen=True)
class Faulty:
    """The embedded network with a corner of logits that are not numbers."""

    network: SegmentationNetwork

    @property
    def name(self):
        return self.network.name

    @property
    def labels(self):
        return self.network.labels

    def infer(self, image):
        answer = self.network.infer(image)
        logits = answer.logits.clone()
        logits[:, :5, :7] = float("nan")
        return replace(answer, logits=logits)


@pytest.mark.filterwarnings("error")
def test_faulty_pixels_are_the_most_anomalous_and_everything_is_drawn(network, images, tmp_path):
    look = Look(Faulty(network), ("entropy", "energy", "gradient_uniform"))
    found = study(look, images, Plan(fit=SourceFit("S,E"), limits=ONE))
    assert found.results[1].pixels.counts.thresholds[0] == np.inf
    for result in found.results:
        assert 0 < result.pixels.auprc < 1
        panel = Panel(look, images, result)
        assert panel.draw(tmp_path / f"{result.score}.png")
        shown = panel.chosen()
        assert [f1 for _, f1 in shown] == sorted((f1 for _, f1 in shown), reverse=True)
        assert len({place for place, _ in shown}) == len(shown)
    picture = cv2.imread(str(tmp_path / "energy.png"))
    assert picture.shape[1] == 4 * 440 + 3 * 8
    row = 34 + 10  # below the captions: the corner of the score map, faulty and so at the bright end
    assert picture[row, 2 * 448 + 10].astype(int).sum() > 500
