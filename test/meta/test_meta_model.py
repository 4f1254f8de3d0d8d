import json
from dataclasses import replace

import numpy as np
import pytest

from trust_seg_ros.meta import LinearPart, MetaModel, MetaModelError, load_meta_model
from trust_seg_ros.types import SegmentTable


def _model() -> MetaModel:
    return MetaModel(
        features=("E", "S"),
        means=np.array([0.5, 100.0]),
        scales=np.array([0.1, 50.0]),
        classifier=LinearPart(np.array([2.0, -1.0]), 0.5),
        regressor=LinearPart(np.array([-0.3, 0.1]), 0.6),
        network="embedded",
        class_names=("road", "car"),
        ranges=np.array([[0.0, 1.0], [1.0, 500.0]]),
        summary={"segments": 7},
    )


def _table(metrics) -> SegmentTable:
    n = len(metrics)
    zeros = np.zeros(n, np.int64)
    return SegmentTable(
        np.zeros((1, 1), np.int32),
        zeros.astype(np.uint8),
        np.zeros((n, 4), np.int32),
        zeros,
        zeros,
        ("S", "E"),
        np.asarray(metrics, np.float64).reshape(n, 2),
    )


def test_prediction_worked_out_by_hand():
    p_wrong, iou = _model().predict(_table([[150.0, 0.7]]))  # standardised: S 1, E 2
    assert p_wrong[0] == pytest.approx(1 / (1 + np.exp(-(2 * 2 - 1 + 0.5))))
    assert iou[0] == pytest.approx(0.6 - 0.6 + 0.1)


def test_extreme_metrics_give_probabilities_without_warnings():
    with np.errstate(all="raise"):
        p_wrong, iou = _model().predict(_table([[1e9, 0.0], [-1e9, 1.0]]))
    assert p_wrong.tolist() == [0.0, 1.0]
    assert iou.tolist() == [1.0, 0.0]


def test_no_segments_give_no_predictions():
    p_wrong, iou = _model().predict(_table(np.zeros((0, 2))))
    assert p_wrong.shape == iou.shape == (0,)


def test_file_round_trip(tmp_path):
    path = tmp_path / "meta.json"
    _model().save(path)
    loaded, table = load_meta_model(path), _table([[10.0, 0.2], [300.0, 0.9]])
    for a, b in zip(loaded.predict(table), _model().predict(table), strict=True):
        assert np.array_equal(a, b)
    assert loaded.summary == {"segments": 7}
    assert [p.name for p in tmp_path.iterdir()] == ["meta.json"]


def test_file_is_readable_by_people(tmp_path):
    _model().save(tmp_path / "meta.json")
    row = json.loads((tmp_path / "meta.json").read_text())["features"]["E"]
    assert row == {"mean": 0.5, "scale": 0.1, "false_positive": 2.0, "iou": -0.3, "range": [0.0, 1.0]}


def test_another_network_or_label_set_is_refused():
    with pytest.raises(MetaModelError, match="fitted for network 'embedded', running is 'hf:x'"):
        _model().check_fits("hf:x", ("road", "car"))
    with pytest.raises(MetaModelError, match=r"2 classes road, car; the network has 1: road; .*meta_model to none"):
        _model().check_fits("embedded", ("road",))


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
    replace(_model(), network=fitted).check_fits(running, ("road", "car"))


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
        replace(_model(), network=fitted).check_fits(running, ("road", "car"))


def test_a_missing_metric_is_named():
    with pytest.raises(MetaModelError, match="lacks V"):
        replace(_model(), features=("V", "S")).predict(_table([[1.0, 1.0]]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a readable JSON"),
        ("[]", "not a meta model file"),
        ('{"format": "other"}', "not a meta model file"),
        ('{"format": "trust_seg_ros/meta-model", "version": 99}', "version 99"),
        ('{"format": "trust_seg_ros/meta-model", "version": 1}', "incomplete or damaged"),
    ],
)
def test_foreign_and_damaged_files_are_named(tmp_path, content, message):
    path = tmp_path / "meta.json"
    path.write_text(content)
    with pytest.raises(MetaModelError, match=message) as error:
        load_meta_model(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MetaModelError, match=r"no such meta model file; expected .* trust-seg fit.* auto or none"):
        load_meta_model(tmp_path / "none.json")


def test_the_way_to_a_missing_file_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MetaModelError, match=f"{tmp_path}/none.json: no such"):
        load_meta_model("none.json")


def test_the_tilde_is_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    _model().save(tmp_path / "meta.json")
    assert load_meta_model("~/meta.json").network == "embedded"


@pytest.mark.parametrize("value", [float("nan"), 0.0, -1.0])
def test_unusable_scales_are_refused(value):
    with pytest.raises(MetaModelError, match="scales"):
        replace(_model(), scales=np.array([value, 1.0]))
