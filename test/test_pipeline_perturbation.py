"""Scores of perturbed passes as pixel scores of the pipeline, with the shipped network."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from trust_seg_ros.pipeline import PipelineSettings, ScoreUnavailableError, TrustPipeline
from trust_seg_ros.remarks import remarks
from trust_seg_ros.thresholds import PolicySettings, ThresholdError, ThresholdSettings
from trust_seg_ros.thresholds.control import PolicyRefusedError
from trust_seg_ros.types import Frame, Wanted
from trust_seg_ros.uncertainty import uncertainty_maps
from trust_seg_ros.uncertainty.errors import PerturbationUnavailableError
from trust_seg_ros.uncertainty.frame_scores import FrameScores
from trust_seg_ros.uncertainty.perturbation import perturbation_score
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings
from trust_seg_ros.uncertainty.score_names import PERTURBATION_SCORES, score_range

FLAGS = Wanted(segments=False, ood=False)


@pytest.fixture(scope="module")
def pipeline():
    return TrustPipeline.load(
        PipelineSettings(device="cpu", input_size=(96, 128), meta_model="none", ood_meta_model="none")
    )


@pytest.fixture
def image():
    rough = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(rough, (128, 96), interpolation=cv2.INTER_CUBIC)


class Counting:
    """A network without dropout that counts how often it is asked."""

    def __init__(self, network):
        self.name, self.labels, self.input_spec, self.device = "bare", network.labels, network.input_spec, "cpu"
        self._network, self.asked = network, 0

    def infer(self, image):
        self.asked += 1
        return replace(self._network.infer(image), features=None, classifier=None)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PERTURBATION_SCORES)
@pytest.mark.parametrize("statistic", ["entropy", "mutual_information"])
def test_pixels_are_flagged_by_the_librarys_score(pipeline, image, kind, statistic):
    chosen = PerturbationSettings(kind, passes=3, sigma=9.0, dropout=0.3, statistic=statistic)
    expected = perturbation_score(pipeline.network, image, chosen).score.numpy()
    limit = float(np.quantile(expected, 0.8))
    perturbation = replace(chosen, kind="input_noise")
    settings = ThresholdSettings(PolicySettings(value=limit), pixel_score=kind, perturbation=perturbation)
    assert settings.perturbed == chosen
    pipeline.check(settings)
    result = pipeline(Frame(image), settings, FLAGS)
    assert np.allclose(result.scores[kind].numpy(), expected, atol=1e-6)
    assert np.array_equal(result.pixel_flags, result.scores[kind].numpy() >= np.float32(limit))
    assert 0.1 < result.pixel_flags.mean() < 0.3
    assert "perturbation" in result.timings_ms
    assert "scores" not in result.timings_ms


@pytest.mark.slow
def test_the_network_is_asked_again_only_where_flags_need_it(pipeline, image):
    network = Counting(pipeline.network)
    counted = TrustPipeline(network)
    settings = ThresholdSettings(pixel_score="input_noise", perturbation=PerturbationSettings("input_scale", passes=5))
    assert counted.unavailable("energy") is None
    assert network.asked == 1, "nothing is perturbed for scores that nobody named"
    counted.check(settings)
    asked = network.asked
    counted.check(settings)
    assert network.asked == asked, "what was found is remembered"
    for wanted, passes in ((FLAGS, 6), (Wanted(pixel_flags=False), 1), (Wanted(False, False, False), 1)):
        network.asked = 0
        result = counted(Frame(image), settings, wanted)
        assert (network.asked, "perturbation" in result.timings_ms) == (passes, passes > 1)
    counted(Frame(image), settings, Wanted(False, False, False, ("input_noise",)))
    assert network.asked == 1 + 6


def test_what_a_network_cannot_be_perturbed_by_is_refused_with_the_way_out(pipeline, image):
    bare = TrustPipeline(Counting(pipeline.network))
    own = ThresholdSettings(pixel_score="mc_dropout")
    with pytest.raises(ScoreUnavailableError, match=r"'mc_dropout' for pixel flags: .*no dropout layers.*input_noise"):
        bare.check(own)
    with pytest.raises(ScoreUnavailableError, match="gives no features"):
        bare.check(replace(own, perturbation=PerturbationSettings("mc_dropout", dropout=0.2)))
    with pytest.raises(PerturbationUnavailableError):
        bare(Frame(image), own)
    with pytest.raises(ScoreUnavailableError, match="stretches every image"):
        bare.check(replace(own, pixel_score="input_scale"))
    bare.check(replace(own, pixel_score="input_noise"))


def test_they_flag_pixels_only_and_have_no_calibration(pipeline):
    with pytest.raises(ThresholdError, match="ood_score = 'input_noise'"):
        ThresholdSettings.constants(ood_score="input_noise")
    calibrated = ThresholdSettings(PolicySettings("conformal"), pixel_score="input_noise")
    with pytest.raises(PolicyRefusedError, match=r"by input_noise: .*not calibrated.* fixed, quantile"):
        pipeline.check(calibrated)
    pipeline.check(replace(calibrated, pixel=PolicySettings("quantile")))
    assert ThresholdSettings.constants(pixel_score="input_scale").pixel_score == "input_scale"


def test_the_past_of_another_statistic_does_not_count(pipeline, image):
    smooth = PolicySettings("quantile", quantile=0.9, smoothing_s=1000.0)
    settings = ThresholdSettings(smooth, pixel_score="mc_dropout", perturbation=PerturbationSettings("mc_dropout", 3))
    other = replace(settings, perturbation=PerturbationSettings("mc_dropout", 3, statistic="mutual_information"))
    pipeline.reset()
    alone = pipeline(Frame(image, 1), other, FLAGS).thresholds["pixel"]
    pipeline.reset()
    entropy = pipeline(Frame(image, 1), settings, FLAGS).thresholds["pixel"]
    assert pipeline(Frame(image, 2), other, FLAGS).thresholds["pixel"] == alone != entropy


def test_thresholds_beyond_their_range_are_remarked_on(pipeline):
    assert score_range("input_noise", 11) == (0.0, 1.0)
    (remark,) = remarks(pipeline, ThresholdSettings.constants(pixel=1.5, pixel_score="input_noise"))
    assert "1.5 is above all values of input_noise (0 to 1)" in remark


def test_a_single_answer_gives_none(pipeline, image):
    answer = pipeline.network.infer(image)
    with pytest.raises(PerturbationUnavailableError, match="TrustPipeline"):
        FrameScores(answer, uncertainty_maps(answer)).get("input_noise")
