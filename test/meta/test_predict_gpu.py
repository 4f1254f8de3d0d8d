"""Predictions of linear meta models in Triton's interpreter equal those of the host."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreted import needs_triton
from meta_models import small_model
from ood_models import size_model

from trust_seg_ros.meta import LinearPart, MetaModel
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.model_file import load_meta_model
from trust_seg_ros.meta.ood import OodModel, load_ood_model
from trust_seg_ros.meta.shipped import FOLDER
from trust_seg_ros.segments.features import FEATURE_SETS
from trust_seg_ros.segments.history.window import TimeWindow, time_names
from trust_seg_ros.types import SegmentTable

pytestmark = needs_triton
FILES = sorted(FOLDER.glob("*.json"))


def table(names, metrics, class_ids):
    n = len(metrics)
    zeros = np.zeros(n, np.int64)
    ids, boxes = np.zeros((1, 1), np.int32), np.zeros((n, 4), np.int32)
    return SegmentTable(ids, class_ids.astype(np.uint8), boxes, zeros, zeros, tuple(names), metrics)


def shipped(path):
    return (load_ood_model if path.stem.endswith("ood_meta") else load_meta_model)(path)


def around(model, names, n, reach, seed):
    """Metrics inside the model's ranges and up to ``reach`` widths beyond them; other columns at random."""
    rng = np.random.default_rng(seed)
    metrics = rng.normal(0, 100, (n, len(names)))
    for name, (low, high), scale in zip(model.features, model.ranges, model.scales, strict=True):
        if name in names:
            width = high - low or scale
            metrics[:, names.index(name)] = rng.uniform(low - reach * width, high + reach * width, n)
    return metrics


def assert_same(model, names, metrics, class_ids, room=5):
    from trust_seg_ros.meta.predict_gpu import can_predict, device_predict

    n = len(metrics)
    outlines = torch.zeros((n + room, 6), dtype=torch.int32)
    outlines[:n, 0] = torch.from_numpy(class_ids.astype(np.int32))
    padded = torch.zeros((n + room, metrics.shape[1]), dtype=torch.float64)
    padded[:n] = torch.from_numpy(metrics)
    count = torch.tensor([n], dtype=torch.int32)
    assert can_predict(model, names)
    found = device_predict(model, names, padded, count, outlines[:, 0])
    assert found.rows.shape == (3 if isinstance(model, MetaModel) else 2, n + room)
    assert not found.rows[:, n:].any()
    p, iou, outside = found.host(n)
    source = table(names, metrics, class_ids)
    if isinstance(model, OodModel):
        verdict = model.judge(source)
        np.testing.assert_allclose(p, verdict.p_false_alarm, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(outside, verdict.outside)
        assert iou is None
        return outside
    placed = model.placed(source)
    wrong, overlap = model.predict_placed(placed)
    np.testing.assert_allclose(p, wrong, rtol=0, atol=1e-9)
    np.testing.assert_allclose(iou, overlap, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(outside, placed.outside)
    return outside


def made_up(names, seed, *, q=4, base_rates=None, constant=0.0):
    """A model of some columns and of one-hot classes; ``constant``: share of metrics without a width."""
    rng = np.random.default_rng(seed)
    features = (*rng.permutation(list(names))[: rng.integers(1, len(names) + 1)], *(f"class_{c}" for c in range(q)))
    m = len(features)
    low = rng.normal(0, 5, m)
    width = rng.uniform(0.1, 9, m) * (rng.random(m) >= constant)
    ranges = np.stack([low, low + width], 1)
    ranges[-q:] = [0, 1]
    classifier, regressor = (LinearPart(rng.normal(0, 0.5, m), rng.normal()) for _ in range(2))
    means, scales = ranges.mean(1), rng.uniform(0.5, 3, m)
    classes = tuple(f"name {c}" for c in range(q))
    parts = (tuple(map(str, features)), means, scales, classifier, regressor, "net", classes, ranges)
    return MetaModel(*parts, base_rates=base_rates)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("reach", [0.0, 0.04, 1.5])
def test_shipped_models(path, reach):
    from trust_seg_ros.meta.predict_gpu import can_predict

    model = shipped(path)
    names = FEATURE_SETS["all"].names(len(model.class_names))
    class_ids = np.random.default_rng(2).integers(0, len(model.class_names), 60)
    if model.trees is not None:
        assert not can_predict(model, names)
        model = replace(model, trees=None)
    metrics = around(model, names, 60, reach, 0)
    assert assert_same(model, names, metrics, class_ids).any() == (reach > 1)
    # one metric alone outside, so that the answer is a mixture and not the base rate
    inside, column = around(model, names, 60, 0.0, 1), names.index(model.features[0])
    inside[:, column] = metrics[:, column]
    assert (0 < assert_same(model, names, inside, class_ids).sum() < 60) == (reach > 1)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 40),
    columns=st.integers(1, 80),
    base_rates=st.sampled_from([None, (0.3, 0.6), (0.0, 1.0)]),
    reach=st.sampled_from([0.0, 0.1, 0.6, 30.0, 1e9]),
    constant=st.sampled_from([0.0, 0.3]),
)
def test_made_up_models_with_classes_one_hot(seed, n, columns, base_rates, reach, constant):
    names = tuple(f"metric {k}" for k in range(columns))
    model = made_up(names, seed, base_rates=base_rates, constant=constant)
    class_ids = np.random.default_rng(seed).integers(0, 5, n)  # one more than the model has
    assert_same(model, names, around(model, names, n, reach, seed), class_ids)


def test_an_answer_known_by_hand():
    """Half a width outside, model and base rate count equally; a certain answer neither overflows nor leaves [0, 1]."""
    from trust_seg_ros.meta.predict_gpu import device_predict

    model = replace(size_model("net", ("road", "car")), ranges=np.array([[0.0, 200.0]]), base_rate=0.25)
    metrics = torch.tensor([[100.0], [300.0], [-1e300], [200.0]], dtype=torch.float64)
    classes = torch.zeros(4, dtype=torch.int32)
    p, _, outside = device_predict(model, ("S",), metrics, torch.tensor([4], dtype=torch.int32), classes).host(4)
    edge = 1 / (1 + np.exp(2.0))
    np.testing.assert_allclose(p, [0.5, 0.5 * edge + 0.125, 0.25, edge], rtol=1e-12)
    assert outside.tolist() == [False, True, True, False]
    steep = replace(model, classifier=LinearPart(np.array([-1e6]), 0.0))
    p, _, _ = device_predict(steep, ("S",), metrics, torch.tensor([4], dtype=torch.int32), classes).host(4)
    np.testing.assert_allclose(p, [0.5, 0.125, 0.25, 0.0], atol=1e-12)


def test_models_that_are_left_to_the_host():
    from trust_seg_ros.meta.predict_gpu import can_predict, device_predict

    model = small_model()
    assert can_predict(model, ("S", "E"))
    assert not can_predict(model, ("S", "D"))
    past = time_names(("E",))[0]
    over_time = replace(model, features=("E", past), time=TimeWindow(2.0, 5))
    assert not can_predict(over_time, ("E", past))
    assert not can_predict(replace(model, scales=np.array([1e-310, 1.0])), ("S", "E"))  # coefficient / scale overflows
    with pytest.raises(MetaModelError, match="host"):
        device_predict(model, ("S",), torch.zeros(1, 1), torch.zeros(1, dtype=torch.int32), torch.zeros(1))


def test_the_numbers_are_copied_once_and_dropped_with_the_model():
    from trust_seg_ros.meta import predict_gpu

    model = small_model()
    key = id(model)
    first = predict_gpu._uploaded(model, ("S", "E"), torch.device("cpu"))
    assert first[0].tolist() == [1, 0]
    assert predict_gpu._uploaded(model, ("S", "E"), torch.device("cpu"))[1] is first[1]
    assert predict_gpu._uploaded(model, ("E", "S"), torch.device("cpu"))[0].tolist() == [0, 1]
    assert key in predict_gpu._UPLOADED
    del model
    gc.collect()
    assert key not in predict_gpu._UPLOADED
