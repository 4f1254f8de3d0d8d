"""Boosted trees: equal to scikit-learn's, to a walk node by node, and refused where they do not fit together."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ood_models import size_model

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.fitting import boosting
from trust_seg_ros.fitting.boosting import fit_boosting
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.trees import Trees, trees_from_json


def walked(trees, row):
    """The sum of the leaves, one node after another."""
    total = 0.0
    for at in trees.roots:
        while trees.left[at] != at:
            left = np.float32(row[trees.feature[at]]) <= trees.threshold[at]
            at = trees.left[at] if left else trees.right[at]
        total += trees.value[at]
    return total


def drawn(seed, n=200, m=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, m)).round(1)
    positive = rng.random(n) < 1 / (1 + np.exp(-3 * x[:, 0] * x[:, 1]))
    positive[:2] = True, False
    return x, positive


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 5))
def test_the_fast_sum_is_the_walk(seed, few):
    x, positive = drawn(seed)
    trees = fit_boosting(x, positive, seed)
    other = drawn(seed + 1)[0][:few]
    np.testing.assert_allclose(trees(other), [walked(trees, row) for row in other], atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_what_scikit_learn_answers(seed, monkeypatch):
    from sklearn import ensemble

    made, plain = [], ensemble.GradientBoostingClassifier
    monkeypatch.setattr(ensemble, "GradientBoostingClassifier", lambda **words: made.append(plain(**words)) or made[0])
    x, positive = drawn(seed)
    trees = fit_boosting(x, positive)
    assert len(trees.roots) == boosting.TREES + 1
    far = np.concatenate([x, 100 * x, drawn(seed + 7)[0]])
    np.testing.assert_allclose(trees(far), made[0].decision_function(far), atol=1e-9)
    assert ((trees(x) > 0) == positive).mean() > 0.7, "a product of two metrics, which no linear model finds"


def test_few_segments_and_no_segments():
    x, positive = drawn(0, n=5)
    assert np.isfinite(fit_boosting(x, positive)(x)).all()
    assert fit_boosting(x, positive)(np.empty((0, 4))).shape == (0,)


def test_the_file_gives_the_same_answers(tmp_path):
    from trust_seg_ros.meta.ood import load_ood_model

    x, positive = drawn(3)
    x = x[:, :1]
    model = replace(size_model("net", ("road",)), trees=fit_boosting(x, positive))
    model.save(tmp_path / "m.json")
    loaded = load_ood_model(tmp_path / "m.json")
    np.testing.assert_array_equal(loaded.trees(x), model.trees(x))
    assert loaded.fingerprint == model.fingerprint != size_model("net", ("road",)).fingerprint
    assert (tmp_path / "m.json").stat().st_size < 200_000


@pytest.mark.parametrize(
    "change",
    [
        {"left": [0, 0, 2]},
        {"left": [1, 1, 9]},
        {"right": [2, 2, 2]},
        {"roots": []},
        {"roots": [3]},
        {"feature": [-1, 0, 0]},
        {"feature": [0.5, 0, 0]},
        {"value": [0, 1]},
        {"value": [0, 1, None]},
        {"threshold": [1e300, 0, 0]},
        {"roots": [1e99]},
    ],
)
def test_damaged_trees_are_refused(change):
    good = {"roots": [0], "feature": [0, 0, 0], "threshold": [1, 0, 0], "left": [1, 1, 2], "right": [2, 1, 2]}
    good["value"] = [0, -1, 2]
    trees = trees_from_json(good)
    assert trees(np.array([[1.0], [1.1]])).tolist() == [-1, 2]
    assert json.loads(json.dumps(trees.to_json())) == trees.to_json()
    with pytest.raises(TrustSegError):
        trees_from_json({**good, **change})


def test_trees_of_more_metrics_than_there_are_are_refused():
    leaf = np.zeros(1, np.int32)
    with pytest.raises(MetaModelError, match="split by metric 3, there are 1"):
        replace(size_model("net", ("road",)), trees=Trees(leaf, leaf + 3, leaf * 1.0, leaf, leaf, leaf * 1.0))
