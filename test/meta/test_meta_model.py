"""What a meta model predicts, and for which network."""

from dataclasses import replace

import numpy as np
import pytest
from meta_models import small_model, table_of

from trust_seg_ros.meta import LinearPart, MetaModelError


def test_prediction_worked_out_by_hand():
    p_wrong, iou = small_model().predict(table_of([[150.0, 0.7]]))  # standardised: S 1, E 2
    assert p_wrong[0] == pytest.approx(1 / (1 + np.exp(-(2 * 2 - 1 + 0.5))))
    assert iou[0] == pytest.approx(0.6 - 0.6 + 0.1)


def test_extreme_metrics_give_probabilities_without_warnings():
    wide = replace(small_model(), ranges=np.array([[-1e9, 1e9]] * 2))
    with np.errstate(all="raise"):
        p_wrong, iou = wide.predict(table_of([[1e9, 0.0], [-1e9, 1.0]]))
    assert p_wrong.tolist() == [0.0, 1.0]
    assert iou.tolist() == [1.0, 0.0]


def test_metrics_just_beyond_those_fitted_on_count_as_the_outermost_of_these():
    """Further out the predictions move to the base rates: test_fitted_range.py."""
    far = small_model().predict(table_of([[500.0 + 1e-9, 0.4], [1.0 - 1e-9, 1.0 + 1e-9]]))
    edge = small_model().predict(table_of([[500.0, 0.4], [1.0, 1.0]]))
    np.testing.assert_allclose(far, edge, atol=1e-7)
    assert not np.array_equal(edge[0], small_model().predict(table_of([[499.0, 0.4], [2.0, 0.9]]))[0])


def test_ranges_upside_down_are_refused():
    with pytest.raises(MetaModelError, match="smallest value of a metric is above its largest"):
        replace(small_model(), ranges=np.array([[0.0, 1.0], [2.0, 1.0]]))


def test_no_segments_give_no_predictions():
    p_wrong, iou = small_model().predict(table_of(np.zeros((0, 2))))
    assert p_wrong.shape == iou.shape == (0,)


def test_one_hot_classes_are_predicted_from_the_class_alone():
    model = replace(small_model(), features=("E", "class_1"), means=np.array([0.5, 0.0]), scales=np.array([0.1, 1.0]))
    model = replace(model, ranges=np.array([[0.0, 1.0], [0.0, 1.0]]))
    table = replace(table_of([[1.0, 0.7], [1.0, 0.7]]), class_ids=np.array([0, 1], np.uint8))
    p_wrong, iou = model.predict(table)
    assert p_wrong == pytest.approx(1 / (1 + np.exp(-(np.array([4.0, 3.0]) + 0.5))))
    assert iou == pytest.approx([0.0, 0.1], abs=1e-12)


def test_another_network_or_label_set_is_refused():
    with pytest.raises(MetaModelError, match="fitted for network 'embedded', running is 'hf:x'"):
        small_model().check_fits("hf:x", ("road", "car"))
    with pytest.raises(MetaModelError, match=r"2 classes road, car; the network has 1: road; .*meta_model to none"):
        small_model().check_fits("embedded", ("road",))


@pytest.mark.parametrize(
    ("fitted", "running"),
    [
        ("./net.pt2", "/opt/models/net.pt2"),
        ("net.pt2", "~/net.ts"),
        ("/a/segformer.b0/", "segformer.b0"),
        ("hf:org/net", "hf:org/net"),
        ("embedded:small", "embedded:small"),
        ("package.module:make", "package.module:make"),
    ],
)
def test_a_network_may_lie_elsewhere(fitted, running):
    replace(small_model(), network=fitted).check_fits(running, ("road", "car"))


@pytest.mark.parametrize(
    ("fitted", "running"),
    [
        ("/opt/net.pt2", "/opt/other.pt2"),
        ("net.b0", "net.b1"),
        ("hf:org/net", "hf:other/net"),
        ("hf:org/net", "net"),
        ("embedded", "embedded:small"),
        ("package.module:make", "other.module:make"),
    ],
)
def test_other_networks_are_refused_with_the_way_out(fitted, running):
    with pytest.raises(
        MetaModelError, match=f"{fitted!r}, running is {running!r}; .*trust-seg fit.*meta_model to none"
    ):
        replace(small_model(), network=fitted).check_fits(running, ("road", "car"))


def test_a_missing_metric_is_named():
    with pytest.raises(MetaModelError, match="lacks V"):
        replace(small_model(), features=("V", "S")).predict(table_of([[1.0, 1.0]]))


@pytest.mark.parametrize("features", [(), ("E", "E"), ("E", "class_2"), ("E", "class_x")])
def test_unusable_features_are_refused(features):
    with pytest.raises(MetaModelError, match="features: "):
        replace(small_model(), features=features)


def test_intercepts_that_are_not_finite_are_refused():
    with pytest.raises(MetaModelError, match="intercepts: "):
        replace(small_model(), classifier=LinearPart(np.zeros(2), float("nan")))


@pytest.mark.parametrize("value", [float("nan"), 0.0, -1.0])
def test_unusable_scales_are_refused(value):
    with pytest.raises(MetaModelError, match="scales"):
        replace(small_model(), scales=np.array([value, 1.0]))


def test_models_are_told_apart_by_their_content():
    model = small_model()
    assert model.fingerprint == small_model().fingerprint
    assert len(model.fingerprint) == 12
    part = LinearPart(model.classifier.coefficients + 1e-9, model.classifier.intercept)
    others = [replace(model, classifier=part), replace(model, means=model.means + 1.0)]
    assert len({model.fingerprint, *(other.fingerprint for other in others)}) == 3
