"""The shift monitor tried on windows, and perturbed passes as scores of the study."""

import numpy as np
import pytest

from trust_seg_ros.evaluation.errors import TrustStudyError
from trust_seg_ros.evaluation.trust import draws
from trust_seg_ros.evaluation.trust.counts import DataCounts
from trust_seg_ros.evaluation.trust.gather import ReliabilityGatherer, ScoreGatherer
from trust_seg_ros.evaluation.trust.grid import score_grid
from trust_seg_ros.evaluation.trust.monitor import Watch, alarms, monitor_table, windows
from trust_seg_ros.evaluation.trust.perturbed import perturbed_scores, split_name
from trust_seg_ros.evaluation.trust.policy_words import parse_policies
from trust_seg_ros.evaluation.trust.study import Condition, study
from trust_seg_ros.segmentation import load_network
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings

POLICIES = parse_policies(["otsu", "conformal:0.3"], ("entropy",))


def counted(number, level=0.0, name="test", seed=0):
    """Frames of two drives, 4x4 pixels; every score is ``level`` higher."""
    rng = np.random.default_rng(seed)
    gatherer = ScoreGatherer("entropy", score_grid(np.float32([0.5]), np.float32([0.2])), 2, POLICIES)
    for _ in range(number):
        wrong = rng.random((4, 4)) < 0.3
        score = (0.1 * rng.random((4, 4)) + 0.3 * wrong + 0.2 * rng.random() + level).astype(np.float32)
        gatherer.add(score, np.zeros((4, 4), np.uint8), wrong.astype(np.uint8), np.zeros((4, 4), np.uint8))
    drives = tuple("a" if k < number // 2 else "b" for k in range(number))
    images = tuple(f"{k:03}" for k in range(number))
    scores = {"entropy": gatherer.counts()}
    return DataCounts(name, images, drives, np.arange(number), ("x", "y"), scores, _reliability(), {}, 0.0)


def _reliability():
    return ReliabilityGatherer().reliability()


class Kept:
    """Counts that are there already, in the place of a cache."""

    class look:
        scores = ("entropy",)

    def __init__(self, found):
        self.found = found

    def counts(self, images, name, grids, progress):
        return self.found[name]


def studied(shifted):
    clean = counted(80)
    arrangement = draws.by_half(clean, 3)
    conditions = [Condition(name, (), "fog", 3) for name in shifted]
    return study(Kept(shifted), clean, [arrangement], POLICIES, conditions), arrangement


def test_windows_stay_in_their_drive_and_follow_each_other():
    means = np.arange(20.0)
    drives = ["a"] * 12 + ["b"] * 8
    chosen = np.ones(20, bool)
    chosen[3] = False
    watch = Watch(4, least_frames=2)
    found = [w.tolist() for w in windows(means, drives, chosen, watch)]
    assert found[0] == [0, 1, 2, 4]
    assert found[1] == [1, 2, 4, 5]
    assert found[-1] == [16, 17, 18, 19]
    assert all(w[-1] < 12 or w[0] >= 12 for w in found)
    assert len(found) == (11 - 4 + 1) + (8 - 4 + 1)


def test_a_short_drive_is_one_window_or_none():
    watch = Watch(30, least_frames=10)
    assert [len(w) for w in windows(np.arange(22.0), ["a"] * 13 + ["b"] * 9, np.ones(22, bool), watch)] == [13]


def test_the_monitor_fires_under_shift_and_seldom_without():
    shifted = {"fog:3": counted(80, 0.5, "fog:3")}
    s, arrangement = studied(shifted)
    watch = Watch(16)
    clean, _ = alarms(s, arrangement, s.clean, "entropy", watch)
    seen, reason = alarms(s, arrangement, s.shifted[0], "entropy", watch)
    assert reason == ""
    assert clean.mean() <= 0.1
    assert seen.tolist() == [1, 1, 1]
    table, notes = monitor_table(s, arrangement, watch)
    assert notes == []
    assert [row[0] for row in table.rows] == ["test", "fog:3"]
    assert table.rows[1][2].mean == 1


def test_broken_guarantees_are_named_beside_the_monitor():
    s, arrangement = studied({"low": counted(80, -0.4, "low")})
    table, _ = monitor_table(s, arrangement, Watch(16))
    assert [row[1] for row in table.rows] == ["-", "conformal:0.3"]


def test_too_few_images_are_a_note():
    clean = counted(12)
    arrangement = draws.by_half(clean, 2)
    s = study(Kept({}), clean, [arrangement], POLICIES)
    rates, reason = alarms(s, arrangement, s.clean, "entropy", Watch(16))
    assert np.isnan(rates).all()
    assert "expected at least 10" in reason
    _, notes = monitor_table(s, arrangement, Watch(16))
    assert len(notes) == 1


def test_a_data_set_of_short_drives_is_a_note():
    short = counted(12, name="short")
    s, arrangement = studied({"short": short})
    rates, reason = alarms(s, arrangement, s.shifted[0], "entropy", Watch(16))
    assert np.isnan(rates).all()
    assert "no drive of short has 10 judged images" in reason


def test_statistics_of_one_kind_share_their_passes():
    network = load_network("embedded", device="cpu")
    scores = perturbed_scores(
        ["input_noise:entropy", "input_noise:mutual_information", "mc_dropout"], network, passes=2, dropout=0.2
    )
    assert list(scores) == ["input_noise:entropy", "input_noise:mutual_information", "mc_dropout"]
    assert scores["input_noise:entropy"].passes is scores["input_noise:mutual_information"].passes
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    answer = network.infer(image)
    planes = {name: score(image, answer, None) for name, score in scores.items()}
    for plane in planes.values():
        assert plane.shape == (32, 48)
        assert (plane >= 0).all()
        assert (plane <= 1).all()
    assert planes["input_noise:entropy"].mean() > planes["input_noise:mutual_information"].mean()
    assert np.array_equal(planes["input_noise:entropy"], scores["input_noise:entropy"](image, answer, None))
    other = scores["input_noise:entropy"](np.zeros_like(image), answer, None)
    assert not np.array_equal(planes["input_noise:entropy"], other)
    assert str(scores["input_noise:entropy"]) != str(scores["input_noise:mutual_information"])


@pytest.mark.parametrize("name", ["input_blur", "input_noise:mean", "input_noise:"])
def test_scores_of_perturbed_passes_that_do_not_exist(name):
    with pytest.raises(TrustStudyError, match=f"--score {name}: expected mc_dropout"):
        split_name(name)


def test_the_default_statistic_is_named_alone():
    assert split_name("mc_dropout") == ("mc_dropout", PerturbationSettings("mc_dropout").statistic)
