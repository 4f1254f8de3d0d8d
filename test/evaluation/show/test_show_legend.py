"""Legends: everything is drawn inside its width, what has no room is counted or left out."""

import itertools

import numpy as np
import pytest

from trust_seg_ros.drawing.lettering import text_mask
from trust_seg_ros.drawing.panels import BACKGROUND
from trust_seg_ros.evaluation.show.legend import Entry, bar, flow, swatch_size, title


def swatches(count):
    return [Entry(f"class {k}", np.full((*swatch_size(14), 3), (k + 1, 200, 9), np.uint8)) for k in range(count)]


def shown(picture, count):
    return [k for k in range(count) if (picture == (k + 1, 200, 9)).all(axis=2).any()]


def test_what_fits_stands_in_one_line_and_the_rest_below():
    one, two = flow(swatches(3), 400, 14, 3), flow(swatches(6), 400, 14, 3)
    assert one.shape[1] == two.shape[1] == 400
    assert one.shape[0] < two.shape[0]
    assert shown(one, 3) == [0, 1, 2]
    assert shown(two, 6) == list(range(6))


def test_what_has_no_room_is_counted(monkeypatch):
    written = []
    monkeypatch.setattr("trust_seg_ros.evaluation.show.legend.write", lambda picture, text, *rest: written.append(text))
    picture = flow(swatches(40), 400, 14, 2)
    there = shown(picture, 40)
    assert there == list(range(len(there)))
    assert 4 < len(there) < 40
    assert written == [*(f"class {k}" for k in there), f"+ {40 - len(there)} more"]


def test_the_last_entry_takes_the_room_of_the_count():
    full = flow(swatches(4), 400, 14, 1)
    assert shown(full, 4) == [0, 1, 2, 3], "nothing is left to count"


def test_a_bar_runs_from_its_first_colour_to_its_last():
    colours = np.stack([np.arange(256)] * 3, axis=1).astype(np.uint8)
    picture = bar(colours, [(0.0, "0"), (1.0, "1")], 300, 14)
    row = picture[14 // 3 + 2]
    assert tuple(row[0]) == (0, 0, 0)
    assert tuple(row[-1]) == (255, 255, 255)
    assert (np.diff(row[:, 0].astype(int)) >= 0).all()


@pytest.mark.parametrize(("width", "expected"), [(600, ["0 low", "high 1", "0.5"]), (100, ["0 low", "high 1"])])
def test_words_below_a_bar_never_overlap(monkeypatch, width, expected):
    written = []
    monkeypatch.setattr(
        "trust_seg_ros.evaluation.show.legend.write", lambda picture, text, left, *rest: written.append((left, text))
    )
    bar(np.zeros((2, 3), np.uint8), [(0.0, "0 low"), (0.5, "0.5"), (1.0, "high 1")], width, 14)
    assert [text for _, text in written] == expected
    spans = sorted((left, left + text_mask(text, 14).shape[1]) for left, text in written)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(spans))
    assert spans[0][0] >= 0
    assert spans[-1][1] <= width


def test_a_long_title_becomes_smaller():
    small, large = title("a very long file name of an image " * 2, 300, 20), title("short", 300, 20)
    assert small.shape == large.shape
    assert (small[:, -3:] == BACKGROUND).all()
    assert (large != BACKGROUND).any()
