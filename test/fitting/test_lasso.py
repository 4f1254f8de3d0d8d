"""The LASSO path against references, the conditions of optimality, and cases worked out by hand."""

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from trust_seg_ros.fitting.lasso import LAMBDAS, lasso_path, objective
from trust_seg_ros.meta import MetaModelError


def problem(seed, n=300, m=6, collinear=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, m)) @ rng.normal(size=(m, m))
    if collinear:
        x[:, -1] = x[:, 0] + x[:, 1]
    x = (x - x.mean(0)) / x.std(0)
    y = rng.random(n) < 1 / (1 + np.exp(-1.5 * x @ rng.normal(size=m) / np.sqrt(m) - rng.normal()))
    y[:2] = [True, False]
    return x, y


L1 = {"l1_ratio": 1.0} if tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 8) else {"penalty": "l1"}


def proximal_gradient(x, y, penalty):
    """The readable reference: accelerated proximal gradient (Beck, Teboulle 2009) with restarts; coefficients, 1."""
    design = np.column_stack([x, np.ones(len(x))])
    limits = np.append(np.full(x.shape[1], penalty), 0.0)
    length = 4 * len(x) / np.linalg.norm(design, 2) ** 2
    weights = ahead = np.zeros(design.shape[1])
    momentum = 1.0
    for _ in range(20_000):
        wished = ahead - length * design.T @ (1 / (1 + np.exp(-design @ ahead)) - y) / len(y)
        new = np.sign(wished) * np.maximum(np.abs(wished) - length * limits, 0)
        if np.abs(new - ahead).max() < 1e-10 * length:
            break
        if (ahead - new) @ (new - weights) > 0:
            momentum = 1.0
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        weights, ahead = new, new + (momentum - 1) / next_momentum * (new - weights)
        momentum = next_momentum
    return new


def values(x, y, path):
    design = np.column_stack([x, np.ones(len(x))])
    weights = np.column_stack([path.coefficients, path.intercepts])
    penalties = [np.append(np.full(x.shape[1], penalty), 0.0) for penalty in path.lambdas]
    return [objective(design, y.astype(float), w, p) for w, p in zip(weights, penalties, strict=True)], weights


@pytest.mark.parametrize("seed", range(3))
def test_coefficients_are_those_of_scikit_learn(seed):
    x, y = problem(seed)
    lambdas = np.array([0.1, 0.03, 0.01, 1e-3])
    path = lasso_path(x, y, lambdas)
    for i, penalty in enumerate(lambdas):
        model = LogisticRegression(
            C=1 / (len(x) * penalty), solver="saga", tol=1e-9, max_iter=100_000, random_state=0, **L1
        ).fit(x, y)
        assert path.coefficients[i] == pytest.approx(model.coef_[0], abs=2e-5)
        design, penalties = np.column_stack([x, np.ones(len(x))]), np.append(np.full(6, penalty), 0.0)
        theirs = objective(design, y.astype(float), np.append(model.coef_[0], model.intercept_[0]), penalties)
        assert values(x, y, path)[0][i] <= theirs + 1e-12
        assert ((path.coefficients[i] == 0) == (np.abs(model.coef_[0]) < 1e-7)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 200), st.integers(1, 8), st.booleans())
def test_the_objective_is_that_of_the_reference(seed, n, m, collinear):
    x, y = problem(seed, n, m, collinear and m > 2)
    path = lasso_path(x, y, np.array([0.1, 0.02, 0.004]))
    found, _ = values(x, y, path)
    design = np.column_stack([x, np.ones(n)])
    for value, penalty in zip(found, path.lambdas, strict=True):
        weights = proximal_gradient(x, y, penalty)
        assert value == pytest.approx(
            objective(design, y.astype(float), weights, np.append(np.full(m, penalty), 0.0)), rel=1e-6
        )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 200), st.integers(1, 12), st.booleans())
def test_every_point_of_the_path_meets_the_conditions_of_optimality(seed, n, m, collinear):
    x, y = problem(seed, n, m, collinear and m > 2)
    lambdas = np.geomspace(0.5, 1e-4, 12)
    path = lasso_path(x, y, lambdas)
    p = 1 / (1 + np.exp(-path.logits(x)))
    for i, penalty in enumerate(lambdas):
        gradient, w = x.T @ (p[i] - y) / n, path.coefficients[i]
        assert abs((p[i] - y).mean()) < 1e-6
        assert (np.abs(gradient) <= penalty + 1e-6).all()
        assert gradient[w != 0] == pytest.approx(-penalty * np.sign(w[w != 0]), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_step_to_anywhere_near_improves(seed):
    x, y = problem(seed, 80, 5, collinear=True)
    path = lasso_path(x, y, np.array([0.05, 0.005]))
    best, weights = values(x, y, path)
    rng = np.random.default_rng(seed)
    for value, w, penalty in zip(best, weights, path.lambdas, strict=True):
        design, penalties = np.column_stack([x, np.ones(80)]), np.append(np.full(5, penalty), 0.0)
        for scale in (1e-3, 1e-1, 1.0):
            assert objective(design, y.astype(float), w + scale * rng.normal(size=6), penalties) > value - 1e-9


def test_one_metric_worked_out_by_hand():
    # x = ±1, of 8 segments each 6 and 2 positive: the loss is even in the intercept, so it is 0, and the optimum has
    # 1/(1+e^-w) - 6/8 + λ = 0
    x = np.repeat([1.0, -1.0], 8)[:, None]
    y = np.array([1] * 6 + [0] * 2 + [1] * 2 + [0] * 6, bool)
    path = lasso_path(x, y, np.array([0.3, 0.2, 0.1]))
    share = 6 / 8 - np.array([0.3, 0.2, 0.1])
    assert path.coefficients[:, 0] == pytest.approx(np.where(share > 0.5, np.log(share / (1 - share)), 0.0), abs=1e-5)
    assert path.intercepts == pytest.approx([0.0] * 3, abs=1e-6)


def test_the_default_path_begins_with_nothing_and_ends_near_no_penalty():
    x, y = problem(5)
    path = lasso_path(x, y)
    assert np.array_equal(path.lambdas, LAMBDAS)
    assert not path.coefficients[0].any()
    free = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(x, y)
    assert path.logits(x)[-1] == pytest.approx(free.decision_function(x), abs=0.01)


def test_kinds_that_can_be_told_apart_without_error_stay_bounded():
    x = np.linspace(-1, 1, 40)[:, None]
    path = lasso_path((x - x.mean()) / x.std(), x[:, 0] > 0, np.array([0.1, 1e-3, 1e-5]))
    assert np.isfinite(path.coefficients).all()
    assert (np.diff(path.coefficients[:, 0]) > 0).all()


def test_every_solution_is_the_one_found_from_nothing():
    """What the strong rule rules out, and where the path comes from, does not matter."""
    x, y = problem(11, 400, 30, collinear=True)
    path = lasso_path(x, y)
    for k in (5, 20, 35):
        alone = lasso_path(x, y, path.lambdas[k : k + 1])
        assert path.logits(x)[k] == pytest.approx(alone.logits(x)[0], abs=1e-4)


def test_metrics_of_long_tails_reach_the_optimum():
    rng = np.random.default_rng(2)
    x = np.exp(2 * rng.normal(size=(2000, 12)))
    x = np.column_stack([x, x[:, 0] + x[:, 1]])
    x = (x - x.mean(0)) / x.std(0)
    y = rng.random(2000) < 1 / (1 + np.exp(-0.5 * x[:, 0] + 0.2 * x[:, 3]))
    path = lasso_path(x, y)
    gradient = (1 / (1 + np.exp(-path.logits(x))) - y) @ x / len(x)
    assert (np.abs(gradient) <= path.lambdas[:, None] + 1e-6).all()


def test_fitting_twice_gives_the_same_numbers():
    x, y = problem(3)
    assert np.array_equal(lasso_path(x, y).coefficients, lasso_path(x, y).coefficients)


def test_what_did_not_converge_is_said(monkeypatch, caplog):
    monkeypatch.setattr("trust_seg_ros.fitting.lasso._ROUNDS", 1)
    x, y = problem(3)
    lasso_path(x, y, np.array([1e-3]))
    assert "LASSO at λ = 0.001: not converged" in caplog.text


def test_of_metrics_that_are_the_same_the_first_is_used():
    x, y = problem(4)
    doubled = np.column_stack([x, -x[:, 1], x[:, 2]])
    path = lasso_path(doubled, y)
    assert path.coefficients[:, :6] == pytest.approx(lasso_path(x, y).coefficients, abs=1e-6)
    assert not path.coefficients[:, 6:].any()


def test_nearly_collinear_metrics_reach_the_optimum():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 15)) + 0.003 * rng.normal(size=(500, 15))
    x = (x - x.mean(0)) / x.std(0)
    y = rng.random(500) < 1 / (1 + np.exp(-2 * x[:, 0] - 100 * (x[:, 3] - x[:, 3].round(1))))
    path = lasso_path(x, y)
    gradient = (1 / (1 + np.exp(-path.logits(x))) - y) @ x / len(x)
    assert (np.abs(gradient) <= path.lambdas[:, None] + 1.1e-7).all()
    kept = path.coefficients != 0
    signs = -path.lambdas[:, None] * np.sign(path.coefficients)
    assert gradient[kept] == pytest.approx(signs[kept], abs=1.1e-7)
    assert kept[-1].sum() >= 10


@pytest.mark.parametrize("value", [0.0, 1e-17, 0.3])
def test_a_constant_metric_stays_out(value):
    x, y = problem(1)
    x[:, 2] = value
    path = lasso_path(x, y)
    assert not path.coefficients[:, 2].any()
    assert path.logits(x) == pytest.approx(lasso_path(np.delete(x, 2, 1), y).logits(x[:, [0, 1, 3, 4, 5]]), abs=1e-4)


@pytest.mark.parametrize(
    ("lambdas", "y", "text"),
    [
        ([0.1, 0.2], [1, 0, 1], "falling"),
        ([0.1, 0.0], [1, 0, 1], "positive and falling"),
        ([0.1, np.nan], [1, 0, 1], "positive and falling"),
        ([], [1, 0, 1], "at least one"),
        ([0.1], [1, 1, 1], "3 of 3 segments are positive"),
    ],
)
def test_what_has_no_path_is_refused(lambdas, y, text):
    with pytest.raises(MetaModelError, match=text):
        lasso_path(np.ones((3, 1)), np.array(y, bool), np.array(lambdas))


def test_metrics_that_are_not_finite_are_refused():
    with pytest.raises(MetaModelError, match="not finite"):
        lasso_path(np.array([[np.nan], [1.0]]), np.array([True, False]))
