"""The model file: written and read again, and refused when it is not what it should be."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from meta_models import small_model, table_of

from trust_seg_ros.meta import LinearPart, MetaModel, MetaModelError, load_meta_model
from trust_seg_ros.meta.model_file import SHIPPED
from trust_seg_ros.segments.history import TimeWindow
from trust_seg_ros.support.content_hash import with_hash


def test_file_round_trip(tmp_path):
    path = tmp_path / "meta.json"
    small_model().save(path)
    loaded, table = load_meta_model(path), table_of([[10.0, 0.2], [300.0, 0.9]])
    for a, b in zip(loaded.predict(table), small_model().predict(table), strict=True):
        assert np.array_equal(a, b)
    assert loaded.summary == {"segments": 7}
    assert [p.name for p in tmp_path.iterdir()] == ["meta.json"]


NUMBERS = st.floats(-1e300, 1e300)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8).filter(
    lambda name: not name.startswith("class_")
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def models(draw):
    classes = draw(st.lists(NAMES, max_size=3))
    one_hot = draw(st.sets(st.sampled_from(range(len(classes))))) if classes else ()
    features = [*draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)), *(f"class_{c}" for c in sorted(one_hot))]
    columns = [draw(arrays(np.float64, len(features), elements=NUMBERS)) for _ in range(3)]
    return MetaModel(
        tuple(features),
        columns[0],
        draw(arrays(np.float64, len(features), elements=st.floats(1e-300, 1e300))),
        LinearPart(columns[1], draw(NUMBERS)),
        LinearPart(columns[2], draw(NUMBERS)),
        draw(NAMES),
        tuple(classes),
        np.sort(draw(arrays(np.float64, (len(features), 2), elements=NUMBERS)), 1),
        draw(st.dictionaries(NAMES, JSON, max_size=3)),
        draw(st.none() | arrays(np.float64, (2, 2), elements=st.floats(0, 1)).map(lambda a: np.sort(a, 1))),
    )


@given(models())
def test_every_model_comes_back_from_its_file_bit_by_bit(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "meta.json")
        loaded = load_meta_model(Path(folder) / "meta.json")
    assert loaded.to_json() == model.to_json()
    assert (loaded.features, loaded.class_names, loaded.network) == (model.features, model.class_names, model.network)
    for part in ("means", "scales", "ranges"):
        assert np.array_equal(getattr(loaded, part), getattr(model, part))
    for part in ("classifier", "regressor"):
        assert np.array_equal(getattr(loaded, part).coefficients, getattr(model, part).coefficients)
        assert getattr(loaded, part).intercept == getattr(model, part).intercept
    if model.predicted_ranges is None:
        assert loaded.predicted_ranges is None
    else:
        assert np.array_equal(loaded.predicted_ranges, model.predicted_ranges)


def test_the_range_of_predictions_is_that_of_the_segments():
    table = table_of([[150.0, 0.7], [10.0, 0.1], [900.0, 0.4]])
    model = small_model().with_predicted_ranges(table)
    expected = [[part.min(), part.max()] for part in small_model().predict(table)]
    assert model.predicted_ranges.tolist() == expected
    assert model.to_json()["predicted_ranges"] == dict(zip(("false_positive", "iou"), expected, strict=True))


def test_the_summary_may_hold_what_numpy_gives(tmp_path):
    summary = {
        "auroc": np.float64("nan"),
        "n": np.int64(3),
        "share": np.float32(0.5),
        "all": np.arange(2),
        "set": ("a",),
    }
    replace(small_model(), summary=summary).save(str(tmp_path / "meta.json"))
    expected = {"auroc": None, "n": 3, "share": 0.5, "all": [0, 1], "set": ["a"]}
    assert load_meta_model(tmp_path / "meta.json").summary == expected


def test_a_place_where_no_file_can_be_written_is_named(tmp_path):
    with pytest.raises(MetaModelError, match=r"nowhere/meta\.json: the meta model cannot be written there \(No such"):
        small_model().save(tmp_path / "nowhere" / "meta.json")
    (tmp_path / "meta.json").mkdir()
    with pytest.raises(MetaModelError, match="cannot be written there"):
        small_model().save(tmp_path / "meta.json")
    assert [p.name for p in tmp_path.iterdir()] == ["meta.json"]


def test_file_is_readable_by_people(tmp_path):
    small_model().save(tmp_path / "meta.json")
    row = json.loads((tmp_path / "meta.json").read_text())["features"]["E"]
    assert row == {"mean": 0.5, "scale": 0.1, "false_positive": 2.0, "iou": -0.3, "range": [0.0, 1.0]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a readable JSON"),
        ("{", "not a readable JSON"),
        ("[" * 100_000, "not a readable JSON"),
        ("\0\xff\xfe", "not a readable JSON"),
        ("[]", "not a meta model file"),
        ("null", "not a meta model file"),
        ('{"format": "other"}', "not a meta model file"),
        ('{"format": ["trust_seg_ros/meta-model"]}', "not a meta model file"),
        ('{"format": "trust_seg_ros/meta-model", "version": 99}', "version 99"),
        ('{"format": "trust_seg_ros/meta-model", "version": 1}', "damaged: features: nothing, expected an object"),
    ],
)
def test_foreign_and_damaged_files_are_named(tmp_path, content, message):
    path = tmp_path / "meta.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(MetaModelError, match=message) as error:
        load_meta_model(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 400


def _changed(change) -> str:
    content = replace(small_model(), predicted_ranges=np.array([[0.1, 0.9], [0.0, 1.0]])).to_json()
    change(content)
    return json.dumps(with_hash(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("network"), "network: nothing, expected a text"),
        (lambda m: m.update(network=7), "network: 7, expected a text"),
        (lambda m: m.pop("classes"), "classes: nothing, expected a list"),
        (lambda m: m.update(classes="road"), "classes: 'road', expected a list"),
        (lambda m: m.update(classes=["road", 1]), r"classes: \['road', 1\], expected texts"),
        (lambda m: m.update(features=["E", "S"]), r"features: \['E', 'S'\], expected an object"),
        (lambda m: m.update(features={}), "features: none; expected different names, at least one"),
        (lambda m: m["features"].update(E=[1, 2]), r"E: \[1, 2\], expected an object"),
        (lambda m: m["features"]["S"].pop("scale"), "scale: nothing, expected a finite number"),
        (lambda m: m["features"]["E"].update(mean="0.5"), "mean: '0.5', expected a finite number"),
        (lambda m: m["features"]["E"].update(mean=True), "mean: True, expected a finite number"),
        (lambda m: m["features"]["E"].update(mean=[0.5]), r"mean: \[0.5\], expected a finite number"),
        (lambda m: m["features"]["E"].update(iou=float("nan")), "iou: nan, expected a finite number"),
        (lambda m: m["features"]["E"].update(iou=10**400), "iou: 1000.* …, expected a finite number"),
        (lambda m: m["features"]["E"].update(scale=-0.1), "scales: every one must be positive"),
        (lambda m: m["features"]["E"].update(scale=0), "scales: every one must be positive"),
        (lambda m: m["features"]["E"].update(range=[1, 0]), r"range: \[1, 0\], expected the smallest and the largest"),
        (lambda m: m["features"]["E"].update(range=[1]), r"range: \[1\], expected the smallest and the largest"),
        (lambda m: m["features"]["E"].update(range=["0", 1]), "range: '0', expected a finite number"),
        (lambda m: m["features"].update(class_2=m["features"]["E"]), "class_2; there are 2 classes, the first class_0"),
        (lambda m: m["intercepts"].update(iou=float("inf")), "iou: inf, expected a finite number"),
        (lambda m: m["intercepts"].pop("false_positive"), "false_positive: nothing, expected a finite number"),
        (lambda m: m.update(intercepts=[0, 1]), r"intercepts: \[0, 1\], expected an object"),
        (lambda m: m.update(summary="good"), "summary: 'good', expected an object"),
        (lambda m: m.update(predicted_ranges=[[0, 1], [0, 1]]), "false_positive: nothing, expected a list"),
        (lambda m: m["predicted_ranges"].update(iou=[1, 0]), r"iou: \[1, 0\], expected the smallest"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, change, message):
    path = tmp_path / "meta.json"
    path.write_text(_changed(change))
    with pytest.raises(MetaModelError, match=f"^{path}: incomplete or damaged: .*{message}.*; fit it again"):
        load_meta_model(path)


TIME = {"window_s": 1.0, "length": 10, "rate_hz": [9.0, 11.0]}


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (None, "time: nothing, expected an object"),
        ([1.0], r"time: \[1.0\], expected an object"),
        ({**TIME, "window_s": 0.0}, r"time: window_s = 0\.0: expected seconds above 0"),
        ({**TIME, "window_s": "1"}, "window_s: '1', expected a finite number"),
        ({**TIME, "length": 2.5}, r"length = 2\.5: expected a whole number"),
        ({**TIME, "length": 10**9}, "expected 2 to 100 rows"),
        ({**TIME, "rate_hz": [11.0, 9.0]}, "rate_hz: .*expected the smallest"),
        ({**TIME, "rate_hz": [-1.0, 9.0]}, "rate_hz = .*expected the smallest"),
        (TIME, "the model has a window and no metrics over time; expected both or none"),
    ],
)
def test_a_window_that_cannot_be_used_is_named(tmp_path, time, message):
    (tmp_path / "meta.json").write_text(_changed(lambda m: m.update(time=time)))
    with pytest.raises(MetaModelError, match=f"incomplete or damaged: .*{message}"):
        load_meta_model(tmp_path / "meta.json")


def test_a_model_that_looks_back_comes_back_from_its_file(tmp_path):
    window = TimeWindow(1.0, 12, (9.0, 11.0))
    model = replace(small_model(), features=("E", "time.change.S"), time=window)
    model.save(tmp_path / "meta.json")
    assert load_meta_model(tmp_path / "meta.json").time == window
    assert json.loads((tmp_path / "meta.json").read_text())["time"] == {**TIME, "length": 12}
    with pytest.raises(MetaModelError, match="metrics over time and no window"):
        replace(model, time=None)
    other = replace(model, time=replace(window, window_s=2.0))
    assert other.fingerprint != model.fingerprint
    assert replace(model, time=replace(window, rate_hz=(1.0, 2.0))).fingerprint == model.fingerprint


@given(st.data())
def test_a_file_cut_off_anywhere_is_refused(data):
    text = _changed(lambda m: None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "meta.json"
        path.write_text(text[: data.draw(st.integers(0, len(text) - 1))])
        with pytest.raises(MetaModelError, match="not a readable JSON file"):
            load_meta_model(path)


@given(st.data(), JSON)
def test_an_entry_that_was_exchanged_gives_a_model_or_a_clear_error(data, strange):
    content = json.loads(_changed(lambda m: None))
    place, keys = content, []
    while isinstance(place, (dict, list)) and len(place) and (not keys or data.draw(st.booleans())):
        keys.append(data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))))
        inside, place = place, place[keys[-1]]
    inside[keys[-1]] = strange
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "meta.json").write_text(json.dumps(with_hash(content)))
        try:
            model = load_meta_model(Path(folder) / "meta.json")
        except MetaModelError:
            return
    assert np.isfinite(model.predict(table_of([[150.0, 0.7]]))[0]).all()


def test_files_of_the_first_format_are_read_and_said_to_be_unchecked(tmp_path, caplog):
    content = {**small_model().to_json(), "version": 1}
    assert set(content) == {"format", "version", "network", "classes", "summary", "intercepts", "features"}
    (tmp_path / "meta.json").write_text(json.dumps(content))
    for _ in range(2):
        assert load_meta_model(tmp_path / "meta.json").predicted_ranges is None
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [str(tmp_path / "meta.json")]
    assert load_meta_model(SHIPPED).class_names[0] == "Sky"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MetaModelError, match=r"no such meta model file; expected .* trust-seg fit.* auto or none"):
        load_meta_model(tmp_path / "none.json")


def test_the_way_to_a_missing_file_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MetaModelError, match=f"{tmp_path}/none.json: no such"):
        load_meta_model("none.json")


def test_the_tilde_is_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    small_model().save(tmp_path / "meta.json")
    assert load_meta_model("~/meta.json").network == "embedded"
