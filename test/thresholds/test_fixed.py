import numpy as np
import pytest
import torch

from trust_seg_ros.thresholds import ThresholdError, Thresholds, pixel_flags
from trust_seg_ros.types import UncertaintyMaps


def _maps():
    values = torch.tensor([[0.0, 0.5], [0.6, 1.0]])
    return UncertaintyMaps(torch.zeros(2, 2, dtype=torch.uint8), values, 1 - values, values * 0.5)


def test_a_score_at_the_threshold_is_flagged():
    assert pixel_flags(_maps(), Thresholds(pixel=0.6)).tolist() == [[False, False], [True, True]]


def test_the_score_is_chosen_by_name():
    flags = pixel_flags(_maps(), Thresholds(pixel=0.5, pixel_score="margin"))
    assert flags.tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    ("field", "value"),
    [("unreliable", 1.01), ("pixel", -0.1), ("ood", float("nan")), ("pixel_score", "entropie"), ("ood_min_size", 0)],
)
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(ThresholdError, match=str(value)):
        Thresholds(**{field: value})


def test_thresholds_in_force_are_numbers():
    assert Thresholds(ood=0.25).as_dict()["ood"] == np.float64(0.25)
    assert "pixel_score" not in Thresholds().as_dict()
