"""Evidence over time: the stated filter, what it forgets, and its state."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.thresholds.calm import LEAST_P, CalmError, CalmSettings, Evidence, EvidenceState
from trust_seg_ros.types import SegmentTracks

S = 1_000_000_000


def tracks(ids, stamp_ns):
    n = len(ids)
    return SegmentTracks(
        np.array(ids, np.int64), np.ones(n, np.int32), np.full(n, stamp_ns), np.zeros((n, 2)), np.zeros(n), stamp_ns
    )


def logit(p):
    p = min(max(p, LEAST_P), 1 - LEAST_P)
    return math.log(p / (1 - p))


def run(frames, tau_s=0.5, evidence=None):
    """(stamp in s, {track: p}) -> the probabilities over time of every frame."""
    evidence = evidence or Evidence()
    found = []
    for stamp, values in frames:
        seen = tracks(list(values), int(stamp * S))
        p, _ = evidence.update(seen, np.array(list(values.values()), float), tau_s)
        evidence.remember(np.zeros(len(p), bool), np.arange(1, 100))
        found.append(dict(zip(values, p.tolist(), strict=True)))
    return found


@given(st.lists(st.tuples(st.floats(0.01, 2.0), st.floats(0.0, 1.0)), min_size=1, max_size=12), st.floats(0.05, 5.0))
def test_it_is_the_stated_filter(steps, tau_s):
    stamps = 10.0 + np.round(np.cumsum([step for step, _ in steps]), 6)
    found = run([(at, {7: p}) for at, (_, p) in zip(stamps, steps, strict=True)], tau_s)
    level = logit(steps[0][1])
    assert found[0][7] == steps[0][1], "the first frame counts as it is"
    for k in range(1, len(steps)):
        kept = math.exp(-(int(stamps[k] * S) - int(stamps[k - 1] * S)) / S / tau_s)
        level = kept * level + (1 - kept) * logit(steps[k][1])
        assert found[k][7] == pytest.approx(1 / (1 + math.exp(-level)), abs=1e-12)


def test_two_half_steps_forget_as_much_as_one():
    one = run([(1.0, {1: 0.9}), (2.0, {1: 0.2})])
    two = run([(1.0, {1: 0.9}), (1.5, {1: 0.2}), (2.0, {1: 0.2})])
    assert one[-1][1] == pytest.approx(two[-1][1])


def test_a_wrong_frame_does_not_turn_a_verdict_and_a_lasting_change_does():
    frames = [(1 + 0.1 * k, {1: 0.05}) for k in range(10)] + [(2.0, {1: 0.9})]
    assert run(frames)[-1][1] < 0.2
    assert run(frames + [(2.1 + 0.1 * k, {1: 0.9}) for k in range(10)])[-1][1] > 0.5


def test_tracks_do_not_mix_and_a_gap_forgets_by_its_length():
    found = run([(1.0, {1: 0.9, 2: 0.1}), (1.1, {2: 0.1}), (6.0, {1: 0.1, 2: 0.9})])
    assert found[1][2] == pytest.approx(0.1)
    assert found[2][1] == pytest.approx(0.1, abs=1e-3), "after ten time constants only the newest frame counts"
    assert found[2][2] == pytest.approx(0.9, abs=1e-3)


def test_nothing_is_remembered_without_stamps_or_a_time_constant():
    assert run([(0.0, {1: 0.9}), (0.0, {1: 0.1})])[1][1] == 0.1
    assert run([(1.0, {1: 0.9}), (1.1, {1: 1.0})], tau_s=0.0)[1][1] == 1.0


def test_equal_stamps_add_nothing_and_nan_neither():
    assert run([(1.0, {1: 0.9}), (1.0, {1: 0.1})])[1][1] == pytest.approx(0.9)
    found = run([(1.0, {1: 0.9, 2: math.nan}), (1.1, {1: math.nan, 2: 0.3})])
    assert math.isnan(found[0][2])
    assert found[1] == {1: pytest.approx(0.9), 2: 0.3}


def test_tracks_without_a_number_and_dead_ones_are_not_remembered():
    evidence = Evidence()
    seen = tracks([0, 0, 4, 5], S)
    evidence.update(seen, np.full(4, 0.5), 1.0)
    evidence.remember(np.array([True, True, True, False]), np.array([4]))
    assert evidence.state().ids.tolist() == [4]
    _, flagged = evidence.update(tracks([0, 4, 5], 2 * S), np.full(3, 0.5), 1.0)
    assert flagged.tolist() == [False, True, False]


def test_a_state_goes_on_where_it_was_left():
    frames = [(1 + 0.1 * k, {1: 0.1 * k, 2: 0.9 - 0.1 * k}) for k in range(8)]
    first, second = Evidence(), Evidence()
    run(frames[:4], evidence=first)
    second.load_state(EvidenceState.from_json(json.loads(json.dumps(first.state().to_json()))))
    assert run(frames[4:], evidence=second) == run(frames)[4:]
    with pytest.raises(CalmError, match="state of calm flags"):
        EvidenceState.from_json({"ids": 3})


@pytest.mark.parametrize(
    "wrong", [{"tau_s": -1.0}, {"tau_s": math.nan}, {"hysteresis": 1.0}, {"confirm_s": 61.0}, {"confirm_s": math.inf}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(CalmError, match=rf"calm.{next(iter(wrong))} = "):
        CalmSettings(**wrong)
