import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.fitting.short_curves import short, short_recall, short_risk
from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve

SHARES = st.lists(st.integers(0, 2000), min_size=1, max_size=60).map(lambda v: np.sort(v) / 2000)


@given(SHARES, st.floats(0.001, 1.0))
def test_a_short_recall_curve_is_as_strict_or_stricter_by_a_rounding(shares, wanted):
    curve = RecallCurve(np.linspace(0.0, 1.0, len(shares)), shares[::-1], 50)
    found = short_recall(curve).threshold(wanted)
    assert found <= curve.threshold(wanted)
    assert found >= curve.threshold(min(1.0, wanted + 1.01e-5))


@given(SHARES, st.floats(0.02, 0.999))
def test_a_short_risk_curve_is_as_strict_or_stricter_by_a_rounding(shares, alpha):
    curve = RiskCurve(np.linspace(0.0, 1.0, len(shares)), shares, 99)
    found = short_risk(curve).threshold(alpha)
    assert found <= curve.threshold(alpha)
    assert found >= curve.threshold(max(0.011, alpha - 1.01e-5))


def test_thresholds_that_say_nothing_go_and_a_first_one_of_minus_infinity_stays():
    grid = np.linspace(0.0, 1.0, 6)
    assert short_recall(RecallCurve(grid, [1.0, 1.0, 1.0, 0.4, 0.4, 0.0], 9)).thresholds.tolist() == [
        *grid[[0, 2, 4, 5]]
    ]
    endless = RiskCurve(np.append(-np.inf, grid[1:]), [0.25, 0.25, 0.25, 0.5, 0.5, 0.5], 9)
    assert short_risk(endless).thresholds.tolist() == [-np.inf, grid[2], 1.0]
    score = ScoreCalibration(None, RiskCurve(grid, grid, 9), (None,), (0.2, 0.1))
    found = short(Calibration("net", ("a",), scores={"entropy": score}, segments={"p_wrong": score}))
    assert found.scores["entropy"].frame_means == (0.2, 0.1)
    assert found.segments["p_wrong"] == score
    assert found.without_order().scores["entropy"].frame_means == (0.1, 0.2)
