import logging
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.fitting.fit import fit, fit_linear, fit_logistic, fit_ridge, scores, statistics
from trust_seg_ros.meta import LinearPart, MetaModelError, SegmentData


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


def _reference(x, y):
    """P of the unpenalised logistic regression: Newton's method with halved steps on a full-rank basis."""
    u, spread, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    design = np.column_stack([u[:, spread > 1e-9 * spread[0]] * np.sqrt(len(x)), np.ones(len(x))])
    w = np.zeros(design.shape[1])

    def loss(w):
        return np.logaddexp(0, np.where(y, -1, 1) * (design @ w)).mean()

    for _ in range(200):
        p = 1 / (1 + np.exp(-(design @ w)))
        gradient = design.T @ (p - y) / len(y)
        if np.abs(gradient).max() < 1e-14:
            break
        step = np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]) / len(y), gradient)
        length = 1.0
        while length > 1e-9 and loss(w - length * step) > loss(w):
            length /= 2
        w = w - length * step
    return 1 / (1 + np.exp(-(design @ w)))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(300, 2000), st.integers(1, 12), st.integers(0, 3))
def test_probabilities_are_those_of_a_tightly_converged_fit(seed, n, m, collinear):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, m)) @ rng.normal(size=(m, m)) + rng.exponential(size=(n, m))
    x = np.column_stack([x, *(x @ rng.integers(-2, 3, m) for _ in range(collinear)), np.full(n, 0.3)])
    means, scales = statistics(x)
    x = (x - means) / scales
    y = rng.random(n) < 1 / (1 + np.exp(-1.5 * x @ rng.normal(size=x.shape[1]) / np.sqrt(x.shape[1]) - rng.normal()))
    y[:20] = np.arange(20) % 2
    part = fit_logistic(x, y)
    assert 1 / (1 + np.exp(-part(x))) == pytest.approx(_reference(x, y), abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(30, 500), st.integers(1, 12), st.integers(0, 3))
def test_the_linear_part_is_the_shortest_of_least_squares(seed, n, m, collinear):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, m)) + rng.normal()
    x = np.column_stack([x, *(x @ rng.integers(-2, 3, m) for _ in range(collinear)), np.zeros(n)])
    y = x @ rng.normal(size=x.shape[1]) + rng.normal(size=n)
    part = fit_linear(x, y)
    expected = np.linalg.pinv(x - x.mean(0), rcond=1e-9) @ (y - y.mean())
    assert part.coefficients == pytest.approx(expected, abs=1e-8)
    assert part(x).mean() == pytest.approx(y.mean())


def test_a_linear_part_of_metrics_without_spread_is_the_mean():
    part = fit_linear(np.ones((5, 2)), np.array([0.0, 0.0, 1.0, 1.0, 1.0]))
    assert part(np.ones((1, 2)))[0] == pytest.approx(0.6)


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


@pytest.mark.parametrize("tail", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_kinds_told_apart_almost_without_error_give_finite_coefficients_and_no_warnings(tail, noise):
    rng = np.random.default_rng(3)
    x = np.exp(tail * rng.normal(size=(3000, 8))) if tail else rng.normal(size=(3000, 8))
    x = (x - x.mean(0)) / x.std(0)
    y = x[:, 0] + 0.3 * x[:, 5] + noise * rng.normal(size=3000) > 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        part = fit_logistic(x, y)
    assert np.isfinite(part.coefficients).all()
    assert ((part(x) > 0) == y).mean() > 0.985


def test_one_segment_of_a_kind_gives_finite_coefficients():
    x = np.random.default_rng(0).normal(size=(500, 4))
    x[7] = 5.0
    part = fit_logistic(x, np.arange(500) == 7)
    assert np.isfinite(part.coefficients).all()
    assert np.argmax(part(x)) == 7


@pytest.mark.parametrize("y", [np.zeros(5, bool), np.ones(5, bool)])
def test_one_kind_only_is_refused(y):
    with pytest.raises(MetaModelError, match=f"{y.sum()} of 5 segments are positive; a classifier needs both kinds"):
        fit_logistic(np.eye(5), y)


def test_metrics_that_tell_segments_without_error_are_named(caplog):
    data = replace(_data(), class_ids=(np.arange(600) % 50 == 3).astype(np.uint8))
    iou = np.where(data.class_ids == 1, 0.0, data.iou_adj)  # class b is never there
    data = replace(data, iou_adj=iou, iou=iou)
    with caplog.at_level(logging.WARNING):
        model = fit(data, ("E", "S", "class_1"))
    assert model.summary["separating"] == ["class_1"]
    assert "class_1: these metrics separate some segments without error" in caplog.text
    assert np.abs(model.classifier(model.standardise(data))).max() < 50
    p_wrong, _ = model.predict(data)
    assert p_wrong[data.class_ids == 1].min() > 0.999
    assert p_wrong[data.class_ids == 0] == pytest.approx(
        fit(data.rows(data.class_ids == 0), "E,S").predict(data.rows(data.class_ids == 0))[0], abs=1e-4
    )


def test_metrics_that_err_are_not_named(caplog):
    model = fit(_data(), "E,S")
    assert "separating" not in model.summary
    assert not caplog.text


def test_the_entropy_baseline_is_a_model_of_one_metric():
    model = fit(_data(), "E", "none")
    assert model.features == ("E",)
    assert model.summary == {"images": 60, "segments": 600, "features": "E", "class_input": "none"}


def test_a_model_keeps_the_range_of_its_predictions_and_of_the_metrics():
    data = _data()
    model = fit(data, "S,E")
    p_wrong, iou = model.predict(data)
    assert model.predicted_ranges.tolist() == [[p_wrong.min(), p_wrong.max()], [iou.min(), iou.max()]]
    assert model.ranges.tolist() == [[column.min(), column.max()] for column in data.metrics.T]


def test_no_segments_and_too_few_are_refused():
    data = _data()
    with pytest.raises(MetaModelError, match="no segments to fit on"):
        fit(data.rows(np.zeros(600, bool)), "E,S")
    both = np.array([*np.flatnonzero(data.false_positive)[:1], *np.flatnonzero(~data.false_positive)[:1]])
    with pytest.raises(MetaModelError, match="2 segments for 2 metrics; expected more segments than metrics"):
        fit(data.rows(both), "E,S")


def test_nothing_but_false_positives_is_refused():
    data = _data()
    data.iou_adj[:] = 0
    with pytest.raises(MetaModelError, match="600 of 600 segments are false positives"):
        fit(data, "E,S")


def test_a_target_that_is_not_finite_is_refused():
    data = _data()
    data.iou_adj[4] = np.nan
    with pytest.raises(MetaModelError, match="IoU_adj of 1 segments is not finite"):
        fit(data, "E,S")


def test_fitting_twice_gives_the_same_numbers():
    first, second = fit(_data(), "E,S"), fit(_data(), "E,S")
    assert first.to_json() == second.to_json()


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
    assert judged["sigma"] == pytest.approx(np.sqrt(((data.iou_adj - 0.5) ** 2).mean()))
    assert judged["r2"] == pytest.approx(1 - ((data.iou_adj - 0.5) ** 2).mean() / data.iou_adj.var())


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.1, 2.0]))
@settings(max_examples=25, deadline=None)
def test_ridge_is_the_minimum_of_its_definition(seed, strength):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, 4))
    x[:, 3] = x[:, 0] + x[:, 1]  # collinear, as metrics of segments are
    y = rng.random(80) < 1 / (1 + np.exp(-(x[:, 0] - 0.5)))
    y[:2] = True, False
    part = fit_ridge(x, y, strength)
    residual = 1 / (1 + np.exp(-part(x))) - y  # the gradient of the log-loss by the logit
    np.testing.assert_allclose(x.T @ residual / 80 + strength * part.coefficients, 0, atol=1e-5)
    assert residual.mean() == pytest.approx(0, abs=1e-5)


def test_ridge_without_strength_is_logistic_regression_and_with_much_of_it_the_base_rate():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 3))
    y = rng.random(400) < 1 / (1 + np.exp(-x[:, 0]))
    np.testing.assert_allclose(fit_ridge(x, y, 1e-9)(x), fit_logistic(x, y)(x), atol=1e-4)
    np.testing.assert_allclose(1 / (1 + np.exp(-fit_ridge(x, y, 1e6)(x))), y.mean(), atol=1e-4)
    with pytest.raises(MetaModelError, match="400 of 400 segments are positive"):
        fit_ridge(x, np.ones(400, bool), 0.1)
