"""The test of the shift monitor: by hand, its false alarms on independent and on autocorrelated frames, its power."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats
from scipy.signal import lfilter

from trust_seg_ros.thresholds.shift_statistic import ShiftError, ShiftReference, mean_variance_limit


def drive(rng, frames, tau_s, noise=0.0, dt=0.1):
    """Standard normal frame means with the correlation time tau_s; a share of their variance is independent noise."""
    rho = math.exp(-dt / tau_s) if tau_s else 0.0
    step = rng.standard_normal(frames)
    step[1:] *= math.sqrt(1 - rho * rho)
    slow = lfilter([1.0], [1.0, -rho], step)
    return math.sqrt(1 - noise) * slow + math.sqrt(noise) * rng.standard_normal(frames)


def alarms(rng, level, tau_s, noise=0.0, shape=lambda x: x, shift=0.0, images=100, independent=5, n=(60, 5)):
    """Share of 30 s windows, at 10 Hz, with p < level; some windows for each of some references."""
    fired = []
    for _ in range(n[0]):
        reference = ShiftReference(shape(rng.standard_normal(images)))
        windows = [shape(drive(rng, 300, tau_s, noise) + shift) for _ in range(n[1])]
        fired += [reference.compare(window, independent).p_value < level for window in windows]
    return float(np.mean(fired))


def test_normal_scores_of_a_hand_worked_reference():
    means = np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])  # 0.2 twice
    reference = ShiftReference(means)
    z = stats.norm.ppf((np.arange(10) + 0.5) / 10)
    assert np.allclose(reference.normal_scores([0.1, 0.2, 0.3, 0.9]), [z[0], (z[1] + z[2]) / 2, z[3], z[9]])
    assert reference.normal_scores(0.25) == pytest.approx(((z[1] + z[2]) / 2 + z[3]) / 2)
    low, high = (z[2] - z[0]) / 0.1, (z[9] - z[7]) / 0.2  # over a quarter of the images
    assert np.allclose(reference.normal_scores([0.0, 1.4]), [z[0] - 0.1 * low, z[9] + 0.5 * high])
    assert reference.mean == pytest.approx(0.47)
    assert reference.std == pytest.approx(means.std(ddof=1))


def test_a_hand_worked_window():
    reference = ShiftReference(np.arange(20.0) % 7)
    window = np.array([5.5, 6.5, 7.0, 9.0])
    g, v = reference.normal_scores(window), reference.normal_scores(reference.means).var()
    v *= reference.effective / (reference.effective - 1)
    found = reference.compare(window, independent=3)
    spread = max(1 - g.var() / v, 1 / 3)
    t = g.mean() / math.sqrt(v * (spread + 1 / reference.effective))
    assert found.statistic == pytest.approx(t)
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, min(3, reference.effective) - 1))
    assert found.effective == pytest.approx(1 / spread)
    assert found.difference == pytest.approx((7.0 - reference.mean) / reference.std)
    mirrored = ShiftReference(-reference.means).compare(-window, independent=3)
    assert mirrored.statistic == pytest.approx(-t)
    assert mirrored.p_value == pytest.approx(found.p_value)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 100_000), m=st.integers(10, 60))
def test_normal_scores_rise_and_are_finite(seed, m):
    rng = np.random.default_rng(seed)
    means = rng.choice([rng.random(m), np.exp(3 * rng.normal(size=m)), rng.integers(0, 3, m) / 7, 1e6 + rng.random(m)])
    means[:2] = means.min(), means.min() + 1.0
    reference = ShiftReference(np.sort(means))
    x = np.sort(np.concatenate([means, rng.normal(means.mean(), 5 * means.std(), 50)]))
    scores = reference.normal_scores(x)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) >= -1e-9).all()
    found = reference.compare(x)
    assert 0.0 <= found.p_value <= 1.0
    assert 1.0 <= found.effective <= 5.0 + 1e-9
    assert reference.compare(np.full(3, means.max() + 50 * means.std())).difference > 0


def test_a_hand_worked_limit():
    """Twelve values: two sums of squares, of six pairs and of the values themselves."""
    values = np.array([1.0, 3.0, 2.0, 4.0, 5.0, 9.0, 4.0, 0.0, 1.0, 1.0, 2.0, 4.0])
    pairs = np.array([2.0, 3.0, 7.0, 2.0, 1.0, 3.0])
    by_hand = [((x - 3.0) ** 2).sum() / len(x) / stats.chi2.ppf(0.01, len(x) - 1) for x in (pairs, values)]
    assert mean_variance_limit(values) == pytest.approx(max(by_hand))
    assert mean_variance_limit(np.append(99.0, values)) == pytest.approx(max(by_hand))  # what is left over is oldest


@pytest.mark.parametrize("tau_s", [0.0, 1.0, 3.0])
def test_the_limit_is_seldom_below_the_variance_of_the_mean(tau_s):
    rng = np.random.default_rng(0)
    series = np.array([drive(rng, 1000, tau_s) for _ in range(400)])
    true = float(np.mean(series.mean(axis=1) ** 2))
    below = np.mean([mean_variance_limit(values) < true for values in series])
    assert below <= 0.04  # 1 % as long as blocks are independent


def test_independent_images_of_a_reference():
    rng = np.random.default_rng(0)
    loose = [ShiftReference(rng.standard_normal(400)).effective for _ in range(50)]
    assert 30 < np.median(loose) < 400  # a limit, so below the true number
    for tau_s in (0.5, 2.0):
        rho = math.exp(-0.1 / tau_s)
        found = [ShiftReference(drive(rng, 2000, tau_s)).effective for _ in range(50)]
        assert 0.1 < np.median(found) / (2000 * (1 - rho) / (1 + rho)) < 1.0
    slow = drive(rng, 100, 5.0)
    assert ShiftReference(np.sort(slow)).effective == 100  # their order is not known


def test_a_reference_of_one_scene_is_refused():
    rng = np.random.default_rng(0)
    clip = np.linspace(0.0, 1.0, 101)[::-1] + 0.01 * rng.standard_normal(101)
    with pytest.raises(ShiftError, match=r"101 images are so much alike \(one clip\?\).*count for 1\.\d.*more places"):
        ShiftReference(clip)
    assert ShiftReference(rng.permutation(clip)).effective > 5


@pytest.mark.parametrize(("tau_s", "noise"), [(0, 0), (1, 0), (10, 0), (30, 0), (300, 0), (20, 0.5), (100, 0.8)])
def test_false_alarms_stay_below_the_level_however_the_frames_hang_together(tau_s, noise):
    found = alarms(np.random.default_rng(1), 0.05, tau_s, noise)
    assert found <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_false_alarms_of_a_skewed_score():
    for tau_s in (1, 10, 100):
        assert alarms(np.random.default_rng(2), 0.05, tau_s, shape=np.exp) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize("tau_s", [0.5, 1.0, 3.0, 6.0])
@pytest.mark.parametrize("shape", [lambda x: x, lambda x: stats.t.ppf(stats.norm.cdf(x), 3)], ids=["normal", "t3"])
def test_false_alarms_stay_below_the_level_if_the_reference_is_one_clip(tau_s, shape):
    """200 images at 1 Hz whose neighbours are as much alike as the frames of the drive (0 to 60 s at 10 Hz)."""
    rng, level, fired = np.random.default_rng(7), 0.05, []
    for _ in range(100):
        try:
            reference = ShiftReference(shape(drive(rng, 200, 10 * tau_s, dt=1.0)))
        except ShiftError:
            fired.append(0.0)
            continue
        windows = [shape(drive(rng, 300, 10 * tau_s)) for _ in range(4)]
        fired.append(np.mean([reference.compare(window).p_value < level for window in windows]))
    assert np.mean(fired) <= level + 2 * np.std(fired) / 10


def test_a_test_for_independent_frames_would_raise_false_alarms_all_the_time():
    rng, fired = np.random.default_rng(3), []
    for _ in range(100):
        reference, window = rng.standard_normal(100), drive(rng, 300, 10.0)
        fired.append(stats.ks_2samp(window, reference).pvalue < 0.05)
    assert np.mean(fired) > 0.5


def test_shifts_are_seen():
    rng = np.random.default_rng(4)
    assert alarms(rng, 0.01, 1.0, shift=5.0, n=(20, 5)) > 0.9
    assert alarms(rng, 0.01, 1.0, shift=-5.0, n=(20, 5)) > 0.9
    assert alarms(rng, 0.01, 300.0, shift=8.0, n=(20, 5)) > 0.85  # one scene for the whole window
    drives = {"tau_s": 0.5, "shift": 1.5, "images": 300, "n": (20, 5)}
    few, many = (alarms(np.random.default_rng(5), 0.01, independent=c, **drives) for c in (5, 30))
    assert many > few + 0.3  # of frames that differ, more may count


def test_references_that_cannot_be_used():
    with pytest.raises(ShiftError, match=r"9 finite frame means of 9; expected at least 10"):
        ShiftReference(np.arange(9.0))
    with pytest.raises(ShiftError, match=r"0\.25 in each of 12 images"):
        ShiftReference(np.full(12, 0.25))
    with pytest.raises(ShiftError, match="11 finite frame means of 12"):
        ShiftReference(np.append(np.arange(11.0), np.nan))
    assert len(ShiftReference.from_means([*range(11), math.nan, math.inf]).means) == 11
