"""Conformal thresholds by class, region and image: in the engine, in the control, in words."""

import math

import numpy as np
import pytest

from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings
from trust_seg_ros.thresholds.calibration import Calibration, ScoreCalibration
from trust_seg_ros.thresholds.control import ThresholdControl
from trust_seg_ros.thresholds.curves import RiskCurve, RiskOutOfReachError, images_needed
from trust_seg_ros.thresholds.engine import ThresholdEngine
from trust_seg_ros.thresholds.group_curves import GroupCurves
from trust_seg_ros.thresholds.group_thresholds import ImageThresholds, image_names, own_threshold
from trust_seg_ros.thresholds.policies import Curves, PolicyError

GRID = np.linspace(0.0, 1.0, 101)


def risk(power, images=99):
    """Risk t^power at threshold t."""
    return RiskCurve(GRID, GRID**power, images)


# 99 images: 0.99 risk + 0.01 <= alpha; with alpha 0.2575 the risk is 0.25
ALPHA = 0.2575
GROUPS = GroupCurves(
    classes=(risk(2.0), risk(2.0, images=2), None),
    regions=(risk(2.0), None),
    shape=(2, 1),
    images=(risk(2.0), risk(1.0, images=2), risk(0.5)),
    edges=(0.25, 0.5),
)
CURVES = Curves(risk=risk(1.0), groups=GROUPS)


def engine(by, **options):
    return ThresholdEngine(PolicySettings("conformal", alpha=ALPHA, conformal_by=by, **options), CURVES)


def test_a_class_without_enough_images_shares_the_threshold_of_all():
    found = engine("class").update(None, 0.0)
    assert found.value == pytest.approx(0.25)
    assert found.by_class.table()[:4] == pytest.approx([0.5, 0.25, 0.25, 0.25])
    score, classes = np.full((1, 5), 0.3, np.float32), np.array([[0, 1, 2, 3, 255]], np.uint8)
    assert found.flags(score, classes).tolist() == [[False, True, True, True, True]]


def test_regions_are_shares_of_the_image():
    found = engine("region").update(None, 0.0)
    score = np.full((4, 3), 0.3, np.float32)
    assert found.flags(score).tolist() == [[False] * 3] * 2 + [[True] * 3] * 2
    with pytest.raises(PolicyError, match="expected a score map"):
        found.flags(score[0])


def test_an_image_has_the_threshold_of_its_kind():
    by_image = engine("image")
    assert by_image.needs_score()
    with pytest.raises(PolicyError, match=r"conformal alpha = 0.2575 by image: expected the scores"):
        by_image.update(None, 0.0)
    low, middle, high = (by_image.update(np.full((4, 4), mean, np.float32), 0.0) for mean in (0.1, 0.3, 0.9))
    assert [low.value, middle.value, high.value] == pytest.approx([0.5, 0.25, 0.06])
    assert not low.flags(np.full((4, 4), 0.3, np.float32)).any()


def test_on_an_edge_and_without_a_mean_an_image_has_the_stricter_threshold():
    found = ImageThresholds(np.array([0.5, math.nan, 0.06]), np.array([0.25, 0.5]), 0.2)
    assert [found.of(mean) for mean in (0.2, 0.25, 0.3, 0.5, 0.6, math.nan)] == [0.5, 0.2, 0.2, 0.06, 0.06, 0.06]
    assert ImageThresholds(np.empty(0), np.empty(0), 0.2).of(0.4) == 0.2, "no kinds: too few images"


def test_all_is_what_it_was():
    assert engine("all").update(None, 0.0).value == pytest.approx(0.25)
    assert engine("all").groups is None
    assert ThresholdEngine(PolicySettings("fixed", conformal_by="class"), CURVES).groups is None


@pytest.mark.parametrize("by", ["class", "region", "image"])
def test_under_shift_every_threshold_is_lowered_to_the_quantile(by):
    score = np.linspace(0.0, 0.2, 100, dtype=np.float32).reshape(10, 10)
    classes = np.zeros((10, 10), np.uint8)
    strict = engine(by, on_shift="conservative", quantile=0.5)
    found = strict.update(score, 1.0, shifted=True)
    assert found.lowered
    assert found.flags(score, classes).mean() == 0.5
    assert not strict.update(score, 2.0).lowered


def test_the_number_of_images_decides_exactly():
    for alpha in (0.05, 0.1, 0.2):
        least = images_needed(alpha)
        assert math.isnan(own_threshold(risk(1.0, images=least - 1), alpha))
        assert own_threshold(risk(1.0, images=least), alpha) == 0.0
    assert math.isnan(own_threshold(None, 0.1))


def test_what_no_threshold_finds_is_an_error():
    curve = RiskCurve(np.append(-math.inf, GRID), np.full(102, 0.5), 99)
    with pytest.raises(RiskOutOfReachError, match=r"alpha = 0.1 is out of reach"):
        own_threshold(curve, 0.1)


def control():
    score = ScoreCalibration(None, risk(1.0), groups=GROUPS)
    return ThresholdControl(Calibration("net", ("road", "sky", "pole"), scores={"entropy": score}))


def by(grouping):
    return ThresholdSettings(pixel=PolicySettings("conformal", alpha=ALPHA, conformal_by=grouping))


@pytest.mark.parametrize(
    ("grouping", "words"),
    [
        ("all", ""),
        ("class", "road 0.5; the common 0.25: sky, pole"),
        ("region", "row 1 column 1 0.5; the common 0.25: row 2 column 1"),
        ("image", "mean below 0.25 0.5; mean from 0.5 0.06; the common 0.25: mean 0.25 to 0.5"),
    ],
)
def test_diagnostics_show_every_group_and_which_share(grouping, words):
    assert control().pixel_groups(by(grouping)) == words
    assert by(grouping).pixel.describe() == "conformal alpha = 0.2575" + (f" by {grouping}" if words else "")


def test_frames_are_flagged_by_the_grouping_that_is_set():
    score = np.array([[0.1, 0.3], [0.3, 0.1]], np.float32)  # mean 0.2: of the first kind
    classes = np.array([[0, 0], [1, 255]], np.uint8)
    found = {}
    for grouping in ("all", "class", "region", "image"):
        frame = control().begin(by(grouping), 0.0)
        found[grouping] = frame.pixel_flags(score, classes, faulty=True).astype(int).tolist()
        assert frame.numbers["pixel"] == pytest.approx(0.5 if grouping == "image" else 0.25)
    assert found == {
        "all": [[0, 1], [1, 1]],
        "class": [[0, 0], [1, 1]],
        "region": [[0, 0], [1, 1]],
        "image": [[0, 0], [0, 1]],
    }


def test_thresholds_by_class_and_region_are_no_single_number():
    assert [by(g).pixel.within_image for g in ("all", "class", "region", "image")] == [False, True, True, False]
    assert "pixel" in control().constants(by("region"))
    assert "pixel" not in control().constants(by("image")), "it follows the image"
    assert not by("image").remembers, "of earlier frames nothing"


def test_an_unknown_grouping_is_refused_with_the_nearest():
    with pytest.raises(PolicyError, match="'regions': expected one of all, class, region, image; did you mean region"):
        PolicySettings("conformal", conformal_by="regions")


def test_kinds_of_images_have_names():
    assert image_names(()) == ("every image",)
    assert image_names((0.1, 0.2, 0.3)) == (
        "mean below 0.1",
        "mean 0.1 to 0.2",
        "mean 0.2 to 0.3",
        "mean from 0.3",
    )
