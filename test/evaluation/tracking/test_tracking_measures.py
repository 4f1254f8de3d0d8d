"""Measures of tracking: on cases counted by hand, and against counting pixel by pixel."""

import itertools
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.tracking.matching import RULES, match
from trust_seg_ros.evaluation.tracking.measures import LONGEST_GAP, TrackingCounter, TrackingCounts
from trust_seg_ros.evaluation.tracking.overlaps import frame_overlap


def counted(frames, rule="cover"):
    """Counts of frames (ids, objects, tracks)."""
    counter = TrackingCounter()
    for ids, objects, tracks in frames:
        overlap = frame_overlap(np.array(ids), len(tracks), np.array(objects))
        counter.add(overlap, match(overlap, rule), np.array(tracks))
    return counter.counts()


def line(*runs):
    """One row of (value, length) runs."""
    return [[value for value, length in runs for _ in range(length)]]


def following(tracks):
    """An object of 4 pixels in every frame; its segment has the track named, or there is none (0)."""
    return [(line((int(track > 0), 4), (0, 2)), line((7, 4), (0, 2)), [track] if track else []) for track in tracks]


def test_overlap_of_a_frame():
    ids = [[1, 1, 1, 0, 2, 2]]
    objects = [[5, 5, 0, 9, 9, 9]]
    found = frame_overlap(np.array(ids), 3, np.array(objects))
    assert found.sizes.tolist() == [3, 2, 0]
    assert found.numbers.tolist() == [5, 9]
    assert found.object_sizes.tolist() == [2, 3]
    assert list(zip(found.objects, found.segments, found.pixels, strict=True)) == [(0, 0, 2), (1, 1, 2)]
    assert found.iou.tolist() == pytest.approx([2 / 3, 2 / 3])
    assert found.centres[:2, 0].tolist() == [1.0, 4.5]
    assert np.isnan(found.centres[2]).all()
    assert found.object_centres[:, 0].tolist() == [0.5, 4.0]


def test_two_objects_in_one_segment_are_both_found_by_cover_only():
    overlap = frame_overlap(np.array(line((1, 8))), 1, np.array(line((1, 5), (2, 3))))
    assert match(overlap, "cover").segment.tolist() == [0, 0]
    assert match(overlap, "iou").segment.tolist() == [0, -1]
    assert match(overlap, "best").segment.tolist() == [0, 0]


def test_a_segment_is_false_by_cover_if_less_than_half_of_it_lies_on_objects():
    overlap = frame_overlap(np.array(line((1, 4), (2, 6), (3, 2))), 3, np.array(line((0, 2), (1, 3), (0, 6), (2, 1))))
    assert match(overlap, "cover").false.tolist() == [False, True, False]


def test_half_of_an_object_is_enough_and_less_is_not():
    half = frame_overlap(np.array(line((1, 2), (0, 4))), 1, np.array(line((1, 4), (2, 2))))
    assert match(half, "cover").segment.tolist() == [0, -1]
    less = frame_overlap(np.array(line((1, 2), (0, 4))), 1, np.array(line((1, 5), (2, 1))))
    assert match(less, "cover").segment.tolist() == [-1, -1]
    assert match(less, "best").segment.tolist() == [0, -1]


def test_one_to_one_takes_the_largest_sum():
    # 1 meets both segments by a half or more only with a small object inside a large segment
    overlap = frame_overlap(np.array(line((1, 6), (2, 4))), 2, np.array(line((1, 4), (2, 6))))
    assert match(overlap, "iou").segment.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("tracks", "switches", "gaps", "found", "longest"),
    [
        ([3, 3, 3, 3], 0, 0, 0, 4),
        ([3, 3, 4, 4], 1, 0, 0, 2),
        ([3, 4, 3, 4], 3, 0, 0, 2),
        ([3, 0, 3, 3], 0, 1, 1, 3),
        ([3, 0, 0, 4], 1, 1, 0, 1),
        ([3] + [0] * LONGEST_GAP + [3], 0, 1, 1, 2),
        ([3] + [0] * (LONGEST_GAP + 1) + [3], 0, 0, 0, 2),
        ([0, 0, 3, 0], 0, 0, 0, 1),
        ([0, 0, 0], 0, 0, 0, 0),
    ],
)
def test_one_object_counted_by_hand(tracks, switches, gaps, found, longest):
    counts = counted(following(tracks))
    assert (counts.switches, counts.gaps, counts.gaps_found, counts.longest) == (switches, gaps, found, longest)
    assert (counts.frames, counts.objects, counts.object_frames) == (len(tracks), 1, len(tracks))
    assert counts.matched == sum(track > 0 for track in tracks)
    missed = counts.object_frames - counts.matched
    assert counts.mota == pytest.approx(1 - (missed + switches) / len(tracks))


def test_an_object_hidden_for_a_while_is_a_gap_and_not_missed():
    hidden = (line((0, 6)), line((0, 6)), [])
    counts = counted([*following([2, 2]), hidden, hidden, *following([2])])
    assert (counts.object_frames, counts.matched, counts.gaps, counts.gaps_found) == (3, 3, 1, 1)
    assert counts.mota == 1.0
    assert counts.mostly_tracked == 1


def test_a_gap_in_which_a_part_was_met_is_a_break():
    part = (line((1, 1), (0, 5)), line((7, 4), (0, 2)), [9])
    counts = counted([*following([3]), part, *following([3]), *following([0]), *following([4])])
    assert (counts.gaps, counts.gaps_found, counts.breaks, counts.breaks_found) == (1, 0, 1, 1)
    assert (counts.switches, counts.after_gaps, counts.matched) == (1, 1, 3)


def test_how_much_of_an_object_is_tracked():
    assert counted(following([1, 1, 1, 1, 0])).mostly_tracked == 1
    assert counted(following([1, 1, 1, 0])).partially_tracked == 1
    assert counted(following([1, 0, 0, 0, 0])).partially_tracked == 1
    assert counted(following([1, 0, 0, 0, 0, 0])).mostly_lost == 1


def test_distance_of_centres():
    counts = counted([(line((0, 1), (1, 4), (0, 1)), line((1, 4), (0, 2)), [1])])
    assert counts.motp == pytest.approx(1.0)


def test_objects_that_do_not_count_are_as_if_not_there():
    ids, objects = np.array(line((1, 4), (2, 4))), np.array(line((1, 4), (2, 4)))
    overlap = frame_overlap(ids, 2, objects)
    counter = TrackingCounter()
    counter.add(overlap, match(overlap, "iou"), np.array([1, 2]), counted=np.array([True, False]))
    counts = counter.counts()
    assert (counts.objects, counts.object_frames, counts.matched, counts.false) == (1, 1, 1, 0)


def test_segments_that_are_not_judged_are_not_false():
    overlap = frame_overlap(np.array(line((1, 4), (2, 4))), 2, np.array(line((0, 8))))
    counter = TrackingCounter()
    counter.add(overlap, match(overlap, "iou"), np.array([1, 2]), judged=np.array([True, False]))
    assert counter.counts().false == 1


def test_without_objects_there_is_nothing_to_say():
    counts = counted([(line((0, 4)), line((0, 4)), [])])
    assert counts.objects == 0
    for value in (counts.mota, counts.motp, counts.switch_share, counts.found_again, counts.one_track):
        assert np.isnan(value)


def test_counts_of_drives_add_up():
    one, other = counted(following([1, 1, 2])), counted(following([1, 0, 1, 1]))
    both = one + other
    assert {f.name: getattr(both, f.name) for f in fields(TrackingCounts)} == {
        f.name: getattr(one, f.name) + getattr(other, f.name) for f in fields(TrackingCounts)
    }
    assert both.switch_share == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("ids", "count", "objects", "told"),
    [
        (np.zeros((2, 3), int), 0, np.zeros((3, 2), int), "expected two maps of one shape"),
        (np.full((2, 3), 4), 3, np.zeros((2, 3), int), "segments of 0 to 4, 3 expected"),
        (np.zeros((2, 3), int), 3, np.full((2, 3), -1), "objects must be 0 or more"),
    ],
)
def test_maps_that_do_not_fit_are_refused(ids, count, objects, told):
    with pytest.raises(EvaluationError, match=told):
        frame_overlap(ids, count, objects)


def test_an_unknown_rule_is_refused():
    with pytest.raises(EvaluationError, match="no rule 'nearest' to match segments and objects; there are: cover"):
        match(frame_overlap(np.zeros((1, 2), int), 0, np.zeros((1, 2), int)), "nearest")


def pixel_sets(numbers):
    return {v: {tuple(p) for p in np.argwhere(numbers == v)} for v in np.unique(numbers) if v}


def matched_by_brute_force(segments, objects, rule):
    """Object -> segment, and the false segments, from sets of pixels."""

    def iou(o, s):
        return len(objects[o] & segments[s]) / len(objects[o] | segments[s])

    found = {}
    if rule == "iou":
        most, options = -1.0, [[None, *segments] for _ in objects]
        for choice in itertools.product(*options):
            taken = [s for s in choice if s is not None]
            pairs = {o: s for o, s in zip(objects, choice, strict=True) if s is not None}
            if len(set(taken)) == len(taken) and all(iou(o, s) >= 0.5 for o, s in pairs.items()):
                total = sum(iou(o, s) for o, s in pairs.items())
                if total > most:
                    most, found = total, pairs
    for o in objects if rule != "iou" else ():
        value = (
            (lambda s, o=o: len(objects[o] & segments[s]) / len(objects[o]))
            if rule == "cover"
            else (lambda s, o=o: iou(o, s))
        )
        best = max(sorted(segments), key=value, default=None)
        if best is not None and value(best) >= (0.5 if rule == "cover" else 1e-12):
            found[o] = best
    if rule == "cover":
        everywhere = set().union(*objects.values())
        false = {s for s, pixels in segments.items() if 2 * len(pixels & everywhere) < len(pixels)}
    else:
        false = set(segments) - set(found.values())
    return found, false


@pytest.mark.parametrize("rule", RULES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_counts_are_those_of_brute_force(rule, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    frames, history, touched, false, distance = [], {}, {}, 0, 0.0
    for _ in range(data.draw(st.integers(1, 12))):
        ids = rng.integers(0, 4, (2, 3)).repeat(3, 0).repeat(2, 1)
        objects = np.where(rng.random(ids.shape) < 0.7, ids, rng.integers(0, 4, ids.shape)) * (rng.random() < 0.8)
        tracks = rng.integers(1, 3, 3)
        frames.append((ids, objects, tracks))
        segments, things = pixel_sets(ids), pixel_sets(objects)
        found, wrong = matched_by_brute_force(segments, things, rule)
        false += len(wrong)
        for o, pixels in things.items():
            track = int(tracks[found[o] - 1]) if o in found else None
            history.setdefault(o, {})[len(frames)] = track
            if track is None and any(pixels & other for other in segments.values()):
                touched.setdefault(o, set()).add(len(frames))
            if o in found:
                middle = [np.mean(sorted(part), axis=0) for part in (pixels, segments[found[o]])]
                distance += float(np.linalg.norm(middle[0] - middle[1]))
    counts = counted(frames, rule)
    assert counts.false == false
    assert counts.distance == pytest.approx(distance)
    assert counts.object_frames == sum(len(seen) for seen in history.values())
    switches = gaps = again = breaks = longest = 0
    for o, seen in history.items():
        runs = [(frame, track) for frame, track in sorted(seen.items()) if track is not None]
        for (frame, track), (later, other) in itertools.pairwise(runs):
            switches += track != other
            between = set(range(frame + 1, later))
            broken = bool(between & touched.get(o, set()))
            gaps += 1 <= len(between) <= 5 and not broken
            again += 1 <= len(between) <= 5 and not broken and track == other
            breaks += 1 <= len(between) <= 5 and broken
        longest += max((sum(t == one for _, t in runs) for _, one in runs), default=0)
    assert (counts.switches, counts.gaps, counts.gaps_found, counts.longest) == (switches, gaps, again, longest)
    assert counts.breaks == breaks
