"""Calibration from labelled images, against its parts taken from the definition."""

import numpy as np
import pytest
import torch

from trust_seg_ros.fitting.calibrate import CLASS_STEP, Calibrator, open_grid
from trust_seg_ros.thresholds.calibration import CalibrationError, load_calibration
from trust_seg_ros.thresholds.policies import Conformal, TargetRecall, resolve
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import energy, uncertainty_maps
from trust_seg_ros.uncertainty.errors import FeaturesNeededError, SettingError, StatisticsNeededError
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.standardized import ClassStatistics

SIZE = (30, 40)
NAMES = ("road", "sky", "car")


def example(seed, raw=True):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 2.0, (3, 10, 12))
    if not raw:
        logits -= np.log(np.exp(logits).sum(0))
    answer = LogitMaps(torch.from_numpy(logits.astype(np.float32)), SIZE, raw=raw)
    maps = uncertainty_maps(answer)
    truth = maps.classes.numpy().copy()
    wrong = rng.random(SIZE) < 0.5 * maps.entropy.numpy()
    truth[wrong] = (truth[wrong] + 1) % 3
    truth[:3] = 255
    return answer, maps, truth


def calibrated(count=30, **options):
    calibrator = Calibrator("net", NAMES, **options)
    for seed in range(count):
        calibrator.add(*example(seed))
    return calibrator


def test_thresholds_keep_what_they_promise_on_the_calibration_data():
    found = calibrated().result()
    entropy, losses, hits, total = found.curves("entropy"), [], 0, 0
    conformal, recall = resolve(Conformal(0.2), None, entropy), resolve(TargetRecall(0.9), None, entropy)
    for seed in range(30):
        _, maps, truth = example(seed)
        wrong = (maps.classes.numpy() != truth) & (truth != 255)
        losses.append((maps.entropy.numpy()[wrong] < conformal).mean())
        hits, total = hits + (maps.entropy.numpy()[wrong] >= recall).sum(), total + wrong.sum()
    assert 30 / 31 * np.mean(losses) + 1 / 31 <= 0.2
    assert 0.9 <= hits / total < 0.91
    assert found.scores["entropy"].recall.positives == total == found.summary["misclassified_pixels"]
    assert found.summary["images"] == 30
    assert len(found.scores["entropy"].frame_means) == 30
    means = [float(example(seed)[1].margin.mean()) for seed in range(30)]
    assert found.scores["margin"].frame_means == pytest.approx(means, rel=1e-5)


def test_statistics_of_frames_are_kept_in_order_of_time():
    """Of answers alone where no image is given; those that are not wanted, or that no frame has, are left out."""
    found = calibrated().result().statistics_of_frames
    assert set(found) == {"entropy", "margin", "max_logit"}
    calibrator, image = Calibrator("net", NAMES, watched=("brightness", "max_logit")), np.zeros((*SIZE, 3), np.uint8)
    for place in (2, 0, 1):
        answer, maps, truth = example(place)
        calibrator.add(answer, maps, truth, place, image + np.uint8(51 * place))
    kept = calibrator.result().statistics_of_frames
    assert kept["brightness"] == pytest.approx((0.0, 0.2, 0.4))
    assert kept["max_logit"] == pytest.approx(found["max_logit"][:3])


def test_by_class_curves_are_a_part_of_the_grid():
    curves = calibrated().result().scores["entropy"]
    assert len(curves.class_recall) == 3
    assert sum(curve.positives for curve in curves.class_recall) == curves.recall.positives
    assert np.array_equal(curves.class_recall[0].thresholds, curves.recall.thresholds[::CLASS_STEP])


@pytest.mark.parametrize("count", [3, 20])  # fewer and more than what the grid is made of
def test_scores_without_a_range_get_a_grid_of_their_quantiles(count):
    curves = calibrated(count, scores=("energy",)).result().scores["energy"]
    images = [example(seed) for seed in range(count)]
    seen = [energy(answer).numpy()[truth != 255] for answer, _, truth in images[:8]]
    low, high = min(map(np.min, seen)), max(map(np.max, seen))
    for end in (low, high):
        assert end in curves.recall.thresholds
    assert curves.recall.thresholds[0] == pytest.approx(low - (high - low), rel=1e-6)
    assert curves.risk.images == count
    wrong = [(energy(a).numpy(), (m.classes.numpy() != t) & (t != 255)) for a, m, t in images]
    middle = curves.risk.thresholds[500]
    assert curves.risk.risk[500] == pytest.approx(np.mean([(score[bad] < middle).mean() for score, bad in wrong]))
    every = np.concatenate([energy(answer).numpy()[truth != 255] for answer, _, truth in images])
    assert curves.flagged.recall[500] == pytest.approx((every >= middle).mean())


def test_a_grid_of_nothing_and_of_one_value():
    assert open_grid(np.empty(0), np.empty(0)).tolist() == [0.0]
    constant = open_grid(np.full(5, np.inf), np.full(9, 2.0, np.float32))
    assert 2.0 in constant
    assert (constant.min(), constant.max()) == (1.0, 3.0)


def test_images_without_labels_count_for_nothing():
    calibrator = calibrated(10)
    answer, maps, truth = example(11)
    assert not calibrator.add(answer, maps, np.full_like(truth, 255))
    found = calibrator.result()
    assert found.scores["entropy"].risk.images == 10
    assert found.summary["images_without_labels"] == 1
    assert len(found.scores["entropy"].frame_means) == 10


def test_constant_scores_have_curves():
    logits = torch.zeros(3, 4, 4)
    logits[1] = 1.0
    answer = LogitMaps(logits, (8, 8))
    maps = uncertainty_maps(answer)
    truth = np.ones((8, 8), np.uint8)
    truth[0] = 0
    calibrator = Calibrator(
        "net", NAMES, scores=("entropy", "energy"), statistics=NetworkStatistics(ClassStatistics(*np.ones((3, 3))))
    )
    for _ in range(12):
        calibrator.add(answer, maps, truth)
    found = calibrator.result()
    for name, value in (("entropy", maps.entropy[0, 0].item()), ("energy", energy(answer)[0, 0].item())):
        threshold = resolve(Conformal(0.1), None, found.curves(name))
        assert value - 0.02 < threshold <= value
        assert threshold == resolve(TargetRecall(0.5), None, found.curves(name))
    without = Calibrator("net", NAMES)
    without.add(answer, maps, truth)
    with pytest.raises(SettingError, match="nothing to standardise by"):
        without.result()


def test_segments_and_objects():
    calibrator = calibrated(2)
    calibrator.add_segments(np.array([0.9, 0.2, 0.4]), np.array([True, True, False]))
    calibrator.add_segments(np.array([0.8]), np.array([False]))
    calibrator.add_objects(np.array([0.7, -np.inf]))
    calibrator.add_objects(np.empty(0))
    found = calibrator.result()
    wrong, missed = found.segments["p_wrong"], found.segments["p_ood"]
    assert (wrong.risk.images, missed.risk.images) == (2, 2)
    assert wrong.risk.risk[wrong.risk.thresholds.searchsorted(0.9)] == pytest.approx(0.25)  # 0.2 of 0.9 and 0.2 missed
    assert wrong.recall.threshold(0.5) == 0.9
    assert found.curves("p_wrong").recall.threshold(1.0) == 0.2
    assert wrong.flagged.recall[wrong.flagged.thresholds.searchsorted(0.8)] == pytest.approx(0.5)
    assert missed.risk.thresholds[0] == -np.inf
    assert missed.risk.risk[0] == pytest.approx(0.25)  # an object that nothing touches is always missed


def test_everything_comes_back_from_the_file(tmp_path):
    before = calibrated(12, scores=("entropy", "energy")).result({"data": "made up"})
    before.save(tmp_path / "c.json")
    after = load_calibration(tmp_path / "c.json")
    assert after.temperature == before.temperature
    assert after.summary == before.summary
    assert after.summary["data"] == "made up"
    for name, score in before.scores.items():
        assert after.scores[name].to_json() == score.to_json()
    assert np.array_equal(after.class_statistics.mean, before.class_statistics.mean)
    assert resolve(Conformal(0.2), None, after.curves("energy")) == resolve(
        Conformal(0.2), None, before.curves("energy")
    )
    assert len((tmp_path / "c.json").read_text().splitlines()) < 400  # lists take a line each


def test_networks_that_give_probabilities_have_no_statistics_but_all_else():
    calibrator = Calibrator("net", NAMES)
    for seed in range(3):
        calibrator.add(*example(seed, raw=False))
    found = calibrator.result()
    assert found.class_statistics is None
    assert found.temperature.pixels > 0
    assert found.curves("entropy").risk.images == 3
    assert found.curves("energy") is None


def test_without_any_mistake_there_is_risk_but_no_recall():
    calibrator = Calibrator("net", NAMES)
    for seed in range(12):
        answer, maps, _ = example(seed)
        calibrator.add(answer, maps, maps.classes.numpy())
    found = calibrator.result()
    assert found.scores["entropy"].recall is None
    assert found.scores["entropy"].class_recall == (None, None, None)
    assert resolve(Conformal(0.2), None, found.curves("entropy")) == 1.0


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(CalibrationError, match="0 images without a labelled pixel"):
        Calibrator("net", NAMES).result()
    empty = Calibrator("net", NAMES)
    answer, maps, truth = example(0)
    empty.add(answer, maps, np.full_like(truth, 255))
    with pytest.raises(CalibrationError, match="1 images without a labelled pixel"):
        empty.result()
    with pytest.raises(FeaturesNeededError):
        Calibrator("net", NAMES, scores=("gradient_onehot",)).add(answer, maps, truth)
    with pytest.raises(StatisticsNeededError, match="trust-seg calibrate"):
        Calibrator("net", NAMES, scores=("standardized_max_logit",)).add(answer, maps, truth)
    first = calibrated(3).result().class_statistics
    second = calibrated(3, scores=("standardized_max_logit",), statistics=NetworkStatistics(first)).result()
    assert second.curves("standardized_max_logit").recall.positives > 0
    assert second.class_statistics is first  # those that its thresholds belong to
