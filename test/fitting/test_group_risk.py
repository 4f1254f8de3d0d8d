"""Risk curves by group, against their definition; and their promise on random splits, where one threshold breaks it."""

import math

import numpy as np
import pytest

from trust_seg_ros.fitting.group_risk import LEVELS, GroupRiskBuilder, image_kinds, thinned
from trust_seg_ros.thresholds.curves import RiskCurve
from trust_seg_ros.thresholds.group_thresholds import ImageThresholds, risk_thresholds
from trust_seg_ros.thresholds.policies import Curves
from trust_seg_ros.thresholds.regions import region_ids

SIZE, CLASSES = (6, 9), 4
GRID = np.linspace(0.0, 1.0, 65)
REGIONS = region_ids(SIZE)


def picture(rng, never=3):
    """Score, wrong, classes: class 1 errs with low scores, so do the lowest rows, and calm images."""
    calm = rng.random()
    classes = rng.integers(0, CLASSES, SIZE, dtype=np.uint8)
    classes[classes == never] = 0
    if rng.random() < 0.5:
        classes[classes == 2] = 0  # not every image has every class
    level = 1.0 + 2.0 * calm + 2.0 * (classes == 1) + (REGIONS >= 6)
    score = rng.beta(2.0, level).astype(np.float32)
    return score, rng.random(SIZE) < rng.choice([0.0, 0.3, 0.5]), classes


def built(pictures, **options):
    builder = GroupRiskBuilder(GRID, CLASSES, **options)
    for score, wrong, classes in pictures:
        builder.add(score, wrong, classes, float(score[np.isfinite(score)].mean()))
    return builder.result()


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return [picture(rng) for _ in range(200)]


def test_losses_count_images_with_errors_of_the_group_only(pictures):
    found = built(pictures)
    groups = [(found.classes, k, c) for c in ("class",) for k in range(3)] + [
        (found.regions, k, "region") for k in range(9)
    ]
    for curves, k, kind in groups:
        losses = []
        for score, wrong, classes in pictures:
            bad = wrong & ((classes if kind == "class" else REGIONS) == k)
            if bad.any():
                losses.append([(score[bad] < t).mean() for t in GRID])
        curve = curves[k]
        assert curve.images == len(losses) < len(pictures)
        mean = np.mean(losses, axis=0)
        assert curve.risk == pytest.approx(mean[np.searchsorted(GRID, curve.thresholds)])
    assert found.classes[3] is None, "no pixel of it"


def test_a_group_without_errors_and_no_image_at_all_have_no_curves():
    score = np.full(SIZE, 0.5, np.float32)
    clean = built([(score, np.zeros(SIZE, bool), np.zeros(SIZE, np.uint8))] * 5)
    assert clean.classes == (None,) * CLASSES
    assert clean.regions == (None,) * 9
    assert clean.images == ()
    assert built([]).classes == (None,) * CLASSES
    found = risk_thresholds("image", 0.1, Curves(groups=clean), 0.3)
    assert found.of(0.5) == 0.3


def test_faulty_pixels_belong_to_no_class_and_are_always_found():
    score, wrong = np.zeros(SIZE, np.float32), np.zeros(SIZE, bool)
    classes = np.zeros(SIZE, np.uint8)
    classes[0, :2], wrong[0, :4] = 255, True
    score[0, 0] = math.nan
    found = built([(score, wrong, classes)] * 3)
    assert found.classes[0].risk[-1] == 1.0, "both pixels with a class are missed"
    assert found.regions[0].risk.max() == pytest.approx(1 / 3), "two of three are faulty: flagged"
    assert found.regions[1].risk.max() == 1.0


def test_a_score_that_is_not_a_number_is_missed_by_every_threshold():
    score, wrong = np.full(SIZE, 0.9, np.float32), np.ones(SIZE, bool)
    score[0, 0] = math.nan
    found = built([(score, wrong, np.zeros(SIZE, np.uint8))] * 3)
    assert found.classes[0].thresholds[0] == -math.inf
    assert found.classes[0].risk[0] == pytest.approx(1 / score.size)


def test_kinds_have_equally_many_images_and_edges_belong_to_none():
    means = np.random.default_rng(1).permutation(29) / 29
    edges, kind = image_kinds(means.tolist(), 3)
    assert np.bincount(kind + 1).tolist() == [2, 9, 9, 9]
    assert sorted(means[kind == -1]) == edges
    assert means[kind == 0].max() < edges[0] < means[kind == 1].min()


@pytest.mark.parametrize(("n", "edges"), [(0, 0), (4, 0), (5, 2)])
def test_too_few_images_have_no_kinds(n, edges):
    found, kind = image_kinds(np.arange(n).tolist(), 3)
    assert len(found) == edges
    assert len(kind) == n


def test_equal_means_make_fewer_kinds():
    edges, kind = image_kinds([0.5] * 20, 3)
    assert edges == [0.5]
    assert (kind == -1).all()


def test_a_thinned_curve_is_stricter_by_a_level_at_most():
    grid = np.linspace(0, 1, 3001)
    curve = RiskCurve(grid, grid**2, 500)
    short = thinned(curve)
    assert len(short.risk) <= len(LEVELS) + 1
    for alpha in (0.01, 0.05, 0.1, 0.3):
        found = short.threshold(alpha)
        assert curve.threshold(alpha - (0.004 if alpha <= 0.2 else 0.05) - 1e-3) <= found <= curve.threshold(alpha)


def loss(score, bad, threshold):
    """Missed share; NaN without errors."""
    return (score[bad] < threshold).mean() if bad.any() else math.nan


def losses_of(case, found, joint):
    """Losses of one image by group: with thresholds by group, and with one for all."""
    score, wrong, classes = case
    if isinstance(found, ImageThresholds):
        mean = float(score.mean())
        kind = int(np.searchsorted(found.edges, mean, "right"))
        own, common = np.full(3, math.nan), np.full(3, math.nan)
        own[kind], common[kind] = loss(score, wrong, found.of(mean)), loss(score, wrong, joint)
        return own, common
    ids = classes if found.table().ndim == 1 else REGIONS
    n, table = (3, found.table()) if found.table().ndim == 1 else (9, found.table().ravel())
    own = np.array([loss(score, wrong & (ids == k), table[k]) for k in range(n)])
    return own, np.array([loss(score, wrong & (ids == k), joint) for k in range(n)])


@pytest.mark.parametrize("by", ["class", "region", "image"])
def test_every_group_keeps_the_promise_that_one_threshold_breaks(pictures, by):
    alpha, rng, own, common = 0.2, np.random.default_rng(2), [], []
    for _ in range(30):
        order = rng.permutation(len(pictures))
        groups = built([pictures[i] for i in order[:100]])
        every = np.array([[loss(s, w, t) for t in GRID] for s, w, _ in (pictures[i] for i in order[:100])])
        joint = RiskCurve(GRID, np.nan_to_num(every).mean(0), 100).threshold(alpha)
        found = risk_thresholds(by, alpha, Curves(groups=groups), joint)
        both = [losses_of(pictures[i], found, joint) for i in order[100:]]
        own.append(np.nanmean([o for o, _ in both], axis=0))
        common.append(np.nanmean([c for _, c in both], axis=0))
    mean, error = np.mean(own, axis=0), np.std(own, axis=0, ddof=1) / math.sqrt(len(own))
    assert (mean <= alpha + 2.5 * error).all()
    assert (mean >= alpha - 0.08).all(), "not by flagging everything"
    assert np.mean(common, axis=0).max() > alpha + 0.03
