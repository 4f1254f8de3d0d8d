"""Draws and outcomes of the trust study: against brute force, and the promises of calibrated policies."""

import math

import numpy as np
import pytest

from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.trust import draws
from trust_seg_ros.evaluation.trust.counts import DataCounts
from trust_seg_ros.evaluation.trust.gather import ReliabilityGatherer, ScoreGatherer
from trust_seg_ros.evaluation.trust.grid import score_grid
from trust_seg_ros.evaluation.trust.outcomes import calibrate, judge
from trust_seg_ros.evaluation.trust.policy_words import parse_policies, parse_policy

WORDS = ("fixed:0.5", "quantile:0.8", "otsu", "target_recall:0.9", "conformal:0.2", "conformal:0.01")
POLICIES = {word: parse_policy(word) for word in WORDS}


def scenes(number, seed=0, errors=0.2, shift=0.0):
    """Score and whether it is wrong, of 8x8 pixels of each image; scores of errors are higher."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        wrong = rng.random((8, 8)) < errors * rng.random()
        score = np.clip(rng.random((8, 8)) * 0.6 + wrong * 0.3 - shift * wrong, 0, 1)
        yield score.astype(np.float32), wrong


def data(images, name="test", names=None, drives=None):
    images = list(images)
    edges = score_grid(*(np.concatenate([s[w == k] for s, w in images]) for k in (True, False)))
    gatherer = ScoreGatherer("entropy", edges, 2, tuple(POLICIES.values()))
    for score, wrong in images:
        gatherer.add(score, np.zeros((8, 8), np.uint8), wrong.astype(np.uint8), np.zeros((8, 8), np.uint8))
    names = tuple(names or (f"{k:03}" for k in range(len(images))))
    drives = tuple(drives or ("a" if k % 3 else "b" for k in range(len(images))))
    reliable = ReliabilityGatherer().reliability()
    counts = {"entropy": gatherer.counts()}
    return DataCounts(name, names, drives, np.arange(len(images)), ("x", "y"), counts, reliable, {}, 0.0)


def brute(images, rows, thresholds):
    """Recall, precision, flagged, missed, left of some images, each with its own threshold."""
    parts = [(images[k][0] >= np.float32(t), images[k][1]) for k, t in zip(rows, thresholds, strict=True)]
    flagged, wrong = (np.concatenate([p[k].ravel() for p in parts]) for k in (0, 1))
    missed = [(w & ~f).sum() / w.sum() if w.any() else 0.0 for f, w in parts]
    hit = (flagged & wrong).sum()
    left = (wrong & ~flagged).sum() / (~flagged).sum()
    return [hit / wrong.sum(), hit / flagged.sum(), flagged.mean(), np.mean(missed), left]


@pytest.mark.parametrize("word", WORDS[:-1])
def test_outcomes_equal_brute_force(word):
    images = list(scenes(20))
    counts = data(images)
    arrangement = draws.by_half(counts, 3)
    policy = POLICIES[word]
    calibrated = calibrate(policy, "entropy", arrangement) if policy.calibrated else None
    found = judge(policy, "entropy", arrangement, counts, calibrated)
    for d, draw in enumerate(arrangement.draws):
        rows = np.flatnonzero(draw.judged)
        own = None if policy.calibrated else counts.scores["entropy"].flagged[word].thresholds[rows]
        thresholds = np.full(len(rows), found.thresholds[d]) if own is None else own
        expected = brute(images, rows, thresholds)
        for name, value in zip(("recall", "precision", "flagged", "missed", "left"), expected, strict=True):
            assert getattr(found, name)[d] == pytest.approx(value), name


def test_target_recall_is_the_largest_threshold_that_reaches_it():
    images = list(scenes(20))
    arrangement = draws.by_half(data(images), 2)
    for draw, value in zip(
        arrangement.draws, calibrate(POLICIES["target_recall:0.9"], "entropy", arrangement).values, strict=True
    ):
        scores = np.concatenate([images[k][0][images[k][1]] for k in np.flatnonzero(draw.calibrated)])
        reached = [t for t in np.unique(scores) if (scores >= t).mean() >= 0.9]
        assert value == pytest.approx(float(max(reached)))


def test_conformal_is_the_largest_threshold_with_the_risk():
    images = list(scenes(20))
    arrangement = draws.by_half(data(images), 2)
    policy = POLICIES["conformal:0.2"]
    for draw, value in zip(arrangement.draws, calibrate(policy, "entropy", arrangement).values, strict=True):
        chosen = [images[k] for k in np.flatnonzero(draw.calibrated)]

        def bound(t, chosen=chosen):
            missed = [(w & (s < t)).sum() / w.sum() if w.any() else 0.0 for s, w in chosen]
            return (np.sum(missed) + 1) / (len(chosen) + 1)

        candidates = np.unique(np.concatenate([s[w] for s, w in chosen]))
        assert value == pytest.approx(float(max(t for t in candidates if bound(t) <= 0.2)))


def test_the_guarantee_holds_for_images_alike_and_breaks_under_shift():
    counts = data(scenes(120, seed=3))
    arrangement = draws.by_half(counts, 40)
    policy = POLICIES["conformal:0.2"]
    calibrated = calibrate(policy, "entropy", arrangement)
    clean = judge(policy, "entropy", arrangement, counts, calibrated)
    assert clean.missed.mean() <= 0.2
    assert 0 < clean.kept <= 1
    shifted = data(scenes(120, seed=3, shift=0.3), "shifted")
    found = judge(policy, "entropy", arrangement, shifted, calibrated)
    assert found.missed.mean() > 0.3
    assert found.kept == 0


def test_too_few_images_are_a_reason_not_a_number():
    counts = data(scenes(20))
    arrangement = draws.by_half(counts, 2)
    calibrated = calibrate(POLICIES["conformal:0.01"], "entropy", arrangement)
    assert "needs at least 99 calibration images, there are 10" in calibrated.reason
    found = judge(POLICIES["conformal:0.01"], "entropy", arrangement, counts, calibrated)
    assert np.isnan(found.recall).all()
    assert math.isnan(found.kept)


def test_without_errors_there_is_no_recall_to_calibrate():
    counts = data(scenes(4, errors=0.0))
    arrangement = draws.by_half(counts, 2)
    assert calibrate(POLICIES["target_recall:0.9"], "entropy", arrangement).reason == (
        "no misclassified pixel in the calibration images"
    )
    found = judge(POLICIES["otsu"], "entropy", arrangement, counts, None)
    assert np.isnan(found.recall).all()
    assert (found.missed == 0).all()
    assert (found.left == 0).all()


def test_halves_are_halves_and_drives_are_apart():
    counts = data(scenes(7))
    halves = draws.by_half(counts, 4)
    for draw in halves.draws:
        assert (draw.calibrated.sum(), draw.judged.sum()) == (3, 4)
        assert not (draw.calibrated & draw.judged).any()
    assert len({draw.judged.tobytes() for draw in halves.draws}) > 1
    for draw in draws.by_drive(counts).draws:
        drive = draw.name.removeprefix("drive ")
        assert [d == drive for d in counts.drives] == draw.judged.tolist()
        assert (draw.judged != draw.calibrated).all()


def test_shifted_images_count_where_their_clean_ones_are_judged():
    counts = data(scenes(6))
    arrangement = draws.by_half(counts, 1)
    draw = arrangement.draws[0]
    same = data(scenes(5), names=counts.images[:5])
    assert arrangement.rows(draw, same.images).tolist() == draw.judged[:5].tolist()
    other = data(scenes(5), names=[f"x{k}" for k in range(5)])
    assert arrangement.rows(draw, other.images).all()


def test_another_split_calibrates_for_all_images():
    counts, other = data(scenes(6)), data(scenes(30, seed=5), "val")
    edges = other.scores["entropy"].edges
    arrangement = draws.on_split("val", other, counts)
    value = calibrate(POLICIES["target_recall:0.9"], "entropy", arrangement).values
    assert value[0] in edges
    assert arrangement.draws[0].judged.all()
    assert arrangement.draws[0].name == "val → test"


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(TrustStudyError, match="test has 1 image"):
        draws.by_half(data(scenes(1)), 3)
    with pytest.raises(TrustStudyError, match="all images of test are of one drive"):
        draws.by_drive(data(scenes(3), drives="aaa"))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("median", "expected otsu, one of fixed"),
        ("otsu:3", "expected otsu, one of fixed"),
        ("quantile", "expected otsu, one of fixed"),
        ("entropy=quantile:0.9", "expected otsu, one of fixed"),
        ("quantile:high", "'high' is not a number"),
        ("quantile:2", r"quantile = 2.0: expected a number in \(0, 1\]"),
        ("conformal:0", r"alpha = 0.0: expected a number in \(0, 1\)"),
    ],
)
def test_policies_that_are_none(word, message):
    with pytest.raises(TrustStudyError, match=message):
        parse_policy(word)


def test_a_constant_belongs_to_one_score():
    named, plain = parse_policies(["energy=fixed:-8", "fixed:0.6"], ("entropy", "energy"))
    assert (named.fits("energy"), named.fits("entropy")) == (True, False)
    assert (plain.fits("energy"), plain.fits("entropy")) == (False, True)
    with pytest.raises(TrustStudyError, match="that score is not judged; expected one of entropy"):
        parse_policies(["energy=fixed:-8"], ("entropy",))
    with pytest.raises(TrustStudyError, match=r"expected one of entropy; did you mean entropy\?"):
        parse_policies(["entrpy=fixed:0.8"], ("entropy",))
