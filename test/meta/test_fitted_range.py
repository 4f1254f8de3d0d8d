"""Outside the range fitted on: predictions move to the base rate, nothing is discarded, and it is said."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meta_models import small_model, table_of
from ood_models import size_model

from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.fitted_range import HALF_AT, MARGIN, OutsideShare, outside_words, place
from trust_seg_ros.meta.ood import OodVerdict, load_ood_model

numbers = st.floats(-50, 50, width=32)


@given(st.lists(st.tuples(numbers, numbers), max_size=6), numbers, st.sampled_from([0.0, 0.5, 7.0]), st.floats(0, 1))
def test_it_is_the_formula_metric_by_metric(rows, low, width, base):
    ranges, scales = np.array([[low, low + width], [-1.0, 3.0]]), np.array([2.0, 5.0])
    x = np.array(rows, np.float64).reshape(-1, 2)
    placed, answer = place(x, ranges, scales), np.linspace(0, 1, len(x))
    mixed = placed.towards(base, answer)
    for k, row in enumerate(x):
        distances = []
        for value, (least, most), scale in zip(row, ranges, scales, strict=True):
            outside = max(least - value, value - most, 0.0)
            distances.append(outside / (most - least if most > least else scale))
        weight = 0.5 ** (max(distances) / HALF_AT)
        assert mixed[k] == pytest.approx(weight * answer[k] + (1 - weight) * base, abs=1e-12)
        assert placed.outside[k] == (max(distances) > MARGIN)
        assert placed.nearest[k].tolist() == [np.clip(v, *r) for v, r in zip(row, ranges, strict=True)]


@given(st.floats(0, 5), st.floats(0, 5))
def test_the_further_outside_the_nearer_to_the_base_rate(one, other):
    near, far = sorted((one, other))
    model = replace(small_model(), base_rates=(0.3, 0.4))
    at = model.predict(table_of([[500.0 + 499 * d, 0.9] for d in (0, near, far)]))
    for values, base in zip(at, (0.3, 0.4), strict=True):
        gaps = np.abs(values - base)
        assert gaps[0] >= gaps[1] - 1e-12
        assert gaps[1] >= gaps[2] - 1e-12


def test_far_outside_only_the_base_rate_is_left_and_inside_nothing_changes():
    model = replace(small_model(), base_rates=(0.3, 0.4))
    p_wrong, iou = model.predict(table_of([[1e9, 0.4], [-1e9, 7.0], [np.inf, 0.4]]))
    assert p_wrong == pytest.approx([0.3] * 3)
    assert iou == pytest.approx([0.4] * 3)
    inside = table_of([[150.0, 0.7], [1.0, 0.0], [500.0, 1.0]])
    for new, old in zip(model.predict(inside), small_model().predict(inside), strict=True):
        np.testing.assert_array_equal(new, old)


def test_files_without_base_rates_have_defined_ones():
    assert small_model().priors == pytest.approx((1 / (1 + np.exp(-0.5)), 0.6))
    model = size_model("net", ("road",))
    assert model.prior == 0.5
    assert replace(model, summary={"segments": 8, "false_alarms": 6}).prior == 0.75
    assert replace(model, summary={"segments": 8, "false_alarms": 9}).prior == 0.5, "no share"
    assert replace(model, base_rate=0.2, summary={"segments": 8, "false_alarms": 6}).prior == 0.2


def test_the_file_holds_base_rate_threshold_and_range_of_thresholds(tmp_path):
    model = replace(
        size_model("net", ("road",)), base_rate=0.8, discard_above=0.93, fitted_thresholds=(0.5, 0.7)
    )  # fmt: skip
    model.save(tmp_path / "m.json")
    loaded = load_ood_model(tmp_path / "m.json")
    assert (loaded.base_rate, loaded.discard_above, loaded.thresholds) == (0.8, 0.93, (0.5, 0.7))
    assert loaded.fingerprint == model.fingerprint != replace(model, base_rate=0.7).fingerprint
    assert size_model("net", ("road",)).thresholds == (0.7, 0.7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_rate": 1.2}, "base_rate: 1.2, expected a number from 0 to 1"),
        ({"discard_above": -0.1}, "discard_above: -0.1"),
        ({"discard_above": float("nan")}, "discard_above: nan"),
        ({"fitted_thresholds": (0.1, 0.5)}, "fitted_thresholds: 0.1 to 0.5, expected to hold 0.7"),
    ],
)
def test_impossible_entries_are_refused(change, message):
    with pytest.raises(MetaModelError, match=message):
        replace(size_model("net", ("road",)), **change)
    with pytest.raises(MetaModelError, match="base_rates: "):
        replace(small_model(), base_rates=(0.5, -1.0))


def test_nothing_outside_is_discarded():
    verdict = OodVerdict(np.array([0.9, 0.9, 0.2]), np.array([False, True, False]))
    assert verdict.discarded().tolist() == [True, False, False]
    assert verdict.discarded(0.1).tolist() == [True, False, True]


def test_many_segments_outside_are_said_with_the_way_out():
    assert outside_words("segments", 0.2) == outside_words("OoD segments", None) == ""
    text = outside_words("OoD segments", 0.5)
    assert text.startswith("50 % of the OoD segments lie outside the range of metrics that their meta model")
    assert "they are kept" in text
    assert "--save-meta" in text
    assert "trust-seg fit" in outside_words("segments", 0.3)


def test_the_share_outside_follows_the_last_frames():
    seen = OutsideShare(memory=10)
    assert seen.share is None
    seen.add(None, 7)
    assert seen.share is None
    for _ in range(5):
        seen.add(np.array([True, False]), 2)
    assert seen.share == pytest.approx(0.5)
    for _ in range(100):
        seen.add(np.zeros(2, bool), 2)
    assert 0 <= seen.share < 1e-3
