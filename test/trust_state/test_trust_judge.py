"""Levels rise at once, fall after their time, and say since when they are."""

import pytest

from trust_seg_ros.trust_state.image_checks import ImageFault
from trust_seg_ros.trust_state.reasons import REASONS, ROWS, Level
from trust_seg_ros.trust_state.state import Found, TrustJudge
from trust_seg_ros.trust_state.streaks import Streaks


def test_without_a_reason_it_is_nominal():
    state = TrustJudge().look([], 5.0)
    assert (state.level, state.reasons, state.since) == (Level.NOMINAL, (), 5.0)
    assert state.message == "NOMINAL: nothing is wrong"


def test_the_worst_reason_decides_and_comes_first():
    state = TrustJudge().look([Found("settings", "a typo"), Found("blurred", "soft"), Found("dark", "black")], 0.0)
    assert state.level == Level.UNTRUSTED
    assert state.reasons == ("dark", "blurred", "settings")
    assert state.message == "UNTRUSTED: black; soft; a typo"


def test_a_reason_stays_for_its_time_and_the_level_tells_since_when():
    judge, hold = TrustJudge(), REASONS["dark"].hold_s
    judge.look([], 0.0)
    assert judge.look([Found("dark", "black")], 1.0).since == 1.0
    held = judge.look([], 1.0 + hold)
    assert (held.level, held.since) == (Level.UNTRUSTED, 1.0)
    over = judge.look([], 1.1 + hold)
    assert (over.level, over.since) == (Level.NOMINAL, 1.1 + hold)


def test_a_worse_level_is_held_against_a_milder_one():
    judge, hold = TrustJudge(), REASONS["blurred"].hold_s
    judge.look([Found("blurred", "hardly anything left", worst=True)], 0.0)
    assert judge.look([Found("blurred", "soft")], 0.5).level == Level.UNTRUSTED
    assert judge.look([Found("blurred", "soft")], hold + 0.1).level == Level.DEGRADED


def test_reasons_without_a_hold_go_at_once():
    judge = TrustJudge()
    assert judge.look([Found("inactive", "no")], 0.0).reasons == ("inactive",)
    assert judge.look([], 0.01).reasons == ()


def test_slow_cameras_and_a_longer_hold_keep_reasons_of_images_longer():
    judge = TrustJudge(hold=3.0)
    judge.look([Found("dark", "black"), Found("slow", "overdue")], 0.0)
    assert judge.look([], 5.9).reasons == ("dark",)
    judge = TrustJudge()
    judge.look([Found("dark", "black"), Found("slow", "overdue")], 0.0)
    assert judge.look([], 9.0, least_hold_s=10.0).reasons == ("dark",), "two periods of a camera of 0.2 Hz"


def test_ignored_reasons_do_not_count():
    judge = TrustJudge(ignore=("dark",))
    assert judge.look([Found("dark", "black")], 0.0).level == Level.NOMINAL


def test_an_unknown_reason_is_a_mistake():
    with pytest.raises(KeyError):
        TrustJudge().look([Found("gloomy", "no")], 0.0)


def test_clearing_forgets_reasons():
    judge = TrustJudge()
    judge.look([Found("dark", "black")], 0.0)
    judge.clear()
    assert judge.look([], 0.1).level == Level.NOMINAL


def test_images_count_once_enough_in_a_row_show_a_fault():
    streaks, soft = Streaks(), ImageFault("blurred", "soft", False)
    assert streaks.see([soft], 0.0) == streaks.see([soft], 0.1) == ()
    assert streaks.see([], 0.2) == ()
    assert streaks.see([soft], 0.3) == streaks.see([soft], 0.4) == ()
    assert streaks.see([soft], 0.5) == (soft,)


def test_a_fault_is_useless_once_enough_in_a_row_were():
    streaks, soft, gone = Streaks(), ImageFault("blurred", "soft", False), ImageFault("blurred", "gone", True)
    for fault in (soft, soft, gone, gone):
        found = streaks.see([fault], 0.0)
    assert [one.useless for one in found] == [False]
    assert [one.useless for one in streaks.see([gone], 0.0)] == [True]


def test_a_cover_must_last():
    streaks, cover = Streaks(), ImageFault("covered", "mud", True)
    found = [streaks.see([cover], 0.1 * k) for k in range(12)]
    assert [bool(one) for one in found] == [False] * 10 + [True] * 2


def test_keys_are_words_and_rows_are_whole():
    assert len(REASONS) == len(ROWS)
    for row in ROWS:
        assert row.key.replace("_", "").isalpha()
        assert row.key.islower()
        assert row.levels
        assert list(row.levels) == sorted(row.levels)
        assert row.level > Level.NOMINAL
        assert row.hold_s >= 0.0
