"""The table of segments: order, choice of rows, and the CSV file."""

import csv
import io

import numpy as np
import pytest
from rich.console import Console
from show_findings import findings, stripes

from trust_seg_ros.evaluation.show.table import CSV_COLUMNS, csv_head, csv_rows, distrust_order, segments_table


def printed(table):
    console = Console(width=160, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def rows_of(text):
    return [line for line in text.splitlines() if "■" in line]


def test_the_most_distrusted_come_first_and_ties_by_number():
    found = findings(p_wrong=[0.3, 0.9, 0.3, 0.5])
    assert distrust_order(found, 1).tolist() == [1, 3, 0, 2]


def test_segments_without_an_interior_are_left_out_unless_asked_for():
    found = findings()
    sizes = found.segments.sizes.tolist()
    assert sizes[1] == 4, "the speck"
    assert 1 not in distrust_order(found)
    assert distrust_order(found, 4).tolist() == [3, 2, 1, 0]
    assert distrust_order(found, 5).tolist() == [3, 2, 0]


def test_the_table_tells_each_segment_from_ground_truth():
    truth = stripes()
    truth[truth == 1] = 0
    found = findings(truth=truth, p_wrong=[0.1, 0.99, 0.2, 0.75], iou=[0.9, 0.0, 0.8, 0.25])
    text = printed(segments_table(found, "a.png", top=2))
    assert "a.png: 2 of 4 segments, the largest P(wrong) first" in text
    caption = " ".join(text.split())
    assert "2 of all 4 have P(wrong) >= 0.5" in caption
    assert "1 without an interior are not listed" in caption
    first, second = rows_of(text)
    cells = [cell.strip() for cell in first.strip("│").split("│")]
    assert cells[:5] == ["4", "■ car", "0.75", "0.25", "0.00"]
    assert cells[6:] == ["1,200", "20,58 - 60,88"]
    assert "road" in second


@pytest.mark.parametrize(("truth", "judged"), [(False, False), (False, True), (True, False)])
def test_columns_are_those_that_are_known(truth, judged):
    text = printed(segments_table(findings(truth=stripes() if truth else None, judged=judged), "a.png"))
    assert ("true IoU_adj" in text) == truth
    assert ("P(wrong)" in text) == judged
    assert ("the largest mean entropy first" in text) != judged
    assert len(rows_of(text)) == 3


def test_names_are_no_markup():
    assert "[bold]x[/nope]" in printed(segments_table(findings(), "[bold]x[/nope]"))


def test_csv_holds_all_segments_with_full_numbers():
    found = findings(truth=stripes(), p_wrong=[0.1, 0.99, 0.2, 1 / 3])
    rows = list(csv.DictReader(io.StringIO(csv_head() + csv_rows("a, b.png", found))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["segment"] for row in rows] == ["2", "4", "3", "1"]
    assert {row["image"] for row in rows} == {"a, b.png"}
    assert [row["unreliable"] for row in rows] == ["1", "0", "0", "0"]
    assert rows[1]["p_wrong"] == "0.333333"
    assert sum(int(row["size"]) for row in rows) == 96 * 160
    assert [row["class"] for row in rows] == ["car", "car", "road", "sky"]
    boxes = np.array([[int(row[side]) for side in ("left", "top", "right", "bottom")] for row in rows])
    assert np.array_equal(boxes, found.segments.boxes[[1, 3, 2, 0]])
    assert {float(row["iou_adj"]) for row in rows} == {1.0}
    assert float(rows[0]["entropy"]) == pytest.approx(found.mean_entropy[1], rel=1e-5)


def test_what_is_not_known_is_empty_in_csv():
    (row, *_) = csv.DictReader(io.StringIO(csv_head() + csv_rows("a.png", findings(judged=False))))
    assert [row[name] for name in ("p_wrong", "unreliable", "predicted_iou_adj", "iou", "iou_adj")] == [""] * 5
