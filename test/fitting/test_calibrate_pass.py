"""The passes of a calibration: order, segments, what a network cannot give, and files that cannot be read."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from remembering import Remembering

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.folders import paired_folder
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.fitting.calibrate_pass import (
    CalibrationPlan,
    add_labelled,
    add_unknown,
    missing_scores,
    spread_first,
    with_statistics,
    wrong_segments,
)
from trust_seg_ros.meta.shipped import chosen_meta
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segments import apply_ignore, segment_table, targets
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.thresholds.calibration import CalibrationError, load_calibration
from trust_seg_ros.uncertainty import uncertainty_maps
from trust_seg_ros.uncertainty.errors import FeatureStatisticsError
from trust_seg_ros.uncertainty.score_names import FEATURE_SCORES, IN_LOGARITHMS, MASK_SCORES, SCORES, SOFTMAX_SCORES


@pytest.fixture(scope="module")
def network():
    return Remembering(NetworkSettings().load())


@pytest.fixture(scope="module")
def scenes():
    return [training_sample(seed, (120, 160)) for seed in range(4)]


@pytest.fixture
def folder(scenes, tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for seed, (image, labels) in enumerate(scenes):
        cv2.imwrite(str(tmp_path / "images" / f"{seed}.png"), image[..., ::-1])
        cv2.imwrite(str(tmp_path / "labels" / f"{seed}.png"), labels)
    return paired_folder(tmp_path, 11)


class Probabilities:
    """The embedded network, as one that gives probabilities and no features."""

    def __init__(self, network):
        self._network, self.name, self.labels, self.raw = network, "softmax", network.labels, False
        self.device, self.input_spec, self.warm_up = network.device, network.input_spec, network.warm_up

    def infer(self, image):
        answer = self._network.infer(image)
        return replace(answer, logits=answer.logits.log_softmax(0), raw=False, features=None, classifier=None)


def test_first_images_are_spread_and_none_is_left_out():
    assert spread_first(20, 3) == [0, 10, 19, *(k for k in range(20) if k not in (0, 10, 19))]
    for number in range(12):
        order = spread_first(number, 5)
        assert sorted(order) == list(range(number))


def test_wrong_segments_are_those_with_an_iou_of_0(network, scenes):
    for image, labels in scenes[:3]:
        truth = labels.copy()
        answer = network.infer(image)
        maps = uncertainty_maps(answer)
        truth[maps.classes.numpy() == 2] = 255  # some segments without any label
        table = segment_table(maps, answer)
        wrong, judged = wrong_segments(table, truth)
        for k in range(len(table)):
            inside = truth[table.ids == k + 1]
            assert judged[k] == (inside != 255).any()
            assert wrong[k] == (inside != table.class_ids[k]).all()
        assert judged.any()
        assert not judged.all()
        # where all is labelled, it is what meta models are fitted on
        maps = replace(maps, classes=maps.classes.new_tensor(apply_ignore(maps.classes.numpy(), truth)))
        table = segment_table(maps, answer)
        wrong, judged = wrong_segments(table, truth)
        assert judged.all()
        assert np.array_equal(wrong, targets(table, truth).false_positive)


def test_a_network_that_gives_probabilities(network, folder):
    softmax = Probabilities(network)
    missing = missing_scores(softmax, IN_LOGARITHMS)
    assert set(missing) == set(SCORES) - set(SOFTMAX_SCORES)
    assert set(missing_scores(network, IN_LOGARITHMS)) == set(MASK_SCORES)
    plan = CalibrationPlan(softmax)
    calibrator = plan.calibrator()
    add_labelled(calibrator, plan, [folder])
    found = calibrator.result()
    assert found.class_statistics is None
    raw_plan = CalibrationPlan(network)
    raw = raw_plan.calibrator()
    add_labelled(raw, raw_plan, [folder])
    assert found.temperature.value == pytest.approx(raw.result().temperature.value, rel=1e-2)
    assert np.allclose(found.scores["entropy"].risk.risk, raw.result().scores["entropy"].risk.risk, atol=2e-3)


def test_statistics_of_a_pass_are_those_of_the_calibration(network, folder):
    plan = CalibrationPlan(network, ("standardized_max_logit",))
    told = []
    plan = with_statistics(plan, [folder], lambda done, total: told.append((done, total)))
    alone = plan.statistics.classes
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    other = CalibrationPlan(network)
    calibrator = other.calibrator()
    add_labelled(calibrator, other, [folder])
    found = calibrator.result()
    assert np.array_equal(alone.mean, found.class_statistics.mean)


@pytest.mark.slow
def test_means_of_frames_are_in_the_order_of_the_data_set(network, folder):
    many = replace(folder, samples=tuple(replace(s, name=f"{k}_{s.name}") for k in range(4) for s in folder.samples))
    plan = CalibrationPlan(network, ("entropy", "energy"))
    calibrator = plan.calibrator()
    add_labelled(calibrator, plan, [many])
    expected = [float(uncertainty_maps(network.infer(many.read(s)[0])).entropy.mean()) for s in many.samples]
    found = calibrator.result().scores
    assert found["entropy"].frame_means == pytest.approx(expected, rel=1e-5)
    assert found["energy"].frame_means[:4] == pytest.approx(found["energy"].frame_means[-4:], rel=1e-5)
    assert len(set(found["energy"].frame_means[:4])) == 4


def test_images_that_cannot_be_read(network, folder):
    folder.samples[1].image.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"1\.png"):
        add_labelled(CalibrationPlan(network).calibrator(), CalibrationPlan(network), [folder])
    plan = CalibrationPlan(network, keep_going=True)
    calibrator = plan.calibrator()
    add_labelled(calibrator, plan, [folder])
    assert list(plan.skipped) == ["1"]
    assert calibrator.result().summary["images"] == 3
    for sample in folder.samples:
        sample.image.write_bytes(b"")
    with pytest.raises(CalibrationError, match="none of 4 images could be read"):
        add_labelled(plan.calibrator(), plan, [folder])


def test_segments_are_judged_by_the_meta_model(network, folder):
    plan = CalibrationPlan(network, meta=chosen_meta("auto", "embedded"))
    calibrator = plan.calibrator()
    add_labelled(calibrator, plan, [folder])
    found = calibrator.result().segments["p_wrong"]
    assert found.risk.images == 4
    assert 0 < found.recall.positives < found.flagged.positives


def test_what_does_not_go_together(network, folder):
    plan = CalibrationPlan(network)
    with pytest.raises(CalibrationError, match="the data set has 3 classes, the network 11"):
        add_labelled(plan.calibrator(), plan, [replace(folder, classes=3, ignore=(255,))])
    images = open_ood_images("synthetic:seeds=1-2:kinds=sofa")
    with pytest.raises(CalibrationError, match="expected a meta model of OoD segments"):
        add_unknown(plan.calibrator(), plan, images)


def test_statistics_of_features_are_made_in_the_same_pass_and_go_into_the_file(network, folder, tmp_path):
    plan = CalibrationPlan(network, ("standardized_max_logit", *FEATURE_SCORES), bank=20, allow_absent=True)
    told = []
    plan = with_statistics(plan, [folder], lambda done, total: told.append(done))
    assert told == [1, 2, 3, 4]
    made = plan.statistics.features()
    assert (made.layer, made.dimension, len(made.bank), made.network) == ("", 64, 20, "embedded")
    assert with_statistics(plan, [folder]) is plan  # nothing is left to make
    calibrator = plan.calibrator()
    add_labelled(calibrator, plan, [folder])
    calibrator.result().save(tmp_path / "made.json")
    loaded = load_calibration(tmp_path / "made.json")
    assert set(loaded.scores) == set(plan.scores)
    again = loaded.features()
    assert torch.equal(again.bank, made.bank)
    assert (again.alpha, again.distance, again.energy) == (made.alpha, made.distance, made.energy)
    assert again.network_sha256 == network.sha256


def test_a_class_without_pixels_is_refused_or_the_scores_are_left_out(network, folder):
    for sample in folder.samples:
        labels = cv2.imread(str(sample.labels), cv2.IMREAD_UNCHANGED)
        labels[labels == 3] = 255
        cv2.imwrite(str(sample.labels), labels)
    plan = CalibrationPlan(network, ("entropy", "knn"))
    with pytest.raises(FeatureStatisticsError, match=r"0 pixels of .*Road.*--split several times.*--allow-absent"):
        with_statistics(plan, [folder])
    plan = with_statistics(replace(plan, optional=True), [folder])
    assert plan.scores == ("entropy",)
    assert "Road" in plan.left_out["vim, knn, cdnp"]
