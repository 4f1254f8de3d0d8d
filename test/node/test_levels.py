from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.node.levels import ERROR, LONGEST_HOLD_S, OK, WARN, Finding, Steady

HOLD_S = 15.0


def failed(level=ERROR, text="lost"):
    return Finding("failed", level, text)


def test_a_level_rises_at_once_and_is_held_with_its_reason():
    steady = Steady()
    assert steady.judge([], "fine", 0.0, HOLD_S) == (OK, "fine")
    assert steady.judge([failed()], "fine", 1.0, HOLD_S) == (ERROR, "lost")
    assert steady.judge([], "fine", 9.0, HOLD_S) == (ERROR, "fine; 8 s ago: lost")
    assert steady.judge([], "fine", 16.1, HOLD_S) == (OK, "fine")


def test_what_ends_for_good_is_not_held():
    steady = Steady()
    steady.judge([Finding("no publisher", WARN, "none", held=False)], "fine", 0.0, HOLD_S)
    assert steady.judge([], "fine", 1.0, HOLD_S) == (OK, "fine")


def test_the_worst_stands_first_and_of_one_kind_only_the_worst_is_remembered():
    steady = Steady()
    other = Finding("late", WARN, "old")
    assert steady.judge([other, failed()], "fine", 0.0, HOLD_S) == (ERROR, "lost; old")
    assert steady.judge([failed(WARN, "a few")], "fine", 3.0, HOLD_S) == (ERROR, "a few; 3 s ago: lost; 3 s ago: old")
    assert steady.judge([], "fine", 6.0, HOLD_S) == (ERROR, "fine; 6 s ago: lost; 6 s ago: old")
    assert steady.judge([], "fine", 15.5, HOLD_S) == (WARN, "fine; 12 s ago: a few")


def test_what_comes_and_goes_is_told_as_if_it_were_there_all_the_time():
    steady = Steady()
    said = {steady.judge([failed()] if now % 2 == 0 else [], "fine", now * 0.2, HOLD_S) for now in range(50)}
    assert said == {(ERROR, "lost")}


def test_clearing_forgets_everything():
    steady = Steady()
    steady.judge([failed()], "fine", 0.0, HOLD_S)
    steady.clear()
    assert steady.judge([], "fine", 1.0, HOLD_S) == (OK, "fine")


def changes(level_at, until):
    """(time, level) of every change of level at looks of one a second; ``level_at``: what is found at a time."""
    steady, found, before = Steady(), [], OK
    for now in range(until):
        level = level_at(float(now))
        said = steady.judge([] if level == OK else [failed(level)], "fine", float(now), HOLD_S)[0]
        if said != before:
            found.append((now, said))
        before = said
    return found


@given(st.integers(1, 15), st.data())
def test_a_fault_that_returns_within_the_hold_never_comes_down(period, data):
    lasts = data.draw(st.integers(1, period))
    phase = data.draw(st.integers(0, period))
    found = changes(lambda now: ERROR if (now + phase) % period < lasts else OK, 200)
    assert len(found) == 1


@given(st.integers(16, 59), st.data())
def test_a_rarer_one_soon_has_one_level_too(period, data):
    lasts = data.draw(st.integers(1, period))
    found = changes(lambda now: ERROR if now % period < lasts else OK, 1000)
    assert len(found) <= 5, "held for 15, 30, 60 seconds"
    assert all(now < 4 * period for now, _ in found)


@given(st.lists(st.sampled_from([OK, WARN, ERROR]), min_size=30, max_size=300))
def test_whatever_is_found_no_level_comes_down_sooner_than_its_hold_nor_stays_below_what_is_found(found):
    steady, raised = Steady(), -HOLD_S
    before = OK
    for now, level in enumerate(found):
        said = steady.judge([] if level == OK else [failed(level)], "fine", float(now), HOLD_S)[0]
        assert said >= level
        if level >= before and level > OK:
            raised = now
        if said < before:
            assert now - raised > HOLD_S
        before = said
    for later in range(len(found), len(found) + int(LONGEST_HOLD_S) + 2):
        said = steady.judge([], "fine", float(later), HOLD_S)[0]
    assert said == OK
