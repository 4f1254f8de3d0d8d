from dataclasses import replace

import numpy as np
import pytest

from trust_seg_ros.meta import LinearPart, MetaModelError, SegmentData
from trust_seg_ros.meta.fit import fit, fit_logistic, scores, statistics


def _data(n=600, seed=0, wrong_share=0.3):
    rng = np.random.default_rng(seed)
    entropy = rng.uniform(0, 1, n)
    size = rng.uniform(1, 500, n)
    wrong = rng.random(n) < 1 / (1 + np.exp(-8 * (entropy - 0.7)))
    iou = np.where(wrong, 0.0, np.clip(1 - entropy + rng.normal(0, 0.05, n), 0.01, 1))
    return SegmentData(
        names=("E", "S"),
        metrics=np.stack([entropy, size], 1),
        iou=iou,
        iou_adj=iou,
        class_ids=np.zeros(n, np.uint8),
        image=np.arange(n, dtype=np.int32) // 10,
        images=tuple(f"image_{i}" for i in range(n // 10)),
        drives=("",) * (n // 10),
        network="net",
        class_names=("a", "b"),
    )


def test_fit_finds_the_metric_that_matters():
    model = fit(_data(), "E,S")
    assert model.classifier.coefficients[0] > 5 * abs(model.classifier.coefficients[1])
    assert model.regressor.coefficients[0] < 0
    judged = scores(model, _data(seed=1))
    assert judged["auroc"] > 0.8
    assert judged["accuracy"] > judged["majority"]
    assert judged["r2"] > 0.5


def test_summary_counts_images_and_segments():
    summary = fit(_data(n=100), "E,S").summary
    assert (summary["images"], summary["segments"]) == (10, 100)


def test_a_constant_metric_does_no_harm():
    data = _data()
    data.metrics[:, 1] = 7.0
    model = fit(data, "E,S")
    assert np.isfinite(model.classifier.coefficients).all()


def test_without_a_false_positive_there_is_nothing_to_learn():
    data = _data()
    data.iou_adj[:] = 0.5
    with pytest.raises(MetaModelError, match="0 of 600 segments are false positives"):
        fit(data, "E,S")


@pytest.mark.parametrize("seed", range(5))
def test_the_logistic_part_is_the_unpenalised_optimum(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, 5))
    x[:, 4] = x[:, 0] - x[:, 1]  # collinear, as S = S_in + S_bd
    y = rng.random(400) < 1 / (1 + np.exp(-x @ np.array([1.0, -0.5, 0.0, 2.0, 0.3]) + 0.4))
    part = fit_logistic(x, y)
    p = 1 / (1 + np.exp(-part(x)))
    assert np.abs(np.append(x.T @ (p - y), (p - y).sum())).max() < 1e-4  # the gradient of the sum of losses
    assert abs(part.coefficients @ [1, -1, 0, 0, -1]) < 1e-6  # the shortest: nothing along the direction without spread


def test_metrics_without_any_spread_leave_the_share():
    part = fit_logistic(np.zeros((8, 2)), np.array([True] * 2 + [False] * 6))
    assert part(np.zeros((1, 2)))[0] == pytest.approx(np.log(2 / 6))


def test_kinds_told_apart_without_error_give_finite_coefficients():
    x = np.linspace(-1, 1, 50)[:, None]
    part = fit_logistic(x, x[:, 0] > 0)
    assert np.isfinite(part.coefficients).all()
    assert ((part(x) > 0) == (x[:, 0] > 0)).all()


def test_the_scale_of_a_constant_is_one():
    means, scales = statistics(np.array([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]]))
    assert means == pytest.approx([0.1, 3.0])
    assert scales == pytest.approx([1.0, np.sqrt(8 / 3)])


def test_the_choice_of_metrics_is_followed_and_one_hot_columns_are_made():
    data = replace(_data(), class_ids=np.arange(600, dtype=np.uint8) % 2)
    assert fit(data, "E").features == ("E",)
    model = fit(data, ("E", "class_1"))
    assert model.features == ("E", "class_1")
    assert model.ranges[1].tolist() == [0.0, 1.0]
    assert model.means[1] == 0.5


def test_metrics_that_are_not_finite_are_named():
    data = _data()
    data.metrics[3, 1] = np.inf
    with pytest.raises(MetaModelError, match="not finite: S"):
        fit(data, "S,E")


def test_scores_of_a_model_worked_out_by_hand():
    data = _data(n=40)
    model = fit(data, "E,S")
    # make it answer P = 1/2 and IoU = 1/2 for everything
    flat = LinearPart(np.zeros(2), 0.0)
    judged = scores(replace(model, classifier=flat, regressor=replace(flat, intercept=0.5)), data)
    wrong = data.false_positive.mean()
    assert judged["accuracy"] == pytest.approx(wrong)  # at P = 1/2 a segment counts as wrong
    assert judged["majority"] == pytest.approx(max(wrong, 1 - wrong))
    assert judged["auroc"] == 0.5
    assert judged["sigma"] == pytest.approx(data.iou_adj.std())
    assert judged["r2"] == pytest.approx(1 - ((data.iou_adj - 0.5) ** 2).mean() / data.iou_adj.var())
