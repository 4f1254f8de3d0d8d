"""Unknown objects of a picture: which are listed, in which order, what is written beside them."""

import dataclasses

import numpy as np
import pytest
from rich.console import Console
from show_findings import findings

from trust_seg_ros.evaluation.show.picture import picture
from trust_seg_ros.evaluation.show.unknown import kept_order, unknown_label, unknown_rows, unknown_table
from trust_seg_ros.types import UNLABELLED, OodSegments


def with_objects(p_ood=(0.2, 0.9, np.nan, 0.99), kept=(True, True, True, False)):
    """Four squares of 10 x 10 in a row; the last one was discarded."""
    found = findings()
    ids = np.zeros(found.classes.shape, np.int32)
    boxes = np.array([[20 * k + 5, 60, 20 * k + 15, 70] for k in range(4)], np.int32)
    for k, (left, top, right, bottom) in enumerate(boxes.tolist()):
        ids[top:bottom, left:right] = k + 1
    four = np.full(4, 100)
    class_ids = np.array([0, 1, UNLABELLED, 2], np.uint8)
    judged = None if p_ood is None else np.array(p_ood)
    score = np.array([0.75, 0.8, 0.85, 0.9])
    ood = OodSegments(ids, boxes, four, score, np.array(kept), judged, class_ids, np.array([0.5, 0.4, np.nan, 0.3]))
    return dataclasses.replace(found, ood=ood)


def test_the_likeliest_come_first_and_discarded_ones_not_at_all():
    assert kept_order(with_objects()) == [1, 0, 2]
    assert kept_order(with_objects(p_ood=None)) == [2, 1, 0], "by their score without a meta model"
    assert kept_order(findings()) == []


def test_rows_hold_what_is_known():
    first, second, third = unknown_rows(with_objects())
    assert first == {
        "object": 2, "p_ood": 0.9, "score": 0.8, "class": "car", "p_class": 0.4, "size": 100,
        "left": 25, "top": 60, "right": 35, "bottom": 70,
    }  # fmt: skip
    assert second["class"] == "road"
    assert (third["p_ood"], third["class"], third["p_class"]) == (None, None, None)


@pytest.mark.parametrize(("k", "text"), [(0, "maybe unknown, 20 %"), (1, "unknown, 90 %"), (2, "unknown, score 0.85")])
def test_labels(k, text):
    assert unknown_label(with_objects(), k) == text


def test_the_table_counts_what_it_leaves_out():
    console = Console(width=120, record=True)
    console.print(unknown_table(with_objects(), "a.png", top=2))
    text = console.export_text()
    assert "a.png: 2 of 3 unknown objects" in text
    assert "car 0.40" in text


def test_objects_are_outlined_in_the_panel_of_the_prediction_alone():
    plain, drawn = (picture(found, width=1000) for found in (with_objects(kept=(False,) * 4), with_objects()))
    changed = (plain != drawn).any(axis=2)
    half = changed.shape[1] // 2
    assert changed[: changed.shape[0] // 2, half:].sum() > 200
    assert not changed[:, :half].any()
    assert not changed[changed.shape[0] * 6 // 10 :, half:].any()
