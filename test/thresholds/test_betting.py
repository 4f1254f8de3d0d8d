"""Bets against the reference, and how long frames stay alike."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.thresholds.betting import MOST_Z, Bets, Pace, log_bet
from trust_seg_ros.thresholds.shift_statistic import ShiftReference


def test_bets_are_fair():
    """Their mean over uniform p-values is 1, by the midpoint rule in ln p."""
    edges = np.linspace(-700.0, 0.0, 400_001)
    middle, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    total = sum(math.exp(log_bet(math.exp(x)) + x) for x in middle) * width
    assert total + 1.0 / 700.0 == pytest.approx(1.0, abs=1e-3)  # the rest of the tail, 1 / -ln p


@given(st.floats(1e-300, 1.0), st.floats(1e-300, 1.0))
def test_less_likely_frames_pay_more(a, b):
    low, high = sorted((a, b))
    assert log_bet(low) >= log_bet(high) - 1e-9
    assert log_bet(high) >= math.log(0.5) - 1e-9


def test_the_formula_is_that_of_the_mixture():
    k = (np.arange(100_000) + 0.5) / 100_000
    for p in (0.9995, 0.99, 0.5, 0.01, 1e-6):
        assert log_bet(p) == pytest.approx(math.log(np.mean(k * p ** (k - 1))), abs=1e-3)


def test_a_reference_that_counts_for_little_pays_little():
    rng = np.random.default_rng(0)
    places = rng.standard_normal(300)
    clip = np.repeat(rng.standard_normal(30), 10) + 0.01 * rng.standard_normal(300)
    bets = [Bets(ShiftReference(values)) for values in (places, clip)]
    paid = [b.log_bet(5.0) for b in bets]
    assert paid[0] > 4.0
    assert paid[1] < paid[0] / 2
    for b in bets:
        assert b.log_bet(b.score(1e9)) <= log_bet(math.erfc(MOST_Z / math.sqrt(2)))
        assert b.log_bet(float(np.mean(b.reference.normal_scores(b.reference.means)))) == pytest.approx(math.log(0.5))


def test_images_of_the_kind_of_the_reference_lose_money():
    """For nearly every reference, which is what a whole drive needs."""
    rng, kept = np.random.default_rng(1), []
    for _ in range(100):
        bets = Bets(ShiftReference(rng.standard_normal(40)))
        kept.append(np.mean([math.exp(bets.log_bet(bets.score(x))) for x in rng.standard_normal(1000)]))
    assert np.mean(np.array(kept) <= 1.0) >= 0.9


def paced(scores, dt=0.1):
    pace = Pace()
    for score in scores:
        pace.add(float(score), dt)
    return pace.alike_s(1.0)


def test_how_long_frames_stay_alike():
    rng = np.random.default_rng(3)
    assert paced(rng.standard_normal(6000)) < 12.0
    scenes = np.repeat(rng.standard_normal(60), 100)  # of 10 s
    assert 5.0 < paced(scenes) < 40.0
    assert paced(np.zeros(6000)) >= 120.0, "a parked car"
    assert paced([]) == 0.0


def test_spans_are_counted_in_seconds_whatever_the_frame_rate():
    slow = np.repeat(np.random.default_rng(4).standard_normal(300), 2)  # 20 s
    assert 10.0 <= paced(slow, dt=10.0) <= 80.0
