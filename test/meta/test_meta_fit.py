import numpy as np
import pytest

from trust_seg_ros.meta import MetaModelError, SegmentData
from trust_seg_ros.meta.fit import fit, scores


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
    model = fit(_data())
    assert model.classifier.coefficients[0] > 5 * abs(model.classifier.coefficients[1])
    assert model.regressor.coefficients[0] < 0
    judged = scores(model, _data(seed=1))
    assert judged["auroc"] > 0.8
    assert judged["accuracy"] > judged["majority"]
    assert judged["r2"] > 0.5


def test_summary_counts_images_and_segments():
    summary = fit(_data(n=100)).summary
    assert (summary["images"], summary["segments"]) == (10, 100)


def test_a_constant_metric_does_no_harm():
    data = _data()
    data.metrics[:, 1] = 7.0
    model = fit(data)
    assert np.isfinite(model.classifier.coefficients).all()


def test_without_a_false_positive_there_is_nothing_to_learn():
    data = _data()
    data.iou_adj[:] = 0.5
    with pytest.raises(MetaModelError, match="0 of 600 segments are false positives"):
        fit(data)
