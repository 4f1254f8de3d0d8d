import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.evaluation.meta.names import class_of, symbol
from trust_seg_ros.evaluation.report.drawing import figure, spread_out

CLASSES = ("road", "sky")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("S", "$S$"),
        ("S_in_rel", r"$\tilde{S}_{in}$"),
        ("E_bd", r"$\bar{E}_{bd}$"),
        ("D_in_rel", r"$\tilde{\bar{D}}_{in}$"),
        ("V_var", r"var($\bar{V}$)"),
        ("cprob_1", "P(sky)"),
        ("ndist_0", "next to road"),
        ("class_1", "is sky"),
        ("row", "centroid row"),
        ("cprob_7", "cprob_7"),
        ("gradient_in", "gradient_in"),
    ],
)
def test_symbols(metric, expected):
    assert symbol(metric, CLASSES) == expected


def test_class_of_a_metric():
    assert [class_of(name, CLASSES) for name in ("ndist_1", "E_in", "S", "cprob_2")] == ["sky", "", "", ""]


@given(wanted=st.lists(st.floats(-1, 1), min_size=1, max_size=12), gap=st.floats(0.01, 0.5))
def test_labels_keep_apart_in_order_and_inside(wanted, gap):
    placed = spread_out(wanted, gap, -1.0, 1.0)
    order = np.argsort(wanted, kind="stable")
    apart = min(gap, 2.0 / max(len(wanted) - 1, 1))
    assert (np.diff(placed[order]) > apart - 1e-9).all()
    assert placed.min() > -1 - 1e-9
    assert placed.max() < 1 + 1e-9


def test_labels_with_room_stay_where_they_are():
    assert spread_out([0.9, 0.1, 0.5], 0.2, 0.0, 1.0) == pytest.approx([0.9, 0.1, 0.5])


def test_a_figure_repeats_byte_by_byte(tmp_path):
    for name in ("a.png", "b.png"):
        with figure(str(tmp_path / name), 4.0) as drawn:
            drawn.subplots().plot([0, 1], [0, 1], label=r"$\bar{E}$")
    assert cv2.imread(str(tmp_path / "a.png")).shape == (600, 1500, 3)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
