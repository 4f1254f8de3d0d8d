"""Numbers of a frame against what its maps say."""

import math
from dataclasses import replace

import numpy as np
import pytest
from drive_frames import drive_results, made_result
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from trust_frames import but

from trust_seg_ros.recordings.replay.frame_numbers import (
    add_class_sums,
    class_sums,
    frame_numbers,
    frame_table,
    no_class_sums,
)
from trust_seg_ros.recordings.replay.records import FRAME_COLUMNS, ClassSums
from trust_seg_ros.types import GridFrame, ShiftState

CLASSES = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 3, 255])
)


def numbers_of_the_maps(result):
    """From the definitions, pixel by pixel."""
    entropy, ids = result.maps.entropy.numpy(), result.segments.ids
    bad = np.zeros(ids.shape, bool)
    for k in np.flatnonzero(result.trust.unreliable):
        bad |= ids == k + 1
    strange = np.zeros(ids.shape, bool)
    for k in np.flatnonzero(result.ood.kept):
        strange |= result.ood.ids == k + 1
    return {
        "faulty_pixels": int((result.maps.classes.numpy() == 255).sum()),
        "entropy_mean": entropy.mean(dtype=float),
        "score_mean": entropy.mean(dtype=float),
        "flagged_pixels": result.pixel_flags.mean(),
        "segments": ids.max(),
        "unreliable_segments": len(np.unique(ids[bad])),
        "unreliable_pixels": bad.mean(),
        "ood_segments": len(np.unique(result.ood.ids[strange])),
        "ood_pixels": strange.mean(),
    }


def sums_of_the_maps(result, q):
    classes, ids, entropy = result.maps.classes.numpy(), result.segments.ids, result.maps.entropy.numpy()
    sums = {name: np.zeros(q) for name in ClassSums.__dataclass_fields__}
    for c in range(q):
        sums["pixels"][c] = (classes == c).sum()
        sums["entropy"][c] = entropy[classes == c].sum(dtype=float)
        for number in np.unique(ids[classes == c]):
            sums["segments"][c] += 1
            sums["judged"][c] += 1
            size = ((ids == number) & (classes == c)).sum()
            sums["judged_pixels"][c] += size
            sums["unreliable"][c] += result.trust.unreliable[number - 1]
            sums["unreliable_pixels"][c] += size * result.trust.unreliable[number - 1]
            sums["p_wrong"][c] += size * result.trust.p_wrong[number - 1]
            sums["iou"][c] += size * result.trust.iou[number - 1]
    return sums


def check(result, q=11):
    found = frame_numbers(result, result.maps.entropy.numpy())
    for name, value in numbers_of_the_maps(result).items():
        assert found[name] == pytest.approx(value, abs=1e-6), name
    for name, value in sums_of_the_maps(result, q).items():
        assert getattr(class_sums(result, q), name) == pytest.approx(value, rel=1e-6, abs=1e-5), name


@settings(max_examples=60, deadline=None)
@given(CLASSES, st.integers(0, 100))
def test_numbers_are_those_of_the_maps(classes, seed):
    check(made_result(classes, seed=seed))


def test_numbers_of_a_drive():
    names, results = drive_results()
    for result in results:
        check(result, len(names))
    found = frame_numbers(results[0], None)
    assert math.isnan(found["score_mean"])
    assert [found[f"threshold_{name}"] for name in ("pixel", "unreliable", "ood", "ood_meta")] == [0.5, 0.4, 0.4, 0.3]
    assert found["network_ms"] == results[0].timings_ms["network"] > 0
    assert found.keys() <= FRAME_COLUMNS.keys()


def test_the_mean_score_is_over_finite_scores():
    score = np.array([[1.0, np.inf], [3.0, np.nan]], np.float32)
    assert frame_numbers(made_result(np.zeros((2, 2), np.uint8)), score)["score_mean"] == 2.0


def test_what_a_frame_lacks_is_nan():
    full = made_result(np.array([[0, 1, 255]], np.uint8))
    bare = replace(full, on_grid=GridFrame(full.on_grid.maps), thresholds={}, timings_ms={})
    found = frame_numbers(bare, None)
    assert found["segments"] == 0
    assert found["faulty_pixels"] == 1
    assert found["shift_fired"] is False
    assert found["entropy_mean"] == pytest.approx(full.maps.entropy.numpy().mean(), abs=1e-6)
    assert found["shift_of"] == ""
    known = {"segments", "faulty_pixels", "shift_fired", "shift_of", "entropy_mean"}
    assert all(math.isnan(value) for name, value in found.items() if name not in known)
    unjudged = frame_numbers(but(full, trust=None), None)
    assert math.isnan(unjudged["unreliable_segments"]), "nobody judged them, which is not the same as none"
    assert math.isnan(unjudged["unreliable_pixels"])
    assert unjudged["segments"] == 2
    sums = class_sums(but(full, trust=None), 3)
    assert sums.segments.tolist() == [1, 1, 0]
    assert sums.judged.tolist() == sums.p_wrong.tolist() == sums.judged_pixels.tolist() == [0, 0, 0]


def test_the_shift_monitor_is_passed_on():
    result = made_result(np.zeros((2, 2), np.uint8))
    state = ShiftState(True, 30, True, 0.001, "brightness", "brightness of the image", 0.9, 0.4, 0.2)
    found = frame_numbers(replace(result, shift=state, watched={"brightness": 0.95}), None)
    assert (found["shift_statistic"], found["shift_p_value"], found["shift_fired"]) == (2.5, 0.001, True)
    assert (found["shift_of"], found["watched_brightness"]) == ("brightness", 0.95)
    assert math.isnan(found["watched_sharpness"])
    early = frame_numbers(replace(result, shift=replace(state, known=False, fired=False)), None)
    assert math.isnan(early["shift_p_value"])
    assert early["shift_fired"] is False


def test_sums_add_up():
    names, results = drive_results()
    q = len(names)
    total = no_class_sums(q)
    for result in results:
        total = add_class_sums(total, class_sums(result, q))
    assert total.pixels.sum() == sum(int(r.segments.sizes.sum()) for r in results)
    assert total.segments.sum() == sum(len(r.segments) for r in results)
    assert total.p_wrong.sum() == pytest.approx(sum(r.trust.p_wrong @ r.segments.sizes for r in results))


def test_rows_become_columns():
    table = frame_table([{"camera": "/a", "segments": 4}, {"entropy_mean": 0.5, "time_jump": True}])
    assert list(table) == list(FRAME_COLUMNS)
    assert table["camera"].tolist() == ["/a", ""]
    assert table["segments"].tolist() == [4, 0]
    assert table["segments"].dtype == np.int64
    assert table["time_jump"].tolist() == [False, True]
    assert table["entropy_mean"][1] == 0.5
    assert math.isnan(table["entropy_mean"][0])
    assert {len(values) for values in frame_table([]).values()} == {0}
