import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.evaluation.meta.names import class_of, symbol
from trust_seg_ros.evaluation.report.drawing import colours, figure, spread_out

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


DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)
"""Linear RGB as people without green cones see it (Machado, Oliveira, Fernandes, 2009)."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(text, blind):
    """A colour "#rrggbb" in CIELAB."""
    rgb = np.array([int(text[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(DEUTERANOPIA @ linear if blind else linear, 0, 1)
    f = np.cbrt(np.maximum(TO_XYZ @ seen / [0.9505, 1, 1.089], 1e-6))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize(("count", "least"), [(8, 15), (15, 15), (20, 2)])
def test_there_are_as_many_colours_as_lines_and_colour_blind_readers_can_tell_them(count, least, blind):
    found = [lab(colour, blind) for colour in colours(count)]
    assert len(found) == count
    apart = [float(np.linalg.norm(a - b)) for k, a in enumerate(found) for b in found[:k]]
    assert min(apart) > least, "2 is what one sees at all"
    assert colours(3) == colours(15)[:3]
