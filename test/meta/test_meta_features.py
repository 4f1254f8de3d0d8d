"""The choice of metrics, and the matrix made of it."""

from fnmatch import fnmatchcase

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.meta import MetaModelError
from trust_seg_ros.meta.features import chosen_features, design_matrix, required_set
from trust_seg_ros.meta.segment_scores import scores_among
from trust_seg_ros.segments import FEATURE_SETS, FeatureError
from trust_seg_ros.types import SegmentTable

ALL = FEATURE_SETS["all"].names(3)
ONE_HOT = ("class_0", "class_1", "class_2")
CHOICES = (*ALL, *ONE_HOT, *FEATURE_SETS, "*_in", "S*", "?", "c*", "class_*")


def table(names=("S", "cprob_0", "cprob_1"), classes=(1, 0, 1)):
    n = len(classes)
    sizes, metrics = np.ones(n, np.int64), np.arange(n * len(names), dtype=float).reshape(n, len(names))
    ids = np.zeros((1, 1), np.int32)
    return SegmentTable(ids, np.array(classes, np.uint8), np.zeros((n, 4), np.int32), sizes, sizes, names, metrics)


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_a_set_by_name_is_that_set(name):
    assert set(chosen_features(name, ALL)) == set(FEATURE_SETS[name].names(3))


def test_names_patterns_and_what_is_taken_out_keep_the_order_of_the_table():
    assert chosen_features("cprob_1, E", ALL) == ("E", "cprob_1")
    assert chosen_features("E*,-*_var", ALL) == ("E", "E_in", "E_bd", "E_rel", "E_in_rel")
    assert chosen_features("metaseg,-S*,-D*,-cprob_*,S", ALL) == ("S", "E", "E_in", "E_bd", "E_rel", "E_in_rel")
    assert chosen_features("row,row,column", ALL) == ("row", "column")


@pytest.mark.parametrize(
    ("class_input", "expected"),
    [
        ("probabilities", ("E", "cprob_0", "cprob_1", "cprob_2")),
        ("one-hot", ("E", "class_0", "class_1", "class_2")),
        ("both", ("E", "cprob_0", "cprob_1", "cprob_2", "class_0", "class_1", "class_2")),
        ("none", ("E",)),
    ],
)
def test_class_input(class_input, expected):
    assert chosen_features("E,cprob_*", ALL, class_input) == expected


def test_one_class_alone_can_be_named():
    assert chosen_features("E,class_2", ALL) == ("E", "class_2")
    assert chosen_features("E,class_2,cprob_1", ALL, "one-hot") == ("E", "class_1", "class_2")
    assert chosen_features("E,class_2", ALL, "both") == ("E", "cprob_2", "class_2")
    assert chosen_features("E,class_2", ALL, "none") == ("E",)


def test_a_set_that_the_segments_do_not_hold_is_refused():
    names = FEATURE_SETS["metaseg"].names(2)
    assert chosen_features("all", names) == chosen_features("metaseg", names) == names
    with pytest.raises(MetaModelError, match=r"the segments lack E_var, .*ndist_1 of the set meta_ood; .* have: S, "):
        chosen_features("meta_ood", names)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(CHOICES)), min_size=1, max_size=8), st.permutations(ALL))
def test_a_choice_is_what_its_words_leave_in_the_order_of_the_table(words, available):
    expected = set()
    for minus, word in words:
        meant = {name for name in ALL if fnmatchcase(name, word)} or {
            name for name in ONE_HOT if fnmatchcase(name, word)
        }
        meant |= set(FEATURE_SETS[word].names(3)) if word in FEATURE_SETS else set()
        expected = expected - meant if minus else expected | meant
    spec = ", ".join("-" * minus + word for minus, word in words)
    if expected:
        one_hot = [name.replace("cprob", "class") for name in available if name.startswith("cprob")]
        found = chosen_features(spec, available)
        assert found == tuple(name for name in [*available, *one_hot] if name in expected)
    else:
        with pytest.raises(MetaModelError, match="leaves no metric"):
            chosen_features(spec, available)


@pytest.mark.parametrize(
    ("spec", "class_input", "text"),
    [
        (
            "metasegg",
            "none",
            r"no segment metric 'metasegg' \(did you mean metaseg or metaseg_time\?\); there are the sets metaseg, ",
        ),
        (
            "e_IN",
            "none",
            r"did you mean E_in or .*; .* and the metrics S, S_in, .*column_share, class_0, class_1, class_2$",
        ),
        ("Ä", "none", "no segment metric 'Ä'; there are"),
        ("E,Q_*", "none", "no segment metric 'Q_\\*'"),
        ("class_3", "one-hot", "no segment metric 'class_3'"),
        ("E,-E", "none", "leaves no metric"),
        ("cprob_*", "none", "leaves no metric"),
        ("", "none", "'' with class input 'none' leaves no metric"),
        (" , ,-E", "probabilities", "leaves no metric; name at least one"),
        ("E,-", "probabilities", "no segment metric ''"),
        ("E,S*", "one-hot", r"class input 'one-hot' wants classes, and the choice 'E,S\*' names none; add cprob_\*"),
        ("E", "both", "class input 'both' wants classes"),
        ("E", "two-hot", "choose one of: probabilities, one-hot, both, none"),
    ],
)
def test_what_means_nothing_is_refused(spec, class_input, text):
    with pytest.raises(MetaModelError, match=text):
        chosen_features(spec, ALL, class_input)


def test_columns_are_taken_in_the_order_asked_for_and_the_class_is_one_hot():
    matrix = design_matrix(table(), ("cprob_1", "class_1", "S", "class_0"))
    assert matrix.tolist() == [[2.0, 1.0, 0.0, 0.0], [5.0, 0.0, 3.0, 1.0], [8.0, 1.0, 6.0, 0.0]]


def test_without_one_hot_columns_the_matrix_is_a_selection():
    assert design_matrix(table(), ("S",)).tolist() == [[0.0], [3.0], [6.0]]
    assert design_matrix(table(classes=()), ("class_0", "S")).shape == (0, 2)


@pytest.mark.parametrize("names", [("S", "cprob_0", "cprob_1"), ("class_0", "S")])
def test_the_matrix_is_a_copy(names):
    source = table()
    before = source.metrics.copy()
    design_matrix(source, names)[:] = -1
    assert np.array_equal(source.metrics, before)


def test_an_absent_metric_is_named():
    with pytest.raises(MetaModelError, match="lacks E, class_x; it has S"):
        design_matrix(table(), ("S", "E", "class_x"))


@pytest.mark.parametrize(
    ("names", "least", "expected"),
    [
        (("E", "cprob_2"), "metaseg", "metaseg"),
        (("E", "V"), "metaseg", "meta_ood"),
        (("V", "ndist_0", "S_area"), "meta_scale_free", "meta_scale_free"),
        (("V", "row_share"), "metaseg", "all"),
        (("row", "row_share"), "meta_scale_free", "all"),
        (("row",), "meta_scale_free", "all"),
        (("E", "class_2"), "metaseg", "metaseg"),
        (("E",), "meta_ood", "meta_ood"),
        (("E_var", "ndist_0"), "all", "all"),
    ],
)
def test_the_smallest_set_that_holds_what_is_needed(names, least, expected):
    assert required_set(names, 3, least) == expected


@pytest.mark.parametrize("name", ["cprob_3", "class_3", "Q"])
def test_metrics_that_no_set_has_are_named(name):
    with pytest.raises(MetaModelError, match=f"cannot be computed for 3 classes: {name}"):
        required_set(("E", name), 3)


def test_metrics_of_pixel_scores_need_these_scores():
    assert scores_among(("E", "energy_bd_var", "gradient_onehot"), 3) == ("energy", "gradient_onehot")
    assert required_set(("E", "energy_bd"), 3, scores=("energy",)) == "metaseg"
    assert required_set(("E", "energy_bd_var"), 3, scores=("energy",)) == "meta_ood"
    with pytest.raises(MetaModelError, match=r"classes: enrgy_bd; did you mean energy_bd"):
        required_set(("E", "enrgy_bd"), 3, scores=("energy",))


def test_an_unknown_least_set_is_refused():
    with pytest.raises(FeatureError, match="no feature set 'metaseg,V'; choose one of"):
        required_set(("E",), 3, "metaseg,V")


def test_sets_with_metrics_over_time_add_them_to_their_set():
    from trust_seg_ros.segments.history import time_names

    names = FEATURE_SETS["all"].names(3)
    available = (*names, *time_names(names))
    chosen = chosen_features("metaseg_time", available)
    metaseg = FEATURE_SETS["metaseg"].names(3)
    assert set(chosen) == {*metaseg, *time_names(metaseg)}
    assert chosen_features("metaseg", available) == chosen_features("metaseg", names)
    assert chosen_features("E*_var", available) == chosen_features("E*_var", names), "patterns of before mean the same"
    assert chosen_features("metaseg_time,-time.*", available) == chosen_features("metaseg", names)
    with pytest.raises(MetaModelError, match="the set meta_ood_time has metrics over time, and these segments are of"):
        chosen_features("meta_ood_time", names)


def test_metrics_over_time_need_the_set_of_the_metrics_that_they_follow():
    assert required_set(("time.change.E", "time.rows"), 3) == "metaseg"
    assert required_set(("S", "time.std.V_bd"), 3) == "meta_ood"
    assert required_set(("time.trend.S_area",), 3) == "all"
    with pytest.raises(MetaModelError, match="cannot be computed for 3 classes: nonsense"):
        required_set(("time.trend.nonsense",), 3)
