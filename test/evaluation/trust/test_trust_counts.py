"""Counts gathered image by image equal brute force over all pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.trust import reference
from trust_seg_ros.evaluation.trust.distance import NAMES, ranges
from trust_seg_ros.evaluation.trust.gather import ReliabilityGatherer, ScoreGatherer
from trust_seg_ros.evaluation.trust.grid import score_grid
from trust_seg_ros.evaluation.trust.policy_words import DEFAULTS, parse_policies
from trust_seg_ros.thresholds.policies import resolve

CLASSES = 3
POLICIES = parse_policies(DEFAULTS, ("entropy",))


def scene(seed, images=3):
    """Score, predicted and true classes of some images; all kinds of pixels that there are."""
    rng = np.random.default_rng(seed)
    for _ in range(images):
        size = tuple(rng.integers(1, 12, 2))
        predicted = rng.integers(0, CLASSES, size).astype(np.uint8)
        truth = np.where(rng.random(size) < 0.7, predicted, rng.integers(0, CLASSES, size)).astype(np.uint8)
        truth[rng.random(size) < 0.1] = 255
        score = (rng.integers(0, 9, size) / 8 + (truth != predicted) * 0.25).astype(np.float32)
        faulty = rng.random(size) < 0.05
        predicted[faulty], score[faulty] = 255, 1.25
        yield score, predicted, truth


def gathered(images, edges):
    gatherer = ScoreGatherer("entropy", edges, CLASSES, POLICIES)
    for score, predicted, truth in images:
        gatherer.add(score, predicted, truth, ranges(predicted))
    return gatherer.counts()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_flags_of_every_policy_and_group(seed):
    images = list(scene(seed))
    counts = gathered(images, score_grid(np.float32([0.5]), np.float32([0.25])))
    assert set(counts.flagged) == {p.name for p in POLICIES if not p.calibrated}
    for policy in POLICIES:
        if policy.calibrated:
            continue
        found = counts.flagged[policy.name]
        groups = np.zeros_like(found.groups)
        for row, (score, predicted, truth) in enumerate(images):
            threshold = resolve(policy.policy, score, classes=predicted)
            assert found.thresholds[row] == threshold
            valid, wrong = truth != 255, truth != predicted
            inside = [a[valid] for a in (score, wrong, predicted == 255)]
            expected = reference.confusion(inside[0], inside[1], threshold, inside[2])
            assert found.pixels[row].tolist() == list(expected)
            flagged = valid & ((score >= np.float32(threshold)) | (predicted == 255))
            masks = [predicted == c for c in (*range(CLASSES), 255)] + [truth == c for c in range(CLASSES)]
            masks += [ranges(predicted) == k for k in range(len(NAMES))]
            for g, mask in enumerate(masks):
                groups[g] += [(flagged & mask & ~wrong).sum(), (flagged & mask & wrong).sum()]
        assert np.array_equal(found.groups, groups)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_counts_at_every_edge_are_exact(seed):
    images = list(scene(seed))
    counts = gathered(images, score_grid(np.float32([0.5, 1.25]), np.float32([0.25, 0.375])))
    assert counts.edges[0] == -np.inf
    assert counts.edges[-1] == np.inf
    for threshold in (-np.inf, 0.0, 0.25, 0.375, 0.5, 1.25, np.inf):
        found = counts.at(threshold)
        for row, (score, predicted, truth) in enumerate(images):
            valid = truth != 255
            inside = (score[valid], (truth != predicted)[valid])
            assert found[row].tolist() == list(reference.confusion(*inside, threshold, (predicted == 255)[valid])), (
                threshold
            )
        predicted_groups = counts.groups_at(threshold)[: CLASSES + 1].sum(0)
        assert predicted_groups.tolist() == found.sum(0).tolist()
    place = int(np.searchsorted(counts.edges, 0.5))
    for row, (errors, missed) in enumerate(zip(counts.totals[:, 1], counts.missed[:, place], strict=True)):
        assert missed == pytest.approx(1 - counts.at(0.5)[row, 1] / errors if errors else 0.0)


def test_frame_means_leave_out_what_is_not_finite():
    plane = np.float32([[1.0, 3.0, np.inf]])
    counts = gathered([(plane, np.uint8([[0, 1, 255]]), np.uint8([[0, 255, 0]]))], score_grid(plane[0], plane[0]))
    assert counts.means.tolist() == [2.0]
    assert counts.totals.tolist() == [[1, 1]]


def test_scores_that_are_no_numbers_are_refused():
    plane = np.float32([[np.nan]])
    with pytest.raises(TrustStudyError, match="entropy: 1 pixels of an image have no number"):
        gathered([(plane, np.uint8([[0]]), np.uint8([[0]]))], score_grid(plane[0], plane[0]))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_reliability_equals_its_definition(seed):
    rng = np.random.default_rng(seed)
    gatherer = ReliabilityGatherer(15)
    confidences, rights = [], []
    for _ in range(2):
        predicted, truth = rng.integers(0, 3, (2, 5, 6)).astype(np.uint8)
        variation = (rng.integers(0, 31, (5, 6)) / 30).astype(np.float32)
        truth[rng.random((5, 6)) < 0.2] = 255
        predicted[rng.random((5, 6)) < 0.1] = 255
        gatherer.add(variation, predicted, truth)
        valid = (truth != 255) & (predicted != 255)
        confidences.append(1.0 - variation[valid].astype(np.float64))
        rights.append((predicted == truth)[valid])
    confidence, right = np.concatenate(confidences), np.concatenate(rights)
    found = gatherer.reliability()
    assert found.pixels.sum() == len(right)
    if len(right):
        assert found.ece == pytest.approx(reference.expected_calibration_error(confidence, right, 15))


def test_bins_follow_the_pixels_and_cover_all_numbers():
    rng = np.random.default_rng(0)
    wrong, right = rng.normal(-9.5, 0.1, 9000).astype(np.float32), rng.normal(-9.8, 0.1, 9000).astype(np.float32)
    edges = score_grid(wrong, right)
    assert (np.diff(edges) > 0).all()
    assert np.histogram(wrong, edges[1:-1])[0].max() / len(wrong) < 2 / 1500
    assert edges[0] == -np.inf
    assert edges[1] < -1e9
    assert edges[-2] > 1e9
