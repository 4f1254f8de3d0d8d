"""Boosted trees in place of the linear meta models: what scikit-learn answers, kept in a readable file."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from trust_seg_ros.commands.fit_report import strongest_table
from trust_seg_ros.fitting import boosted_pair
from trust_seg_ros.fitting.boosted_pair import fit_tree_pair
from trust_seg_ros.fitting.fit import fit, scores
from trust_seg_ros.meta import MetaModelError, SegmentData, load_meta_model


def drawn(seed, n=1500):
    """Segments whose IoU follows from a product of two metrics, which no linear model finds; S is a size."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).round(2)
    wrong = rng.random(n) < 1 / (1 + np.exp(-4 * x[:, 0] * x[:, 1]))
    iou = np.where(wrong, 0.0, np.clip(0.5 + 0.2 * x[:, 2] ** 2, 0.01, 1.0))
    images = tuple(f"image_{i}" for i in range(n // 10))
    columns = np.concatenate([x, 1e6 * rng.random((n, 1))], 1)
    image = np.arange(n, dtype=np.int32) // 10
    classes = np.zeros(n, np.uint8)
    names = ("E", "D", "V", "S")
    return SegmentData(names, columns, iou, iou, classes, image, images, ("",) * len(images), "net", ("a", "b"))


@pytest.mark.parametrize("n", [5, 1500])
def test_it_is_what_scikit_learn_answers(n, monkeypatch):
    from sklearn import ensemble

    made = {}
    for name in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
        kind = getattr(ensemble, name)
        monkeypatch.setattr(ensemble, name, lambda kind=kind, **how: made.setdefault(kind.__name__, kind(**how)))
    data = drawn(0, n)
    data.iou_adj[:2] = 0.0, 0.5
    pair = fit_tree_pair(data.metrics, data.false_positive, data.iou_adj)
    single = np.concatenate([data.metrics, 3 * drawn(1).metrics]).astype(np.float32).astype(np.float64)
    classifier, regressor = made["HistGradientBoostingClassifier"], made["HistGradientBoostingRegressor"]
    np.testing.assert_allclose(pair.false_positive(single), classifier.decision_function(single), atol=1e-9)
    np.testing.assert_allclose(pair.iou(single), regressor.predict(single), atol=1e-9)


def test_it_finds_what_a_linear_model_cannot():
    linear, boosted = fit(drawn(0), "E,D,V,S"), fit(drawn(0), "E,D,V,S", classifier="boosting")
    was, now = scores(linear, drawn(1)), scores(boosted, drawn(1))
    assert was["auroc"] < 0.6
    assert now["auroc"] > 0.8
    assert now["r2"] > was["r2"] + 0.2
    assert boosted.summary["classifier"] == "boosting"


def test_the_file_gives_the_same_answers(tmp_path):
    model = fit(drawn(0), "E,D,V,S", classifier="boosting")
    model.save(tmp_path / "m.json")
    loaded = load_meta_model(tmp_path / "m.json")
    for ours, theirs in zip(model.predict(drawn(1)), loaded.predict(drawn(1)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert loaded.to_json() == model.to_json()
    assert loaded.fingerprint == model.fingerprint
    assert (tmp_path / "m.json").stat().st_size < 400_000


def test_other_trees_are_another_model():
    model, other = (fit(drawn(seed), "E,D,V,S", classifier="boosting") for seed in (0, 1))
    assert model.trees is not None
    same = replace(other, means=model.means, scales=model.scales, ranges=model.ranges, base_rates=model.base_rates)
    assert same.fingerprint != model.fingerprint
    assert same.older_fingerprint != model.older_fingerprint
    only_iou = replace(model, trees=replace(model.trees, iou=other.trees.iou))
    assert only_iou.fingerprint == model.fingerprint, "thresholds are on P(false positive)"


def test_far_outside_the_fitted_range_only_the_base_rate_is_left():
    model = fit(drawn(0), "E,D,V,S", classifier="boosting")
    data = drawn(1)
    data.metrics[:] = 1e9
    p_wrong, iou = model.predict(data)
    np.testing.assert_allclose(p_wrong, model.base_rates[0], atol=1e-6)
    np.testing.assert_allclose(iou, model.base_rates[1], atol=1e-6)


def test_trees_without_base_rates_or_of_more_metrics_are_refused():
    model = fit(drawn(0), "E,D,V,S", classifier="boosting")
    with pytest.raises(MetaModelError, match="base_rates: none; boosted trees need those of the fit"):
        replace(model, base_rates=None)
    with pytest.raises(MetaModelError, match="split by metric"):
        replace(fit(drawn(0), "E"), trees=model.trees)


def test_another_form_of_scikit_learns_trees_is_refused(monkeypatch):
    nodes = boosted_pair._nodes
    monkeypatch.setattr(boosted_pair, "_nodes", lambda tree: (*nodes(tree)[:4], 2 * nodes(tree)[4]))
    with pytest.raises(MetaModelError, match=r"keeps boosted trees in another form .* --classifier logistic"):
        fit(drawn(0), "E,D,V,S", classifier="boosting")


def test_the_report_names_the_metrics_that_most_splits_use():
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(strongest_table(fit(drawn(0), "E,D,V,S", classifier="boosting"), 3))
    lines = [line.split()[1] for line in console.export_text().splitlines() if "%" in line]
    assert len(lines) == 3
    assert {"E", "D"} <= set(lines)
