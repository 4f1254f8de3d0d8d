"""One run: hand-checkable numbers, and nothing of the judged part in what is fitted."""

from dataclasses import replace

import numpy as np
import pytest
from meta_segments import segments

from trust_seg_ros.evaluation.meta import judge as j
from trust_seg_ros.evaluation.meta.splits import Run, by_image
from trust_seg_ros.fitting.lasso import LAMBDAS
from trust_seg_ros.meta.features import design_matrix

NAMES = ("E", "D", "cprob_0", "cprob_1", "still")


def _problem(data, names=NAMES, **options):
    entropy = data.metrics[:, data.names.index("E")]
    return j.Problem(design_matrix(data, names), entropy, data.iou, data.iou_adj, data.image, LAMBDAS, **options)


def _score(outcome, target, model, part, measure):
    return outcome.scores[j.Cell(target, model, part, measure)]


@pytest.fixture(scope="module")
def data():
    return segments(n=600)


@pytest.fixture(scope="module")
def run(data):
    return by_image(data, 1).runs[0]


@pytest.fixture(scope="module")
def outcome(data, run):
    return j.judge(_problem(data, boosting=True), run)


def test_all_metrics_beat_the_entropy_baseline_where_they_know_more(outcome):
    for part in ("fitted", "judged"):
        for model in (j.ALL, j.PENALISED, j.KEPT, j.BOOSTING):
            assert _score(outcome, j.FALSE_POSITIVE, model, part, "AUROC") > 0.85
        assert 0.5 < _score(outcome, j.FALSE_POSITIVE, j.ENTROPY, part, "AUROC") < 0.8
        assert _score(outcome, j.IOU_ADJ, j.ALL, part, "R²") > 0.7
        assert _score(outcome, j.IOU_ADJ, j.ENTROPY, part, "R²") < 0.4


def test_scores_are_those_of_the_predictions_given(data, run, outcome):
    rows = np.flatnonzero(run.judged)
    np.testing.assert_array_equal(outcome.rows, rows)
    wrong, true = data.false_positive[rows], data.iou_adj[rows]
    assert _score(outcome, j.FALSE_POSITIVE, j.ALL, "judged", "ACC") == ((outcome.logit > 0) == wrong).mean()
    share = wrong.mean()
    assert _score(outcome, j.FALSE_POSITIVE, j.MAJORITY, "judged", "ACC") == pytest.approx(max(share, 1 - share))
    residual = true - outcome.iou_adj
    assert _score(outcome, j.IOU_ADJ, j.ALL, "judged", "σ") == pytest.approx(np.sqrt((residual**2).mean()))
    assert _score(outcome, j.IOU_ADJ, j.ALL, "judged", "R²") == pytest.approx(1 - (residual**2).mean() / true.var())
    clipped = true - np.clip(outcome.iou_adj, 0, 1)
    assert _score(outcome, j.IOU_ADJ, j.CLIPPED, "judged", "σ") == pytest.approx(np.sqrt((clipped**2).mean()))


def test_the_entropy_baseline_is_least_squares_on_entropy_alone(data, run, outcome):
    e = data.metrics[:, 1]
    slope, offset = np.polyfit(e[run.fitted], data.iou_adj[run.fitted], 1)
    residual = data.iou_adj[run.judged] - slope * e[run.judged] - offset
    assert _score(outcome, j.IOU_ADJ, j.ENTROPY, "judged", "σ") == pytest.approx(np.sqrt((residual**2).mean()))


def test_the_clipped_baseline_is_the_same_line_held_to_0_and_1(data, run):
    metrics = data.metrics.copy()
    judged = np.flatnonzero(run.judged)
    metrics[judged[:20], 1], metrics[judged[20:40], 1] = -50.0, 50.0  # the line leaves [0, 1] on either side
    outcome = j.judge(_problem(replace(data, metrics=metrics)), run)
    for target, true in ((j.IOU_ADJ, data.iou_adj), (j.IOU, data.iou)):
        slope, offset = np.polyfit(metrics[run.fitted, 1], true[run.fitted], 1)
        predicted = slope * metrics[judged, 1] + offset
        assert predicted.min() < 0
        assert predicted.max() > 1
        for model, values in ((j.ENTROPY, predicted), (j.ENTROPY_CLIPPED, np.clip(predicted, 0, 1))):
            sigma = np.sqrt(((true[judged] - values) ** 2).mean())
            assert _score(outcome, target, model, "judged", "σ") == pytest.approx(sigma)


def test_on_the_fitted_part_sigma_and_r_squared_say_the_same(data, run, outcome):
    for target, true in ((j.IOU_ADJ, data.iou_adj), (j.IOU, data.iou)):
        sigma = _score(outcome, target, j.ALL, "fitted", "σ")
        assert _score(outcome, target, j.ALL, "fitted", "R²") == pytest.approx(1 - sigma**2 / true[run.fitted].var())


def test_the_judged_part_changes_no_fitted_number(data, run, outcome):
    rng = np.random.default_rng(1)
    changed = data.metrics.copy()
    changed[run.judged] = rng.normal(50, 1000, changed[run.judged].shape)
    iou_adj = np.where(run.judged, rng.random(len(data)), data.iou_adj)
    iou = np.where(run.judged, rng.random(len(data)), data.iou)
    other = j.judge(_problem(replace(data, metrics=changed, iou=iou, iou_adj=iou_adj), boosting=True), run)
    fitted = {cell: value for cell, value in outcome.scores.items() if cell.part == "fitted"}
    assert len(fitted) > 20
    assert fitted == {cell: value for cell, value in other.scores.items() if cell.part == "fitted"}
    np.testing.assert_array_equal(outcome.path.coefficients, other.path.coefficients)
    assert outcome.path.chosen == other.path.chosen
    assert _score(outcome, j.IOU, j.ALL, "judged", "σ") != _score(other, j.IOU, j.ALL, "judged", "σ")


def test_the_scaler_sees_the_fitted_part_only():
    x = np.array([[1.0, 5.0], [3.0, 5.0], [100.0, 8.0]])
    scaled = j.standardised(x, np.array([True, True, False]))
    assert scaled.tolist() == [[-1.0, 0.0], [1.0, 0.0], [98.0, 3.0]]


def test_the_path_begins_with_nothing_and_ends_near_the_unpenalised_model(outcome):
    path = outcome.path
    assert (path.coefficients[0] == 0).all()
    assert path.auroc[0] == 0.5
    assert np.count_nonzero(path.coefficients[-1]) >= 3
    unpenalised = _score(outcome, j.FALSE_POSITIVE, j.ALL, "judged", "AUROC")
    assert path.auroc[-1] == pytest.approx(unpenalised, abs=0.005)
    assert path.accuracy.shape == path.auroc.shape == LAMBDAS.shape
    chosen = path.auroc[path.chosen], path.accuracy[path.chosen]
    assert chosen == tuple(_score(outcome, j.FALSE_POSITIVE, j.PENALISED, "judged", m) for m in ("AUROC", "ACC"))


def test_noise_is_penalised_more_than_signal():
    data = segments(n=400)
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(len(data), 40))
    signal = data.metrics[:, [2]]
    some = j.choose_penalty(np.hstack([signal, noise]), data.false_positive, data.image, LAMBDAS)
    only = j.choose_penalty(signal, data.false_positive, data.image, LAMBDAS)
    assert LAMBDAS[some] > LAMBDAS[only]
    nothing = j.choose_penalty(noise, data.false_positive, data.image, LAMBDAS)
    assert LAMBDAS[nothing] > 0.02


def test_log_loss_by_hand():
    positive = np.array([True, False])
    assert j.log_loss(np.array([0.0, 0.0]), positive) == pytest.approx(np.log(2))
    assert j.log_loss(np.array([np.log(3), -np.log(3)]), positive) == pytest.approx(-np.log(0.75))
    assert np.isfinite(j.log_loss(np.array([[-800.0, 800.0]]), positive)).all()


@pytest.mark.parametrize("iou_adj", [0.5, 0.0])
def test_one_kind_only_leaves_the_classifiers_untold(data, run, iou_adj):
    single = replace(data, iou_adj=np.full(len(data), iou_adj))
    outcome = j.judge(_problem(single), run)
    assert {cell.model for cell in outcome.scores if cell.target == j.FALSE_POSITIVE} == {j.MAJORITY}
    assert _score(outcome, j.FALSE_POSITIVE, j.MAJORITY, "judged", "ACC") == 1.0
    assert outcome.path is None
    assert np.isnan(outcome.logit).all()
    assert _score(outcome, j.IOU, j.ALL, "judged", "R²") > 0.7
    assert np.isnan(_score(outcome, j.IOU_ADJ, j.ALL, "judged", "R²"))


def test_one_kind_in_the_judged_part_leaves_auroc_untold(data):
    run = Run("right ones", np.arange(len(data)) < 300, (np.arange(len(data)) >= 300) & ~data.false_positive)
    outcome = j.judge(_problem(data), run)
    assert np.isnan(_score(outcome, j.FALSE_POSITIVE, j.ALL, "judged", "AUROC"))
    assert _score(outcome, j.FALSE_POSITIVE, j.ALL, "judged", "ACC") > 0.5
    assert np.isnan(outcome.path.auroc).all()


def test_a_handful_of_segments_is_enough(data):
    few = np.flatnonzero(data.false_positive)[:2].tolist() + np.flatnonzero(~data.false_positive)[:2].tolist()
    fitted = np.isin(np.arange(len(data)), few)
    outcome = j.judge(_problem(data), Run("few", fitted, ~fitted))
    assert 0 <= _score(outcome, j.FALSE_POSITIVE, j.ALL, "judged", "AUROC") <= 1
