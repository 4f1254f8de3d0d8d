"""The scale that feedback moves a threshold on: no unit, and both of its ends mean all and nothing."""

import math

import numpy as np
import pytest

from trust_seg_ros.thresholds.curves import RecallCurve
from trust_seg_ros.thresholds.policies import Curves, CurvesNeededError
from trust_seg_ros.thresholds.score_scale import ScoreScale

ENERGY = Curves(RecallCurve(np.array([-math.inf, -12.0, -9.0, -4.0]), np.array([1.0, 0.9, 0.5, 0.1]), 100))


@pytest.mark.parametrize("score", ["entropy", "margin", "variation_ratio", "mc_dropout (mean_entropy)"])
def test_scores_from_0_to_1_need_no_calibration(score):
    scale = ScoreScale.of(score, None)
    assert scale.threshold(0.3) == pytest.approx(0.09)
    assert scale.position(0.09) == pytest.approx(0.3)


def test_other_scores_move_over_the_thresholds_of_their_calibration():
    scale = ScoreScale.of("energy", ENERGY)
    assert scale.threshold(math.sqrt(0.25)) == pytest.approx(-10.5)
    assert scale.threshold(1e-9) == pytest.approx(-12.0)
    assert scale.position(-4.0) == 1.0


@pytest.mark.parametrize("score", ["entropy", "energy"])
def test_the_ends_flag_everything_and_nothing_and_it_rises_between(score):
    scale = ScoreScale.of(score, ENERGY)
    found = [scale.threshold(position) for position in np.linspace(-0.2, 1.2, 50)]
    assert (found[0], found[-1]) == (-math.inf, math.inf)
    assert found == sorted(found)


@pytest.mark.parametrize(("threshold", "position"), [(-math.inf, 0.0), (math.inf, 1.0), (-1.0, 0.0), (5.0, 1.0)])
def test_a_threshold_beyond_the_scale_is_at_its_end(threshold, position):
    assert ScoreScale.of("entropy", None).position(threshold) == position


def test_a_score_without_limits_or_calibration_is_refused_with_the_way_out():
    with pytest.raises(CurvesNeededError, match=r"energy has no limits.*trust-seg calibrate.*from 0 to 1"):
        ScoreScale.of("energy", None)
