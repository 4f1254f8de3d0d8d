import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meta_segments import segments

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.meta.splits import ARRANGEMENTS, by_drive, by_image, by_segment, fit_on, halves

sizes = {"n": st.integers(40, 200), "images": st.integers(2, 12), "seed": st.integers(0, 1000)}


@given(name=st.sampled_from(sorted(ARRANGEMENTS)), **sizes)
def test_every_run_has_two_sides_without_a_common_segment(name, n, images, seed):
    arrangement = ARRANGEMENTS[name](segments(n, images, seed=seed), 4)
    assert arrangement.runs
    for run in arrangement.runs:
        assert run.fitted.any()
        assert run.judged.any()
        assert (run.fitted ^ run.judged).all()


@given(**sizes)
def test_an_image_is_never_on_both_sides(n, images, seed):
    data = segments(n, images, seed=seed)
    for arrangement in (by_image(data, 4), by_drive(data)):
        for run in arrangement.runs:
            assert not set(data.image[run.fitted]) & set(data.image[run.judged])


@given(**sizes)
def test_half_of_the_images_are_judged(n, images, seed):
    data = segments(n, images, seed=seed)
    there = len(np.unique(data.image))
    for run in by_image(data, 3).runs:
        assert len(np.unique(data.image[run.judged])) == there - there // 2


@given(count=st.integers(1, 5), **sizes)
def test_fewer_images_to_fit_are_judged_by_the_same_half(count, n, images, seed):
    data = segments(n, images, seed=seed)
    half = len(np.unique(data.image)) // 2
    if count > half:
        with pytest.raises(EvaluationError, match=f"{count} images to fit on; expected 1 to {half}"):
            by_image(data, 2, count)
        return
    few = by_image(data, 2, count)
    for run, whole in zip(few.runs, by_image(data, 2).runs, strict=True):
        assert (run.judged == whole.judged).all()
        assert len(np.unique(data.image[run.fitted])) == count
        assert not (run.fitted & ~whole.fitted).any()


def test_runs_differ_and_repeat():
    data = segments()
    for divide in (by_image, by_segment):
        first, again = divide(data, 3), divide(data, 3)
        for a, b in zip(first.runs, again.runs, strict=True):
            assert (a.fitted == b.fitted).all()
        assert (first.runs[0].fitted != first.runs[1].fitted).any()


def test_by_segment_tears_images_apart():
    data = segments(n=4000)
    run = by_segment(data, 1).runs[0]
    assert abs(run.fitted.mean() - 0.5) < 0.04
    assert set(data.image[run.fitted]) == set(data.image[run.judged])


def test_every_drive_is_judged_once():
    data = segments(drives=("x", "y", "z"))
    arrangement = by_drive(data)
    assert [run.name for run in arrangement.runs] == ["drive x", "drive y", "drive z"]
    assert (np.sum([run.judged for run in arrangement.runs], 0) == 1).all()
    of_segment = np.array(data.drives)[data.image]
    assert set(of_segment[arrangement.runs[1].judged]) == {"y"}


def test_fit_on_keeps_the_splits_apart():
    val, test = segments(100, 5, seed=1), segments(60, 5, seed=2)
    arrangement = fit_on(val, test, "val", "test")
    run = arrangement.runs[0]
    assert run.name == "val → test"
    np.testing.assert_array_equal(arrangement.data.iou_adj[run.fitted], val.iou_adj)
    np.testing.assert_array_equal(arrangement.data.iou_adj[run.judged], test.iou_adj)
    assert not set(arrangement.data.image[run.fitted]) & set(arrangement.data.image[run.judged])


@given(units=st.lists(st.integers(0, 9), min_size=2, max_size=60), seed=st.integers(0, 99))
def test_halves_never_tear_a_unit_apart_when_there_are_two(units, seed):
    units = np.array(units)
    half = halves(units, seed)
    assert half.any()
    assert not half.all()
    if len(np.unique(units)) > 1:
        assert not set(units[half]) & set(units[~half])


@pytest.mark.parametrize(
    ("divide", "data", "message"),
    [
        (by_image, segments(images=1), "1 image.s. with a segment; expected two or more"),
        (by_drive, segments(drives=("a",)), "all segments are of drive 'a'; expected two or more. Use by_image"),
        (by_drive, segments(drives=("",)), "the drives are not known"),
        (by_segment, segments(n=1), "1 segment.s. are too few, run 0 left one side empty"),
    ],
)
def test_what_cannot_be_divided_is_refused(divide, data, message):
    with pytest.raises(EvaluationError, match=message):
        divide(data, 2)


def test_an_empty_split_to_fit_on_is_refused():
    data = segments()
    with pytest.raises(EvaluationError, match="val: no segment with an interior"):
        fit_on(data.rows(np.zeros(len(data), bool)), data, "val", "test")
