"""How fast a vehicle may go by the trust state: without ROS."""

import pytest

from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.node.speed_rule import SpeedRule, TrustWatch, level_of
from trust_seg_ros.trust_state.reasons import Level


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def watch(now):
    return TrustWatch(["front", "rear"], 0.5, lambda: now[0])


def test_the_worst_of_several_states_counts(watch):
    watch.heard("front", 0, "fine")
    watch.heard("rear", 1, "blurred")
    assert watch.look() == (Level.DEGRADED, "rear: blurred")
    watch.heard("front", 2, "frozen")
    assert watch.look() == (Level.UNTRUSTED, "front: frozen")
    watch.heard("front", 0, "fine")
    watch.heard("rear", 0, "fine")
    assert watch.look()[0] == Level.NOMINAL


def test_silence_is_untrusted(watch, now):
    assert watch.look() == (Level.UNTRUSTED, "front: no message yet")
    watch.heard("front", 0, "fine")
    assert watch.look() == (Level.UNTRUSTED, "rear: no message yet")
    watch.heard("rear", 0, "fine")
    now[0] += 0.5
    assert watch.look()[0] == Level.NOMINAL
    now[0] += 0.01
    watch.heard("rear", 0, "fine")
    assert watch.look() == (Level.UNTRUSTED, "front: no message for 0.5 s")


@pytest.mark.parametrize(("number", "level"), [(0, Level.NOMINAL), (1, Level.DEGRADED), (2, Level.UNTRUSTED),
                                               (3, Level.UNTRUSTED), (255, Level.UNTRUSTED)])  # fmt: skip
def test_stale_and_unknown_levels_are_untrusted(number, level):
    assert level_of(number) is level


def test_no_state_is_ever_without_a_limit():
    """To Nav2 a limit of 0 is none: the controllers go back to full speed."""
    rule = SpeedRule(40.0, 0.01)
    assert [rule.percent(level) for level in Level] == [100.0, 40.0, 0.01]
    assert min(rule.percent(level) for level in Level) > 0


@pytest.mark.parametrize(
    ("values", "words"),
    [((50, 0), "to Nav2, 0 is no limit"), ((50, 60), "untrusted_percent <= degraded_percent"), ((101, 1), "<= 100"),
     ((float("nan"), 1), "expected 0.01"), ((50, 1, 0), "silence_s is 0"), ((50, 1, 1e9), "at most 60 seconds")],
)  # fmt: skip
def test_rules_that_would_not_slow_down_are_refused(values, words):
    with pytest.raises(ParameterError, match=words):
        SpeedRule(*values)
