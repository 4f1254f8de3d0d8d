"""OoD segments of a recording, followed and measured with their past, and a judge fitted on them."""

import numpy as np
import pytest
import torch

from trust_seg_ros.fitting.ood_fit import fit_ood, stacked
from trust_seg_ros.fitting.ood_over_time import OodFrame, ood_over_time
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.ood import load_ood_model
from trust_seg_ros.segments.history import TimeWindow, time_names
from trust_seg_ros.types import LogitMaps

SIZE, SECOND = (48, 64), 10**9
WINDOW = TimeWindow(0.5, rate_hz=(10.0, 10.0))
CLASSES = ("a", "b", "c")


def recording(seed, frames=12, known=lambda k: True):
    """An unknown object that stays, and flashes that last a frame, in a picture of class 0 and 1."""
    rng = np.random.default_rng(seed)
    for k in range(frames):
        logits = rng.normal(0, 0.3, (3, *SIZE)).astype(np.float32)
        logits[0, :24] += 6
        logits[1, 24:] += 6
        unknown = np.zeros(SIZE, bool)
        unknown[8:20, 5 + k : 19 + k] = True
        row, column = rng.integers(26, 36), rng.integers(0, 48)
        for place in (np.s_[8:20, 5 + k : 19 + k], np.s_[row : row + 10, column : column + 12]):
            logits[(slice(None), *place)] = rng.normal(0, 0.3, logits[(slice(None), *place)].shape)
        yield OodFrame(
            LogitMaps(torch.from_numpy(logits), SIZE), SECOND + k * SECOND // 10, unknown if known(k) else None
        )


def data(seed, **more):
    return ood_over_time(recording(seed, **more), CLASSES, "entropy", 0.6, WINDOW, name=f"r{seed}", min_size=40)


def test_the_object_has_a_past_and_flashes_have_none():
    found = data(0)
    rows, alarm = found.metrics[:, found.names.index("time.rows")], found.false_alarm
    assert (~alarm).sum() == 12
    assert rows[~alarm].tolist() == [0, 1, 2, *[3] * 9]
    assert np.median(rows[alarm]) == 0
    base = found.names[: -len(time_names(())) - 3 * ((len(found.names) - 3) // 4)]
    assert found.names == (*base, *time_names(base))


def test_frames_without_truth_are_followed_and_give_no_rows():
    whole, some = data(0), data(0, known=lambda k: k % 4 == 3)
    kept = [row.tolist() for row in some.metrics]
    assert 3 <= len(kept) < len(whole)
    assert all(row in whole.metrics.tolist() for row in kept)


def test_a_judge_that_looks_back_discards_what_lasts_a_frame(tmp_path):
    parts = [data(seed) for seed in range(12)]
    fitted, judged = stacked(parts[:8]), stacked(parts[8:])
    later = fit_ood(fitted, "time.rows,time.age_s,S_area,time.std.E", classifier="ridge")
    assert later.time == WINDOW
    later.save(tmp_path / "m.json")
    p_ood = load_ood_model(tmp_path / "m.json").p_ood(judged)
    old = judged.metrics[:, judged.names.index("time.rows")] > 0
    object_ = ~judged.false_alarm
    assert p_ood[object_ & old].min() > np.quantile(p_ood[~object_], 0.9)


def test_recordings_of_other_windows_are_not_stacked_and_empty_ones_are_refused():
    other = ood_over_time(recording(1), CLASSES, "entropy", 0.6, TimeWindow(1.0), min_size=40)
    with pytest.raises(MetaModelError, match="differ in their time"):
        stacked([data(0), other])
    with pytest.raises(MetaModelError, match=r"nothing: no OoD segment of 40 pixels where entropy is at least 0\.999"):
        ood_over_time(recording(0), CLASSES, "entropy", 0.9999, WINDOW, name="nothing", min_size=40)
    with pytest.raises(MetaModelError, match="no OoD segment"):
        ood_over_time([], CLASSES, "entropy", 0.6, WINDOW)
