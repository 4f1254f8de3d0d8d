"""Small images drawn by hand, with the numbers worked out beside them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trust_seg_ros.segments import (
    FeatureSet,
    apply_ignore,
    components,
    feature_set,
    segment_table,
    segment_table_from_softmax,
    targets,
)
from trust_seg_ros.segments import reference as plain
from trust_seg_ros.types import LogitMaps, SegmentTable, UncertaintyMaps


def draw(text: str) -> np.ndarray:
    """A class map from rows of digits; "." is unlabelled."""
    rows = [[255 if mark == "." else int(mark) for mark in line] for line in text.split()]
    return np.array(rows, np.uint8)


def table_of(classes: np.ndarray, entropy: np.ndarray | None = None, features="metaseg", **options) -> SegmentTable:
    """The table of a class map whose softmax is 1 for the class (and 1 for class 0 where there is none)."""
    plane = torch.from_numpy(np.zeros(classes.shape, np.float32) if entropy is None else entropy.astype(np.float32))
    prob = np.zeros((4, *classes.shape), np.float32)
    np.put_along_axis(prob, (classes % 255)[None].astype(int), 1.0, axis=0)
    maps = UncertaintyMaps(torch.from_numpy(classes), plane, plane / 2, plane / 4)
    return segment_table_from_softmax(prob, features, maps=maps, **options)


def test_diagonal_neighbours_are_connected():
    ids, count = components(draw("01 10"))
    assert count == 2
    assert ids.tolist() == [[1, 2], [2, 1]]


def test_numbers_follow_the_first_pixel_even_when_branches_meet_late():
    # the zeros on both sides of the 2s meet below them
    ids, count = components(draw("1020 1020 1000 1111"))
    assert count == 3
    assert ids.tolist() == [[1, 2, 3, 2], [1, 2, 3, 2], [1, 2, 2, 2], [1, 1, 1, 1]]


def test_pixels_at_the_image_edge_can_be_interior():
    table = table_of(draw("0001 0001 0001 0001"))
    # zeros: 12 pixels; the third column touches the ones, the first two columns touch nothing else
    assert [table.column(name)[0] for name in ("S", "S_in", "S_bd", "S_rel", "S_in_rel")] == [12, 8, 4, 3, 2]
    # ones: 4 pixels, all of them touch the zeros
    assert [table.column(name)[1] for name in ("S", "S_in", "S_bd", "S_rel", "S_in_rel")] == [4, 0, 4, 1, 0]
    assert table.interior_sizes.tolist() == [8, 0]
    assert table.boxes.tolist() == [[0, 0, 3, 4], [3, 0, 4, 4]]


def test_dispersion_is_averaged_over_segment_interior_and_boundary():
    entropy = np.array([[0.1, 0.3, 0.9], [0.1, 0.5, 0.7]])
    table = table_of(draw("001 001"), entropy)
    # zeros: interior 0.1 0.1, boundary 0.3 0.5; S = 4, S_bd = 2
    expected = {"E": 0.25, "E_in": 0.1, "E_bd": 0.4, "E_rel": 0.5, "E_in_rel": 0.1, "D": 0.125, "D_bd": 0.2}
    assert {name: table.column(name)[0] for name in expected} == pytest.approx(expected)
    # ones: no interior
    expected = {"E": 0.8, "E_in": 0.0, "E_bd": 0.8, "E_rel": 0.8, "E_in_rel": 0.0}
    assert {name: table.column(name)[1] for name in expected} == pytest.approx(expected)


def test_variances_are_over_the_same_pixels_and_have_relative_forms():
    entropy = np.array([[0.1, 0.3, 0.9], [0.1, 0.5, 0.7]])
    table = table_of(draw("001 001"), entropy, "meta_ood")
    # mean of squares (0.01 + 0.01 + 0.09 + 0.25) / 4 = 0.09; 0.09 - 0.25² = 0.0275; boundary 0.17 - 0.16 = 0.01
    expected = {"E_var": 0.0275, "E_in_var": 0.0, "E_bd_var": 0.01, "E_rel_var": 0.055, "E_in_rel_var": 0.0}
    assert {name: table.column(name)[0] for name in expected} == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (1, 5), (60, 1)])
def test_a_segment_that_fills_the_image_counts_as_boundary(shape):
    table = table_of(np.full(shape, 2, np.uint8), np.full(shape, 0.5))
    size = shape[0] * shape[1]
    expected = {"S": size, "S_in": 0, "S_bd": size, "S_rel": 1, "S_in_rel": 0}
    expected |= {"E": 0.5, "E_in": 0, "E_bd": 0.5, "E_rel": 0.5, "E_in_rel": 0, "cprob_2": 1, "cprob_0": 0}
    assert {name: table.column(name)[0] for name in expected} == expected
    assert table.interior_sizes.tolist() == [0]


def test_a_pixel_next_to_an_unlabelled_one_is_boundary():
    table = table_of(draw("0000. 00000"))
    # all but the unlabelled pixel; its neighbours are the two above each other to the left, and the one below
    assert [table.column(name)[0] for name in ("S", "S_bd")] == [9, 3]


def test_class_probabilities_are_means_of_the_upsampled_softmax():
    # logits of two pixels, (2, 0) and (0, 2), grown to four columns: weights 1, 3/4, 1/4, 0 of the first
    logits = torch.tensor([[[2.0, 0.0]], [[0.0, 2.0]]])
    p = [1 / (1 + np.exp(-d)) for d in (2.0, 1.0, -1.0, -2.0)]
    plane = torch.zeros(1, 4)
    maps = UncertaintyMaps(torch.tensor([[0, 0, 1, 1]], dtype=torch.uint8), plane, plane, plane)
    table = segment_table(maps, LogitMaps(logits, (1, 4)))
    assert table.column("cprob_0") == pytest.approx([(p[0] + p[1]) / 2, (p[2] + p[3]) / 2], abs=1e-6)
    assert table.column("cprob_0") + table.column("cprob_1") == pytest.approx([1, 1], abs=1e-6)


def test_neighbour_shares_count_pairs_with_multiplicity():
    table = table_of(draw("012 ..."), features="meta_ood")
    # the one has the neighbours 0, 2 and three unlabelled pixels: a fifth each
    assert [table.column(f"ndist_{c}")[1] for c in range(4)] == pytest.approx([0.2, 0, 0.2, 0])
    # the 0 has one neighbour 1 and two unlabelled
    assert [table.column(f"ndist_{c}")[0] for c in range(4)] == pytest.approx([0, 1 / 3, 0, 0])


def test_centroid_is_the_mean_row_and_column():
    table = table_of(draw("110 100"), features="meta_ood")
    assert (table.column("row")[0], table.column("column")[0]) == pytest.approx((1 / 3, 1 / 3))


def test_feature_sets_have_the_published_sizes():
    assert len(feature_set("metaseg").names(19)) == 15 + 19
    assert len(feature_set("meta_ood").names(19)) == 75
    assert len(set(feature_set("meta_ood").names(19))) == 75


def test_further_maps_are_aggregated_under_their_own_prefix():
    classes = draw("0011")
    gradient = np.array([[1.0, 3.0, 5.0, 9.0]], np.float32)
    table = table_of(classes, features="all", extra={"G": gradient})
    assert len(table.names) == 5 + 40 + 2 + 4 + 4 + 6
    assert table.column("G").tolist() == [2, 7]
    table = table_of(
        classes, features=FeatureSet(maps=("G",), families=("size", "mean", "relative_mean")), extra={"G": gradient}
    )
    assert table.names == ("S", "S_in", "S_bd", "S_rel", "S_in_rel", "G", "G_in", "G_bd", "G_rel", "G_in_rel")


def test_a_sidewalk_split_by_a_pole_is_not_blamed_for_the_other_half():
    truth, predicted = draw("1111111"), draw("1112111")
    found = targets(table_of(predicted), truth)
    # left half: 3 of the 7 sidewalk pixels; the other half is covered by its own class, the pole's pixel is missed
    assert found.iou == pytest.approx([3 / 7, 0, 3 / 7])
    assert found.iou_adj == pytest.approx([3 / 4, 0, 3 / 4])
    assert found.false_positive.tolist() == [False, True, False]


def test_the_released_variant_counts_only_missed_pieces_that_touch():
    truth, predicted = draw("1111111"), draw("1121211")
    table = table_of(predicted)
    # segments 1s: columns 0-1, 3, 5-6; missed pieces: columns 2 and 4
    ones = table.class_ids == 1
    assert targets(table, truth).iou_adj[ones] == pytest.approx([2 / 4, 1 / 3, 2 / 4])
    assert targets(table, truth, "released").iou_adj[ones] == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert targets(table, truth, "released").iou[ones] == pytest.approx([2 / 7, 1 / 7, 2 / 7])


def test_only_ground_truth_components_that_meet_the_segment_count():
    truth, predicted = draw("110011"), draw("111000")
    found = targets(table_of(predicted), truth)
    # the ones: 2 of 3 right; the far pair of ones is another component. The zeros: 1 of 3 right, one missed
    assert found.iou == pytest.approx([2 / 3, 1 / 4])
    assert found.iou_adj == pytest.approx([2 / 3, 1 / 4])


@pytest.mark.parametrize("variant", ["component", "released"])
def test_perfect_and_hopeless_segments(variant):
    truth = draw("0011 0011 2222")
    perfect = targets(table_of(truth), truth, variant)
    assert perfect.iou.tolist() == perfect.iou_adj.tolist() == [1, 1, 1]
    hopeless = targets(table_of((truth + 1) % 3), truth, variant)
    assert hopeless.iou.tolist() == hopeless.iou_adj.tolist() == [0, 0, 0]


def test_ignored_pixels_are_removed_before_components_are_taken():
    truth, predicted = draw("1.1"), draw("111")
    assert apply_ignore(predicted, truth).tolist() == [[1, 255, 1]]
    table = table_of(predicted, ground_truth=truth)
    assert len(table) == 2
    assert targets(table, truth).iou.tolist() == [1, 1]


def test_an_unlabelled_prediction_is_a_miss():
    truth, predicted = draw("1111"), draw("11.1")
    # left: 2 of 4; the unlabelled pixel is missed, the right one belongs to a segment of the class
    found = targets(table_of(predicted), truth)
    assert found.iou == pytest.approx([2 / 4, 1 / 4])
    assert found.iou_adj == pytest.approx([2 / 3, 1 / 2])


# truth, prediction, variant, and IoU and IoU_adj of every segment, worked out by hand. The brute-force reference, which
# the fast code is compared with on random maps, has to give them as well.
WORKED_OUT = {
    # 33 pixels of sidewalk (1) around a pole (2) of three; the predicted pole reaches one pixel too far and cuts the
    # sidewalk into halves of 16. A half: 16 / 33; adjusted 16 / (16 + 1). The pole: 3 of 4 right.
    "pole on a sidewalk": (
        "111121111 111121111 111121111 111111111",
        "111121111 111121111 111121111 111121111",
        "component",
        [16 / 33, 3 / 4, 16 / 33],
        [16 / 17, 3 / 4, 16 / 17],
    ),
    # K' has three components of 2, 1 and 2 pixels, of which 4 are met: 4 / (6 + 5 - 4), one missed: 4 / (6 + 1).
    # The last pixel is no 0 in truth.
    "K' of several components": ("1101011", "1111110", "component", [4 / 7, 0], [4 / 7, 0]),
    # one component of truth, three segments of its class meet it; the left one is not blamed for the other two, but for
    # the four pixels predicted as 0: 2 / 8 and 2 / (2 + 4)
    "several segments on one component": (
        "11111111",
        "11010010",
        "component",
        [2 / 8, 0, 1 / 8, 0, 1 / 8, 0],
        [2 / 6, 0, 1 / 5, 0, 1 / 5, 0],
    ),
    # the ones: K' = the first two pixels. The released code also counts the pair of ones that only touches k
    "a piece that touches a wrong pixel": ("11011", "11100", "component", [2 / 3, 0], [2 / 3, 0]),
    "a piece that touches a wrong pixel, released": ("11011", "11100", "released", [2 / 3, 0], [2 / 5, 0]),
    # diagonal neighbours are one component, in truth as in the prediction. The 1 finds one of two, the zeros two of two
    # and a pixel too many
    "diagonals": ("10 01", "10 00", "component", [1 / 2, 2 / 3], [1 / 2, 2 / 3]),
    # touching is not meeting: every pixel of the ones is wrong, though ones lie beside it
    "side by side": ("0011", "1100", "component", [0, 0], [0, 0]),
    "side by side, released": ("0011", "1100", "released", [0, 0], [0, 0]),
    # what is unlabelled cuts the truth in two, and the prediction with it
    "ignored in the middle": ("11.11", "11111", "component", [1, 1], [1, 1]),
    # a class that the prediction never names, and one that truth never holds
    "foreign classes": ("3311", "2211", "component", [0, 1], [0, 1]),
}


@pytest.mark.parametrize("case", WORKED_OUT)
def test_targets_worked_out_by_hand(case):
    truth, predicted, variant, iou, adjusted = WORKED_OUT[case]
    truth, predicted = draw(truth), draw(predicted)
    found = targets(table_of(predicted, ground_truth=truth), truth, variant)
    assert found.iou == pytest.approx(iou)
    assert found.iou_adj == pytest.approx(adjusted)
    assert found.false_positive.tolist() == [value == 0 for value in iou]
    by_definition = plain.targets(apply_ignore(predicted, truth), truth, variant)
    assert by_definition[0] == pytest.approx(iou)
    assert by_definition[1] == pytest.approx(adjusted)


def test_the_reference_agrees_with_interiors_worked_out_by_hand():
    classes = draw("00011 00011 0.011")
    ids, count = plain.components(classes)
    zeros, ones = plain.pixels_of(ids).values()
    assert count == 2
    # of the zeros two in the first row have only zeros around them; the others touch the ones or the gap
    assert plain.interior(zeros, classes.shape) == {(0, 0), (0, 1)}
    # of the ones the last column touches nothing else, though it lies at the edge
    assert plain.interior(ones, classes.shape) == {(0, 4), (1, 4), (2, 4)}
    table = table_of(classes)
    assert table.interior_sizes.tolist() == [2, 3]
    whole = {(y, x) for y in range(2) for x in range(3)}
    assert plain.interior(whole, (2, 3)) == set()


def test_a_segment_of_one_pixel_has_no_interior_and_all_its_means_on_the_boundary():
    table = table_of(draw("000 010 000"), np.array([[0.2] * 3, [0.2, 0.9, 0.2], [0.2] * 3]), "meta_ood")
    expected = {"S": 1, "S_in": 0, "S_bd": 1, "S_rel": 1, "S_in_rel": 0, "E": 0.9, "E_in": 0, "E_bd": 0.9, "E_rel": 0.9}
    expected |= {
        "E_in_rel": 0,
        "E_var": 0,
        "E_bd_var": 0,
        "row": 1,
        "column": 1,
        "cprob_1": 1,
        "ndist_0": 1,
        "ndist_1": 0,
    }
    assert {name: table.column(name)[1] for name in expected} == pytest.approx(expected, abs=1e-7)
    # the ring of zeros around it: all eight pixels touch it, once each
    expected = {"S": 8, "S_in": 0, "E": 0.2, "ndist_1": 1, "row": 1, "column": 1}
    assert {name: table.column(name)[0] for name in expected} == pytest.approx(expected)
