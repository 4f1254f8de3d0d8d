"""Whether two networks answer alike: what counts as alike, and what a difference is measured by."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from trust_seg_ros.evaluation.agreement import MAPS, SCORE, agreement, judged, times
from trust_seg_ros.segmentation import InputSpec, load_labels
from trust_seg_ros.types import LogitMaps

IMAGE = np.random.default_rng(2).integers(0, 256, (24, 32, 3), dtype=np.uint8)
LOGITS = torch.from_numpy(np.random.default_rng(3).normal(size=(11, 6, 8)).astype(np.float32)) * 3


class Fixed:
    """A network that always answers the same."""

    def __init__(self, logits, raw=True):
        self.name, self.labels, self.device = "fixed", load_labels("camvid11"), torch.device("cpu")
        self.input_spec, self.raw, self.logits = InputSpec(), raw, logits

    def infer(self, image):
        return LogitMaps(self.logits, image.shape[:2], raw=self.raw)

    def warm_up(self, size):
        pass


def compared(logits, raw=True):
    return agreement([judged(Fixed(LOGITS), IMAGE)], [judged(Fixed(logits, raw), IMAGE)])


def test_the_same_answer_agrees():
    found = compared(LOGITS.clone())
    assert found.good
    assert (found.same_classes, found.maps) == (1.0, 0.0)
    assert found.scores == {"max_logit": 0.0, "energy": 0.0}
    assert "100.000% of the classes alike" in str(found)


def test_rounding_agrees():
    noise = torch.from_numpy(np.random.default_rng(4).normal(size=LOGITS.shape).astype(np.float32))
    found = compared(LOGITS + 1e-5 * noise)
    assert found.good
    assert 0 < found.maps < 1e-4


def test_a_shifted_answer_has_the_same_maps_and_other_scores():
    """The softmax does not see a constant that all logits share; energies do."""
    found = compared(LOGITS + 1.0)
    assert found.same_classes == 1.0
    assert found.maps < 1e-5 < MAPS
    spread = float(
        judged(Fixed(LOGITS), IMAGE).scores["max_logit"].max() - judged(Fixed(LOGITS), IMAGE).scores["max_logit"].min()
    )
    assert found.scores["max_logit"] == pytest.approx(1 / spread, rel=1e-4)
    assert found.scores["max_logit"] > SCORE
    assert not found.good


def test_other_classes_do_not_agree():
    found = compared(LOGITS.flip(0))
    assert found.same_classes < 0.5
    assert not found.good


def test_scores_of_one_alone_do_not_agree():
    found = compared(LOGITS.log_softmax(0), raw=False)
    assert found.missing == ("energy", "max_logit")
    assert found.maps < 1e-5
    assert not found.good
    assert "only one of them gives energy, max_logit" in str(found)


def test_a_pixel_without_an_answer_does_not_agree():
    broken = LOGITS.clone()
    broken[2, 3, 4] = math.nan
    found = compared(broken)
    assert found.scores["energy"] == math.inf
    assert not found.good


def test_one_pixel_in_ten_thousand_may_be_on_the_other_side_of_a_step():
    """As for classes; more of them are a difference."""
    step = judged(Fixed(LOGITS), np.zeros((120, 200, 3), np.uint8))
    for pixels, same in ((2, True), (3, False)):
        scores = {name: score.clone() for name, score in step.scores.items()}
        scores["energy"].view(-1)[:pixels] += 50.0
        assert agreement([step], [replace(step, scores=scores)]).good == same


def test_calls_are_timed_in_turns():
    order = []
    found = times({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=4)
    assert order == ["a", "b"] * 5
    assert all(value > 0 for value in found.values())


def test_slow_calls_are_timed_less_often():
    order = []
    times({"a": lambda: order.append("a")}, rounds=50, at_most_s=0.0)
    assert len(order) == 3
