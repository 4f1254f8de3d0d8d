"""What tracking adds to detections and to the table of segments, and what the documentation says of it."""

import re
from pathlib import Path

import numpy as np
from drive_frames import made_result
from trust_frames import but

from trust_seg_ros.messages.detections import OOD_TRACK, TRACK_RESULTS, detections
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering, ood_ids, segment_ids
from trust_seg_ros.recordings.replay.segment_rows import TRACK_COLUMNS, segment_rows
from trust_seg_ros.types import SegmentTracks

DOCS = Path(__file__).parents[2] / "docs"
NAMES = tuple(f"class {i}" for i in range(11))
STAMP = 7 * 10**9


def tracked_result():
    """Two classes and something unknown, on their third frame, 500 ms after the first."""
    result = made_result(np.repeat([[0, 1]], 6, 0).repeat([5, 3], 1).astype(np.uint8))

    def tracks(first, count):
        ids, seen = np.arange(first, first + count), np.full(count, 3, np.int32)
        born = np.full(count, STAMP - 500_000_000)
        return SegmentTracks(ids, seen, born, np.full((count, 2), (4.0, -2.0)), np.zeros(count), STAMP)

    return but(result, tracks=tracks(17, len(result.segments)), ood_tracks=tracks(3, len(result.ood.kept)))


def rows(page, begin):
    """The rows of the table that follows ``begin``, cells without backquotes."""
    table = (DOCS / page).read_text("utf-8").partition(begin)[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_the_results_that_tracking_adds_are_documented_in_their_order():
    told = rows("topics.md", "| `hypothesis.class_id` | `hypothesis.score` |\n")
    assert tuple(name for name, _ in told) == TRACK_RESULTS
    section = (DOCS / "topics.md").read_text("utf-8").partition("### Tracks")[2]
    assert re.search(rf'"{OOD_TRACK}\d+"', section)


def test_the_columns_of_tracks_are_documented_with_their_types():
    table = segment_rows(tracked_result(), NAMES, "/camera", 7)
    told = rows("replay.md", "<!-- track columns: a test compares -->\n")
    assert told == [[name, str(table[name].dtype), text] for name, text in TRACK_COLUMNS.items()]


def test_detections_have_the_ids_of_tracks_and_the_results_documented():
    result = tracked_result()
    view = Rendering(result, MessageOptions(NAMES, np.zeros((11, 3), np.uint8), every_segment=True))
    found = detections(view)
    n, kept = len(result.segments), np.flatnonzero(result.ood.kept)
    assert len(kept)
    assert [one.id for one in found] == [*(str(17 + k) for k in range(n)), *(f"ood_{3 + k}" for k in kept)]
    pixels = [segment_ids(view).data] * n + [ood_ids(view).data] * len(kept)
    for one, plane in zip(found, pixels, strict=True):
        assert tuple(name for name, _ in one.results[-len(TRACK_RESULTS) :]) == TRACK_RESULTS
        told = dict(one.results)
        assert (plane == told["pixel_id"]).any()
        assert (told["track_age_s"], told["track_frames"], told["first_seen_s"]) == (0.5, 3.0, 6.5)
        assert (told["velocity_x"], told["velocity_y"]) == (4.0, -2.0)
    plain = detections(Rendering(but(result, tracks=None, ood_tracks=None), view.options))
    assert [one.results for one in plain] == [one.results[: -len(TRACK_RESULTS)] for one in found]
    assert [int(one.id) for one in plain] == [dict(one.results)["pixel_id"] for one in found]
