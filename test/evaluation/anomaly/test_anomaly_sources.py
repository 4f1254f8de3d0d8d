"""Fitting over several sources: objects kept, one source left out, and what is worse than no classifier."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.evaluation.anomaly.cuts import Cut
from trust_seg_ros.evaluation.anomaly.objects import Overlaps
from trust_seg_ros.evaluation.anomaly.sources import (
    LeftOut,
    Source,
    SourceFit,
    discard_threshold,
    judged_on,
    least_p_of_objects,
    leave_source_out,
    object_rows,
)
from trust_seg_ros.fitting.ood_fit import cross_validated, fit_ood, stacked
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.ood import OodData, OodVerdict


def drawn(seed=0, images=12, shift=0.0, objects=1, threshold=0.7, alarms=4):
    """Images with ``objects`` objects each, one segment on each object, and false alarms of smaller E."""
    rng = np.random.default_rng(seed)
    metrics, alarm, image, met, large = [], [], [], [], []
    for k in range(images):
        n = objects + alarms
        e = np.concatenate([rng.normal(2, 1, objects), rng.normal(0, 1, alarms)]) + shift
        metrics.append(np.column_stack([e, rng.normal(size=n)]))
        alarm += [False] * objects + [True] * alarms
        image += [k] * n
        pairs = np.array([[j, j] for j in range(objects)], np.int64).reshape(-1, 2)
        met.append(Overlaps(np.full(n, 30), np.full(objects, 20), pairs, np.full(objects, 10)))
        large.append(np.ones(n, bool))
    data = OodData(
        ("E", "S"),
        np.concatenate(metrics),
        np.array(alarm),
        np.zeros(len(alarm), np.uint8),
        np.array(image, np.int32),
        tuple(f"i{k}" for k in range(images)),
        "net",
        ("road",),
        "entropy",
        threshold,
        ((12, 16),),
    )
    return Cut(data, tuple(range(images)), tuple(met), tuple(large), np.empty((0, 3)))


def source(name, seed, **more):
    return Source(name, (drawn(seed, **more),))


FIT = SourceFit("E,S")


def test_rows_and_objects_by_hand():
    # image 1: segment 0 on objects 0 and 1, a speck on object 1; image 2: an object too small, and one missed
    met = (
        Overlaps(np.array([9, 1, 9]), np.array([5, 5]), np.array([[0, 0], [0, 1], [1, 1]]), np.array([2, 2, 1])),
        Overlaps(np.array([9]), np.array([1, 5]), np.array([[0, 0]]), np.array([1])),
    )
    large = (np.array([True, False, True]), np.array([True]))
    cut = replace(drawn(), overlaps=met, large=large)
    rows, numbers, there = object_rows(cut, actual=2)
    assert rows.tolist() == [0, 0]
    assert numbers.tolist() == [0, 1]
    assert there == 3
    assert object_rows(cut)[0].tolist() == [0, 0, 2]


@given(st.integers(0, 1000), st.floats(0.01, 1.0))
def test_the_threshold_keeps_that_share_and_no_smaller_one_does(seed, keep):
    p = np.random.default_rng(seed).random(np.random.default_rng(seed).integers(1, 40)).round(2)
    t = discard_threshold(p, keep)
    assert (p <= t).mean() >= keep - 1e-9
    below = p[p < t - 1e-6]
    if len(below):
        assert (p <= below.max()).mean() < keep


def test_without_objects_the_threshold_is_one_half():
    assert discard_threshold(np.empty(0), 0.9) == 0.5


def test_an_object_is_lost_when_all_its_segments_are_and_never_with_one_outside():
    cut = replace(
        drawn(images=1, objects=1, alarms=1),
        overlaps=(Overlaps(np.array([9, 9]), np.array([5]), np.array([[0, 0], [1, 0]]), np.array([1, 1])),),
    )
    sources, p = (Source("a", (cut,)),), np.array([0.9, 0.6])
    assert least_p_of_objects(sources, OodVerdict(p, np.zeros(2, bool))).tolist() == [0.6]
    assert least_p_of_objects(sources, OodVerdict(p, np.array([True, False]))).tolist() == [0.0]


def test_each_source_is_judged_by_a_fit_on_the_others():
    sources = [source("a", 1), source("b", 2), source("c", 3, images=20)]
    told = []
    rows = leave_source_out(sources, FIT, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [row.source for row in rows] == ["a", "b", "c"]
    model = fit_ood(stacked([sources[0].data, sources[1].data]), "E,S")
    assert rows[2] == judged_on(sources[2], sources[2].cuts[0], model)
    gone = model.judge(sources[2].data).discarded()
    alarm = sources[2].data.false_alarm
    assert rows[2].alarms_before == 80
    assert rows[2].alarms_after == int((alarm & ~gone).sum()) < 80
    assert rows[2].objects == 20
    assert rows[2].missed_after == int((~alarm & gone).sum())
    assert rows[2].auroc > 0.8


def test_the_threshold_that_keeps_objects_loses_fewer_than_one_half():
    sources = [source(name, seed, images=60, alarms=12) for seed, name in enumerate("abc")]
    plain, kept = (leave_source_out(sources, SourceFit("E,S", keep)) for keep in (None, 0.97))
    assert sum(row.lost for row in kept) < sum(row.lost for row in plain)
    assert all(row.lost < 0.15 for row in kept)
    assert SourceFit("E,S", 0.97)(sources).discard_above > SourceFit("E,S")(sources).discard_above == 0.5


def test_the_share_is_kept_by_classifiers_that_have_not_seen_the_source():
    sources = [source("a", 1), source("b", 2), source("c", 3, images=20)]
    others = [stacked([other.data for other in sources if other is not each]) for each in sources]
    each_p = [fit_ood(data, "E,S").judge(left.data).p_false_alarm for data, left in zip(others, sources, strict=True)]
    p = np.concatenate(each_p)
    least = least_p_of_objects(sources, OodVerdict(p, np.zeros(len(p), bool)))
    assert SourceFit("E,S", 0.9)(sources).discard_above == pytest.approx(discard_threshold(least, 0.9), abs=1e-5)


def test_one_source_is_judged_by_folds_over_its_images():
    one = source("a", 1)
    verdict = cross_validated(one.data, "E,S", folds=5)
    expected = discard_threshold(least_p_of_objects([one], verdict), 0.9)
    assert SourceFit("E,S", 0.9)([one]).discard_above == expected
    with pytest.raises(MetaModelError, match="objects are found in 1 image; to choose the threshold that keeps 90 %"):
        SourceFit("E,S", 0.9)([source("a", 1, images=1)])


def test_several_thresholds_of_one_source_share_their_images():
    at = Source("a", (drawn(1, threshold=0.5), drawn(2, threshold=0.3), drawn(3, threshold=0.7)))
    assert len(at.data) == 3 * 60
    assert len(at.data.images) == 12
    model = FIT([at, source("b", 4, threshold=0.5)])
    assert (model.threshold, model.thresholds) == (0.5, (0.3, 0.7))
    assert model.summary["images"] == 24
    assert len(leave_source_out([at, source("b", 4)], FIT)) == 4


def row(**changes):
    plain = LeftOut("s", 0.7, 200, 3, 0.8, 110, 90, 40, 10, 11)
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (row(), ""),
        (row(missed_after=12), ""),
        (row(missed_after=13), r"3 of 100 objects found are lost \(at most 2 %\)"),
        (row(alarms_after=90), "100 errors without the meta classifier, 101 with it"),
        (row(alarms_after=90, missed_after=10), ""),
        (row(objects=11, missed_after=11), "1 of 1 objects found are lost, of so few one is already too many"),
        (row(objects=10), ""),
        (row(failed="no"), "s: not judged: no"),
    ],
)
def test_what_is_worse_than_no_classifier(found, words):
    import re

    assert re.search(words, found.worse) if words else not found.worse
    assert found.better == (not words and found.alarms_after < 90)


def test_a_source_with_one_object_is_judged_and_one_that_alone_has_objects_is_said():
    single = Source("single", (drawn(5, images=1, alarms=30),))
    bare = Source("bare", (drawn(6, objects=0),))
    rows = leave_source_out([source("a", 1), single, bare], SourceFit("E,S", 0.9))
    assert "objects are found in 1 image; to choose the threshold that keeps 90 %" in rows[0].worse
    assert [r.objects for r in rows[1:]] == [1, 0]
    assert rows[1].lost in (0.0, 1.0)
    assert bool(rows[1].worse) == (rows[1].lost == 1.0)
    assert math.isnan(rows[2].auroc)
    assert rows[2].lost == 0.0
    alone = leave_source_out([source("a", 1), bare], FIT)
    assert "fitted on the others: 48 of 48 OoD segments are false alarms" in alone[0].worse
    assert not leave_source_out([source("a", 1), single, bare], FIT)[0].failed, "without --keep it is a fit"


def test_too_few_sources_and_foreign_ones_are_refused():
    with pytest.raises(MetaModelError, match="takes at least two"):
        leave_source_out([source("a", 1)], FIT)
    with pytest.raises(MetaModelError, match="differ in their network"):
        stacked([drawn().data, replace(drawn().data, network="other")])
    with pytest.raises(MetaModelError, match="no OoD segments to stack"):
        stacked([])
