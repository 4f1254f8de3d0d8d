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
from trust_seg_ros.meta.tree_sums import tree_sums, tree_sums_reference
from trust_seg_ros.meta.trees import Trees, tree_pair_from_json, trees_from_json


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


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(0, 30))
def test_the_kernel_gives_what_the_reference_gives(seed, trees, segments):
    rng = np.random.default_rng(seed)
    nodes, m = int(rng.integers(trees, 10 * trees)), 5
    own = np.arange(nodes)
    leaf = (rng.random(nodes) < 0.4) | (own == nodes - 1)
    later = np.minimum(own + 1 + rng.integers(0, nodes, nodes), nodes - 1)
    left = np.where(leaf, own, np.minimum(own + 1, nodes - 1)).astype(np.int32)
    right = np.where(leaf, own, later).astype(np.int32)
    x = rng.choice([-1.0, 0.0, 0.5, 1.0, np.nan, np.inf, -np.inf], (segments, m)).astype(np.float32)
    parts = Trees(
        rng.integers(0, nodes, trees).astype(np.int32),
        rng.integers(0, m, nodes).astype(np.int32),
        rng.choice([-1.0, 0.0, 0.5], nodes).astype(np.float32),
        left,
        right,
        rng.normal(size=nodes),
    )
    expected = tree_sums_reference(x, *parts.arrays)
    np.testing.assert_array_equal(tree_sums(x, *parts.arrays), expected)
    np.testing.assert_array_equal(parts(x.astype(np.float64)), expected)


def test_metrics_beyond_float32_take_a_side_without_a_warning(recwarn):
    trees = fit_boosting(*drawn(0))
    far = np.array([[1e300, -1e300, 0.0, 1e308]])
    assert trees(far) == trees(np.clip(far, -1e38, 1e38))
    assert not list(recwarn)


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


@pytest.mark.parametrize("missing", ["false_positive", "iou"])
def test_a_pair_with_one_kind_of_trees_is_refused(missing):
    trees = fit_boosting(*drawn(0)).to_json()
    whole = {"false_positive": trees, "iou": trees}
    assert tree_pair_from_json(whole).to_json() == whole
    with pytest.raises(TrustSegError, match=f"{missing}: nothing, expected an object"):
        tree_pair_from_json({name: part for name, part in whole.items() if name != missing})


def test_trees_of_more_metrics_than_there_are_are_refused():
    leaf = np.zeros(1, np.int32)
    with pytest.raises(MetaModelError, match="split by metric 3, there are 1"):
        replace(size_model("net", ("road",)), trees=Trees(leaf, leaf + 3, leaf * 1.0, leaf, leaf, leaf * 1.0))
