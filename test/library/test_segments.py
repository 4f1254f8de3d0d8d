"""Segments are indexed, filtered and iterated, and each says what it is."""

import numpy as np
import pytest
from library_results import LABELS, blocks, made

from trust_seg_ros import TrustSegError
from trust_seg_ros.segmentation.errors import LabelError


@pytest.fixture(scope="module")
def result():
    return made(blocks(), unknown=blocks(3) == 0)


def test_every_row_of_the_table_is_a_segment(result):
    segments = result.segments
    assert len(list(segments)) == len(segments) > 10
    for k, segment in enumerate(segments):
        assert segment.number == k + 1
        assert segment.class_name == LABELS.names[segments.class_ids[k]]
        assert segment.box == tuple(segments.boxes[k])
        assert segment.area == segment.mask.sum() == segments.sizes[k]
        assert (segment.p_wrong, segment.iou) == (segments.trust.p_wrong[k], segments.trust.iou[k])
        assert segment.unreliable == (segment.p_wrong >= 0.5)
        assert not segment.outside
        assert segment.metrics == {name: segments.column(name)[k] for name in segments.names}
    assert segments[3].mask.shape == result.size
    assert segments[-1].number == len(segments)
    assert segments[np.int64(3)] == segments[3]


def test_they_are_filtered_like_a_list_and_like_an_array(result):
    segments = result.segments
    assert [s.number for s in segments[2:5]] == [3, 4, 5]
    assert [s.number for s in segments[[4, 1]]] == [5, 2]
    assert [s.position for s in segments[segments.p_wrong > 0.8]] == np.flatnonzero(segments.p_wrong > 0.8).tolist()
    assert len(segments[[]]) == 0
    wrong = segments.unreliable()
    assert len(wrong) + len(segments.reliable()) == len(segments)
    assert all(s.unreliable for s in wrong)
    assert (wrong.p_wrong >= 0.5).all()
    trees = wrong.of_class("<B>tree & bush</b>")
    assert {s.class_id for s in trees} == {1}
    assert trees[0] in wrong
    assert (trees.mask == np.isin(segments.ids, [s.number for s in trees])).all()
    worst = segments.least_trusted(3)
    assert [s.p_wrong for s in worst] == sorted(segments.p_wrong.tolist(), reverse=True)[:3]
    assert len(trees.areas) == len(trees.boxes) == len(trees)


def test_what_is_not_there_is_refused_with_the_way_out(result):
    segments = result.segments
    with pytest.raises(IndexError, match=f"no segment {len(segments)}; expected a number from -"):
        segments[len(segments)]
    for key in ("Road", 1.5, None, [True], np.zeros((2, 2), bool), [0, 10**6], [[1], [1, 2]], [0.5]):
        with pytest.raises(TrustSegError, match=r"expected a number from .* a slice, a list .* or a mask of"):
            segments[key]
    with pytest.raises(LabelError, match="no class 'Rood'"):
        segments.of_class("Rood")


def test_segments_are_equal_where_they_are_the_same(result):
    other = made(blocks())
    assert result.segments[3] == result.segments[3] != result.segments[4]
    assert result.segments[3] != other.segments[3]
    assert len({result.segments[3], result.segments[3], result.segments[4], other.segments[3]}) == 3
    assert result == result
    assert result != other
    assert len({result, result, other}) == 2
    assert result.frame == result.frame != other.frame


def test_unknown_objects_say_what_they_are(result):
    things = result.unknown_objects
    assert len(things) == result.ood.kept.sum() > 0
    assert things[0] == result.unknown_objects[0]
    for thing in things:
        assert thing.area == (result.ood.ids == thing.number).sum()
        assert (thing.p_ood, thing.class_name) == (0.8, "Road")
    assert repr(things[0]).startswith("UnknownObject(1: ")
    assert "P(OoD) 0.80, predicted as Road" in repr(things[0])
    (lone,) = made(np.zeros((4, 4)), unknown=np.ones((4, 4)), p_ood=None).unknown_objects
    assert lone.p_ood is None
    assert "score 0.90" in repr(lone)


def test_without_a_meta_model_nothing_is_unreliable():
    segments = made(blocks(), judged=False).segments
    assert segments[0].p_wrong is segments[0].iou is segments.p_wrong is None
    assert len(segments.unreliable()) == 0
    assert len(segments.reliable()) == len(segments)
    entropy = segments.column("E")
    assert segments.least_trusted(1)[0].position == entropy.argmax()
    assert "P(wrong)" not in repr(segments[0])


def test_reprs_are_one_line(result):
    for shown in (
        *(result, result.on_grid, result.frame, result.maps, result.segments, result.trust, result.ood),
        *(result.segments[0], result.segments.unreliable(), result.unknown_objects[0]),
    ):
        assert len(repr(shown)) < 200
        assert "\n" not in repr(shown)


def test_areas_are_pixels_of_the_image():
    result = made(blocks(), size=(48, 64))
    assert (result.segments.areas == 4 * result.segments.sizes).all()
    small = made(blocks(size=(24, 32)), size=(3, 4))
    assert small.segments.areas.sum() <= 12
    assert (small.segments.areas == 0).any()
    assert small.segments[int(np.argmin(small.segments.areas))].area == 0
