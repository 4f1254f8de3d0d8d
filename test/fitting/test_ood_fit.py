"""The meta classifier of OoD segments: fitting, judging apart, and the model file."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trust_seg_ros.fitting.fit import fit_logistic, statistics
from trust_seg_ros.fitting.ood_fit import cross_validated, fit_ood, leave_one_out
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.ood import OodData, load_ood_model
from trust_seg_ros.support.content_hash import with_hash


def segments(n=120, images=6, seed=0):
    """Small ones are false alarms more often; E and noise say nothing."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(4, 1.5, n)
    false_alarm = rng.random(n) < 1 / (1 + np.exp(1.2 * (np.log(size) - 4)))
    metrics = np.column_stack([np.log(size), rng.random(n), rng.random(n), rng.random(n)])
    return OodData(
        ("S", "E", "cprob_0", "cprob_1"),
        metrics,
        false_alarm,
        np.zeros(n, np.uint8),
        np.sort(rng.integers(0, images, n)).astype(np.int32),
        tuple(f"image{k}" for k in range(images)),
        "embedded",
        ("road", "sky"),
        "entropy",
        0.7,
    )


def part(data, chosen):
    return replace(
        data,
        metrics=data.metrics[chosen],
        false_alarm=data.false_alarm[chosen],
        class_ids=data.class_ids[chosen],
        image=data.image[chosen],
    )


def test_the_fit_is_logistic_regression_on_standardised_metrics():
    data = segments()
    model = fit_ood(data, "S,E", {"data_set": "here"})
    x = data.metrics[:, :2]
    means, scales = statistics(x)
    plain = fit_logistic((x - means) / scales, data.false_alarm)
    expected = 1 / (1 + np.exp(-plain((x - means) / scales)))
    np.testing.assert_allclose(model.p_false_alarm(data), expected, rtol=1e-12)
    np.testing.assert_allclose(model.p_ood(data) + expected, 1, rtol=1e-12)
    assert model.classifier.coefficients[0] < -0.5  # the larger, the fewer
    assert model.summary == {
        "segments": 120, "false_alarms": int(data.false_alarm.sum()), "images": 6,
        "classifier": "logistic", "data_set": "here",
    }  # fmt: skip


def test_the_penalised_fit_has_smaller_weights_and_says_what_it_is():
    plain, ridge = (fit_ood(segments(), "S,E", classifier=kind) for kind in ("logistic", "ridge"))
    assert np.abs(ridge.classifier.coefficients).sum() < np.abs(plain.classifier.coefficients).sum()
    assert ridge.summary["classifier"] == "ridge"
    assert ridge.trees is None


def test_the_shift_between_two_kinds_is_found_by_hand():
    # one metric of two values; the optimum reproduces the two shares: 1 of 4 and 3 of 4
    data = segments(8)
    data = replace(data, metrics=np.repeat([[0.0], [1.0]], 4, 0), names=("S",), false_alarm=np.arange(8) % 4 == 0)
    data = replace(data, false_alarm=np.array([1, 0, 0, 0, 1, 1, 1, 0], bool))
    np.testing.assert_allclose(fit_ood(data, "S").p_false_alarm(data), np.repeat([0.25, 0.75], 4), atol=1e-6)


def test_every_image_is_judged_once_by_a_fit_without_it():
    data = segments()
    p = cross_validated(data, "S,E", folds=6).p_false_alarm  # as many as images: leave one image out
    for image in range(6):
        own = data.image == image
        np.testing.assert_allclose(p[own], fit_ood(part(data, ~own), "S,E").p_false_alarm(part(data, own)), rtol=1e-9)
    np.testing.assert_array_equal(
        p, cross_validated(data, "S,E", folds=6, seed=3).p_false_alarm
    )  # folds of one image each
    halves = cross_validated(data, "S,E", folds=2).p_false_alarm
    assert np.isfinite(halves).all()
    assert (halves != cross_validated(data, "S,E", folds=2, seed=1).p_false_alarm).any()


def test_truth_of_an_image_does_not_enter_its_own_judgement():
    data = segments()
    own = data.image == 2
    turned = replace(data, false_alarm=data.false_alarm ^ own)
    before, after = (cross_validated(d, "S,E", folds=3).p_false_alarm for d in (data, turned))
    np.testing.assert_array_equal(before[own], after[own])
    assert (before != after).any()


def test_leave_one_out_leaves_one_out():
    data = segments(40)
    told = []
    p = leave_one_out(data, "S,E", lambda done, total: told.append((done, total))).p_false_alarm
    assert told[0] == (1, 40)
    assert told[-1] == (40, 40)
    for k in (0, 17, 39):
        others = np.arange(40) != k
        fitted = fit_ood(part(data, others), "S,E")
        np.testing.assert_allclose(p[k], fitted.p_false_alarm(part(data, ~others))[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"false_alarm": np.ones(120, bool)}, "120 of 120 OoD segments are false alarms"),
        ({"metrics": np.full((120, 4), np.nan)}, "not finite: S, E"),
    ],
)
def test_data_that_cannot_be_fitted_on_is_refused(change, message):
    with pytest.raises(MetaModelError, match=message):
        fit_ood(replace(segments(), **change), "S,E")


def test_too_few_segments_or_images_are_refused():
    with pytest.raises(MetaModelError, match="3 OoD segments for 4 metrics"):
        fit_ood(segments(3), "all")
    with pytest.raises(MetaModelError, match="5 folds of 1 images"):
        cross_validated(segments(30, images=1), "S")


def test_the_model_file_gives_the_same_predictions(tmp_path):
    data, path = segments(), tmp_path / "ood.json"
    model = fit_ood(data, "S,E")
    model.save(path)
    again = load_ood_model(path)
    np.testing.assert_array_equal(again.p_false_alarm(data), model.p_false_alarm(data))
    assert (again.score, again.threshold, again.features) == ("entropy", 0.7, ("S", "E"))
    assert again.to_json() == model.to_json()
    again.check_fits("embedded", ["road", "sky"], "entropy")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("running", "message"),
    [
        (("other.pt2", ("road", "sky"), "entropy"), "fitted for network 'embedded', running is 'other.pt2'"),
        (("embedded", ("road",), "entropy"), "knows the 2 classes road, sky; the network has 1: road"),
        (("embedded", ("road", "sky"), "energy"), "segments of the score 'entropy' at 0.7, asked for is 'energy'"),
    ],
)
def test_a_foreign_model_is_refused(running, message):
    with pytest.raises(MetaModelError, match=message):
        fit_ood(segments(), "S").check_fits(*running)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "trust_seg_ros/meta-model"}, "not a meta model file of OoD segments"),
        ({"version": 9}, "version 9, this program reads version 2"),
        ({"threshold": "high"}, "threshold: 'high', expected a finite number"),
        ({"features": {}}, "expected different names, at least one"),
        ({"features": {"S": {"mean": 0, "scale": 0, "false_alarm": 1, "range": [0, 1]}}}, "scales: every one"),
        ({"intercepts": {}}, "false_alarm: nothing"),
        ({"image_sizes": 384}, "image_sizes: 384, expected a list"),
        ({"image_sizes": [{"height": 384}]}, "width: nothing, expected a finite number"),
        ({"image_sizes": [{"height": 384, "width": 0.5}]}, "width: 0.5, expected a whole number of pixels"),
        ({"image_sizes": [{"height": 0, "width": 640}]}, "expected height and width of at least 1"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change, message):
    path = tmp_path / "ood.json"
    path.write_text(json.dumps(with_hash({**fit_ood(segments(), "S").to_json(), **change})))
    with pytest.raises(MetaModelError, match=message):
        load_ood_model(path)


SIZED = replace(segments(), image_sizes=((384, 640), (720, 1280)))


@pytest.mark.parametrize(
    ("size", "judged"),
    [
        ((384, 640), True),
        ((346, 576), True),
        ((422, 704), True),
        ((345, 640), False),
        ((384, 705), False),
        ((720, 1280), True),
        ((360, 480), False),
        ((720, 640), False),
    ],
)
def test_images_within_a_tenth_of_a_size_fitted_on_are_judged(size, judged):
    model = fit_ood(SIZED, "S")
    assert model.judges(size) is judged
    assert (model.size_gap(size) == "") is judged
    assert fit_ood(segments(), "S").judges(size), "no size is known"
    assert model.size_gap(None) == ""


def test_the_file_names_the_sizes_and_one_without_them_is_read(tmp_path):
    model = fit_ood(SIZED, "S")
    model.save(tmp_path / "sized.json")
    assert load_ood_model(tmp_path / "sized.json").image_sizes == SIZED.image_sizes
    content = json.loads((tmp_path / "sized.json").read_text())
    assert content.pop("image_sizes") == [{"height": 384, "width": 640}, {"height": 720, "width": 1280}]
    (tmp_path / "older.json").write_text(json.dumps(with_hash(content)))
    older = load_ood_model(tmp_path / "older.json")
    assert older.image_sizes == ()
    assert "image_sizes" not in older.to_json()
    assert older.fingerprint == model.fingerprint, "calibrations of the file without sizes still fit"
    assert model.size_gap((10, 20)) == (
        "images are 20×10, the OoD meta model was fitted on images of 640×384 or 1280×720"
    )


def test_a_missing_file_and_an_unwritable_place_are_said(tmp_path):
    with pytest.raises(MetaModelError, match=r"no such meta model file of OoD segments; expected .* --save-meta"):
        load_ood_model(tmp_path / "absent.json")
    with pytest.raises(MetaModelError, match="cannot be written there"):
        fit_ood(segments(), "S").save(tmp_path / "absent" / "ood.json")
