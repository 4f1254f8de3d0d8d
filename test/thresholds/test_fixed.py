import math

import pytest
import torch

from trust_seg_ros.thresholds import ThresholdError, Thresholds, pixel_flags
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import RawLogitsNeededError, uncertainty_maps
from trust_seg_ros.uncertainty.frame_scores import FrameScores


def _scores(raw=True):
    """Four pixels of two classes, ever surer of class 0; the largest logits are 0, 1, 2 and 4."""
    logits = torch.tensor([[[0.0, 1.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    answer = LogitMaps(logits, (2, 2), raw=raw)
    return FrameScores(answer, uncertainty_maps(answer))


def test_a_score_at_the_threshold_is_flagged():
    at = float(_scores().get("entropy")[0, 1])
    assert pixel_flags(_scores(), Thresholds(pixel=at)).tolist() == [[True, True], [False, False]]


def test_the_score_is_chosen_by_name():
    flags = pixel_flags(_scores(), Thresholds(pixel=-2.0, pixel_score="max_logit"))
    assert flags.tolist() == [[True, True], [True, False]]


def test_a_score_that_the_network_cannot_give_is_refused():
    with pytest.raises(RawLogitsNeededError, match="max_logit"):
        pixel_flags(_scores(raw=False), Thresholds(pixel_score="max_logit"))


@pytest.mark.parametrize(("value", "flagged"), [(3.2, False), (-7.0, True), (math.inf, False), (-math.inf, True)])
def test_a_threshold_beyond_the_score_flags_all_or_nothing(value, flagged):
    assert (pixel_flags(_scores(), Thresholds(pixel=value)) == flagged).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("unreliable", 1.01),
        ("ood_meta", -0.1),
        ("pixel", float("nan")),
        ("ood", float("nan")),
        ("pixel_score", "entropie"),
        ("ood_score", "softmax"),
        ("ood_min_size", 0),
    ],
)
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(ThresholdError, match=f"{field} = .*{value}"):
        Thresholds(**{field: value})


def test_thresholds_in_force_are_numbers():
    assert Thresholds(ood=0.25).as_dict()["ood"] == 0.25
    assert "pixel_score" not in Thresholds().as_dict()
