"""Feedback on earlier frames: late, twice, in part, of other sizes, of no frame; and what it does to the threshold."""

import math
import pickle
from dataclasses import asdict

import numpy as np
import pytest

from trust_seg_ros.thresholds.adaptation import Adaptation, AdaptationState, FeedbackError, checked_labels
from trust_seg_ros.thresholds.curves import RiskCurve
from trust_seg_ros.thresholds.flags import flags
from trust_seg_ros.thresholds.judged_frames import JudgedFrames
from trust_seg_ros.thresholds.policies import Adaptive, Curves
from trust_seg_ros.thresholds.score_scale import ScoreScale

H, W, Q = 24, 32, 5
POLICY = Adaptive(adaptive_alpha=0.1, adaptive_rate=0.02, adaptive_keep_s=10.0)
FROM = 0.25


def adaptation(policy=POLICY, start=FROM):
    return Adaptation(policy, ScoreScale.of("entropy", None), start)


def scene(number, share_wrong=0.3):
    """Score, predicted classes and truth: the wrong pixels have the larger scores, mostly."""
    rng = np.random.default_rng(number)
    truth = rng.integers(0, Q, (H, W), dtype=np.uint8)
    wrong = rng.random((H, W)) < share_wrong
    classes = np.where(wrong, (truth + 1) % Q, truth).astype(np.uint8)
    score = (0.6 * wrong * rng.random((H, W)) + 0.4 * rng.random((H, W))).astype(np.float32)
    return score, classes, truth


def judge(a, number, stamp_s, **changes):
    """Judge a frame by the current threshold; returns its flags, classes and truth."""
    score, classes, truth = scene(number, **changes)
    flagged = flags(score, a.threshold, classes)
    a.judged(stamp_s, score, classes, flagged)
    return flagged, classes, truth


def missed_share(flagged, classes, truth, known=True):
    wrong = (classes != truth) & known
    return (wrong & ~flagged).sum() / wrong.sum()


def test_the_loss_is_that_of_the_threshold_that_the_frame_was_judged_by():
    a = adaptation()
    first, second = judge(a, 1, 1.0), judge(a, 2, 2.0)
    assert a.feedback(2.0, second[2]) == "used"
    moved = a.view.state.long_run
    assert moved.missed / moved.weight == pytest.approx(missed_share(*second))
    assert a.threshold != pytest.approx(FROM)
    assert a.feedback(1.0, first[2]) == "used"  # judged before the threshold moved
    after = a.view.state.long_run
    assert (after.missed - moved.missed) / (after.weight - moved.weight) == pytest.approx(missed_share(*first))
    assert after.outstanding == 1


def test_many_missed_errors_make_it_stricter_and_few_laxer():
    for start, stricter in ((0.5, True), (0.01, False)):
        a = adaptation(start=start)
        truth = judge(a, 1, 1.0)[2]
        a.feedback(1.0, truth)
        assert (a.threshold < start) == stricter


def test_over_a_stream_the_missed_share_comes_to_alpha_wherever_it_starts():
    for start in (0.0, 0.5, math.inf):
        a, shares = adaptation(Adaptive(adaptive_alpha=0.1, adaptive_rate=0.1), start), []
        for number in range(600):
            found = judge(a, number, 1.0 + number)
            shares.append(missed_share(*found))
            assert a.feedback(1.0 + number, found[2]) == "used"
        assert np.mean(shares[200:]) == pytest.approx(0.1, abs=0.01)
        run = a.view.state.long_run
        assert abs(run.mean_error - 0.1) <= a.view.off_by_at_most
        assert run.mean_error == pytest.approx(np.mean(shares))


def test_feedback_that_is_late_again_or_of_no_frame_is_counted_and_changes_nothing():
    a = adaptation()
    kept = {stamp: judge(a, int(stamp), stamp)[2] for stamp in (1.0, 5.0, 14.0)}
    assert a.feedback(14.0, kept[14.0]) == "used"
    threshold = a.threshold
    assert a.feedback(14.0, kept[14.0]) == "again"
    assert a.feedback(1.0, kept[1.0]) == "late"  # 13 s old, kept for 10 s
    assert a.feedback(14.5, kept[14.0]) == "unknown"
    assert a.feedback(0.0, kept[14.0]) == "late"
    assert a.feedback(5.0, kept[5.0]) == "used"
    assert a.view.state.counts == {"used": 2, "again": 1, "late": 2, "unknown": 1}
    assert threshold != pytest.approx(FROM)


def test_only_labelled_pixels_count():
    a = adaptation()
    flagged, classes, truth = judge(a, 3, 1.0)
    known = np.random.default_rng(0).random((H, W)) < 0.2
    assert a.feedback(1.0, np.where(known, truth, 255).astype(np.uint8)) == "used"
    run = a.view.state.long_run
    assert run.missed / run.weight == pytest.approx(missed_share(flagged, classes, truth, known))


@pytest.mark.parametrize("labelled", ["nothing", "nothing wrong", "nine wrong"])
def test_feedback_without_errors_tells_nothing(labelled):
    a = adaptation()
    _, classes, truth = judge(a, 3, 1.0)
    labels = np.full((H, W), 255, np.uint8)
    if labelled == "nothing wrong":
        labels = np.where(classes == truth, truth, 255).astype(np.uint8)
    if labelled == "nine wrong":
        nine = np.argwhere(classes != truth)[:9].T
        labels[nine[0], nine[1]] = truth[nine[0], nine[1]]
    assert a.feedback(1.0, labels) == "no errors"
    assert a.threshold == pytest.approx(FROM)
    assert a.view.state.long_run.mean_error is None
    assert "not known: no feedback yet" in a.view.words()["errors missed"]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_labels_of_another_size_are_brought_to_the_grid(factor):
    a = adaptation()
    flagged, classes, truth = judge(a, 4, 1.0)
    assert a.feedback(1.0, np.kron(truth, np.ones((factor, factor), np.uint8))) == "used"
    run = a.view.state.long_run
    assert run.missed / run.weight == pytest.approx(missed_share(flagged, classes, truth))


def test_labels_of_another_shape_are_refused_and_the_frame_goes_on_waiting():
    a = adaptation()
    truth = judge(a, 4, 1.0)[2]
    with pytest.raises(FeedbackError, match="32×12 on a frame judged on a grid of 32×24"):
        a.feedback(1.0, truth[:12])
    assert a.feedback(1.0, truth) == "used"


def test_pixels_that_no_threshold_changes_do_not_count():
    """Everything flagged misses nothing and nothing flagged misses all, which the promise needs."""
    for start, error in ((0.0, 0.0), (math.inf, 1.0)):
        a = adaptation(start=start)
        score, classes, truth = scene(5)
        classes[:3], score[:3] = 255, np.inf
        score[3:6] = np.nan
        a.judged(1.0, score, classes, flags(score, a.threshold, classes))
        assert a.feedback(1.0, truth) == "used"
        assert a.view.state.long_run.mean_error == error


def test_a_jump_in_time_forgets_waiting_frames_but_not_what_was_learned():
    a = adaptation()
    first, second = judge(a, 1, 100.0)[2], judge(a, 2, 101.0)[2]
    a.feedback(100.0, first)
    threshold = a.threshold
    a.reset()
    assert (a.threshold, a.view.frames) == (threshold, 0)
    assert a.feedback(101.0, second) == "unknown"
    judge(a, 3, 5.0)
    assert a.feedback(5.0, scene(3)[2]) == "used"


def test_the_state_is_plain_and_goes_on_elsewhere():
    a, b = adaptation(), adaptation()
    for number in range(20):
        found = judge(a, number, 1.0 + number)
        a.feedback(1.0 + number, found[2])
    b.load_state(pickle.loads(pickle.dumps(a.state())))
    assert (b.threshold, b.view.words()) != (adaptation().threshold, adaptation().view.words())
    assert b.threshold == a.threshold
    assert AdaptationState.from_plain(asdict(a.state())) == a.state()
    for x in (a, b):
        found = judge(x, 50, 100.0)
        x.feedback(100.0, found[2])
    assert a.state() == b.state()


def test_it_starts_from_the_conformal_threshold_or_from_the_constant():
    grid = np.linspace(0.0, 1.0, 101)
    enough, few = (Curves(risk=RiskCurve(grid, grid, images)) for images in (999, 5))
    start = Adaptation.started(POLICY, "entropy", enough, 0.6).threshold
    assert start == pytest.approx(enough.risk.threshold(0.1))
    assert Adaptation.started(POLICY, "entropy", few, 0.6).threshold == pytest.approx(0.6)
    assert Adaptation.started(POLICY, "entropy", None, 0.6).threshold == pytest.approx(0.6)


def test_new_settings_go_on_from_where_it_stands():
    a = adaptation()
    judged = {stamp: judge(a, int(stamp), stamp)[2] for stamp in (1.0, 2.0)}
    a.feedback(1.0, judged[1.0])
    b = a.continued(Adaptive(adaptive_alpha=0.3, adaptive_rate=0.01, adaptive_keep_s=20.0))
    assert b.threshold == pytest.approx(a.threshold)
    assert b.feedback(2.0, judged[2.0]) == "used"
    assert (b.view.alpha, b.view.state.long_run.counted, b.view.state.counts["used"]) == (0.3, 1, 2)


def test_frames_are_kept_for_so_long_and_within_so_much_memory():
    frames = JudgedFrames(2.0)
    planes = np.zeros((80, 80), np.float32), np.zeros((80, 80), np.uint8), np.zeros((80, 80), bool)
    for number in range(100):
        frames.add(1.0 + 0.1 * number, *planes, (number, 0))
    assert len(frames) == 21
    assert frames.nbytes == 21 * (6400 + 800)
    small = JudgedFrames(1e9, most_bytes=5 * 7200)
    for number in range(100):
        small.add(1.0 + number, *planes, (number, 0))
    assert (len(small), small.nbytes, small.look_up(1.0)) == (5, 5 * 7200, "late")
    frames.add(0.0, *planes, (0, 0))
    frames.add(math.nan, *planes, (0, 0))
    assert len(frames) == 21


def test_of_two_frames_with_one_stamp_the_later_one_counts():
    a = adaptation()
    judge(a, 1, 1.0)
    flagged, classes, truth = judge(a, 2, 1.0)
    a.feedback(1.0, truth)
    run = a.view.state.long_run
    assert run.missed / run.weight == pytest.approx(missed_share(flagged, classes, truth))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((4, 4, 3), np.uint8), r"\(4, 4, 3\) uint8: expected \(h, w\) class ids"),
        (np.zeros((4, 4), np.float32), "float32: expected"),
        (np.zeros((0, 4), np.uint8), "expected"),
        ([[1]], "list: expected"),
        (np.full((4, 4), 5, np.uint8), "class 5: expected the network's ids, 0 to 4, or 255"),
        (np.full((4, 4), -1, np.int16), "class -1"),
        (np.full((4, 4), 256, np.uint16), "class 256"),
    ],
)
def test_what_are_no_class_ids_is_refused(labels, words):
    with pytest.raises(FeedbackError, match=words):
        checked_labels(labels, Q)


def test_sixteen_bits_may_say_unknown_in_their_own_way():
    found = checked_labels(np.array([[0, 4], [255, 65535]], np.uint16), Q)
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 4], [255, 255]]
