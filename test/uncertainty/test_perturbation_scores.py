import numpy as np
import pytest
import torch

from trust_seg_ros.segmentation import load_network
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.errors import PerturbationUnavailableError, SettingError
from trust_seg_ros.uncertainty.maps import uncertainty_maps
from trust_seg_ros.uncertainty.perturbation import (
    check_perturbation,
    most_passes,
    overhead_ms,
    pass_cost,
    perturbation_maps,
    perturbation_score,
    predicted_ms,
)
from trust_seg_ros.uncertainty.perturbation_passes import add_noise, perturbed_passes, scaled_size
from trust_seg_ros.uncertainty.perturbation_reference import reference_statistics
from trust_seg_ros.uncertainty.perturbation_settings import KINDS, STATISTICS, PerturbationSettings

SIZE = (72, 96)


@pytest.fixture(scope="module")
def network():
    return load_network(device="cpu", input_size=(96, 128))


@pytest.fixture(scope="module")
def image():
    return training_sample(5, SIZE, ("box",), 5.0)[0]


class Plain:
    """A complete network that has nothing but what the protocol asks for."""

    def __init__(self, network, size=None):
        self.name, self.labels, self.device, self.raw = "plain", network.labels, network.device, True
        self.input_spec = InputSpec(size=size, stride=32)
        self.seen = []
        self._network = network

    def infer(self, image):
        self.seen.append(image.shape[:2])
        maps = self._network.infer(image)
        return LogitMaps(maps.logits, maps.size)

    def warm_up(self, size):
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_are_those_of_the_passes(network, image, kind):
    settings = PerturbationSettings(kind, passes=3)
    maps = perturbation_maps(network, image, settings)
    expected = reference_statistics(list(perturbed_passes(network, image, settings)))
    assert set(maps.statistics) == set(STATISTICS)
    for name in STATISTICS:
        values = maps.statistics[name]
        assert values.shape == SIZE
        assert values.dtype == torch.float32
        assert float((values - expected[name]).abs().max()) < 1e-5
        assert 0.0 <= float(values.min()) <= float(values.max()) <= 1.0
    assert float((maps.classes != expected["classes"]).float().mean()) < 1e-3
    assert float(maps.statistics["mutual_information"].max()) > 0.0
    assert maps.passes == 3
    assert maps.faulty_pixels == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_score_is_the_statistic_of_the_settings(network, image, kind, statistic):
    settings = PerturbationSettings(kind, passes=2, statistic=statistic)
    maps = perturbation_score(network, image, settings)
    assert list(maps.statistics) == [statistic]
    assert maps.score is maps.statistics[statistic]
    assert torch.equal(maps.score, perturbation_maps(network, image, settings).score)


@pytest.mark.parametrize("kind", ["mc_dropout", "input_noise"])
def test_frames_do_not_depend_on_frames_before(network, image, kind):
    settings = PerturbationSettings(kind, passes=3, seed=4)
    first = perturbation_score(network, image, settings).score
    perturbation_score(network, image[::-1], settings)
    torch.manual_seed(8)
    np.random.seed(8)
    assert torch.equal(perturbation_score(network, image, settings).score, first)
    other = perturbation_score(network, image, PerturbationSettings(kind, passes=3, seed=5)).score
    assert not torch.equal(other, first)


@pytest.mark.parametrize("kind", ["mc_dropout", "input_noise"])
def test_the_batch_changes_nothing_but_rounding(network, image, kind):
    scores = [
        perturbation_score(network, image, PerturbationSettings(kind, passes=5, batch=batch)).score
        for batch in (1, 2, 9)
    ]
    assert all(torch.allclose(score, scores[0], atol=1e-4) for score in scores)


def test_hardly_any_perturbation_leaves_the_softmax_entropy(network, image):
    usual = uncertainty_maps(network.infer(image))
    noise = perturbation_maps(network, image, PerturbationSettings("input_noise", sigma=1e-3, passes=3))
    assert torch.allclose(noise.statistics["entropy"], usual.entropy, atol=1e-5)
    assert float(noise.statistics["mutual_information"].max()) < 1e-5
    assert float(noise.statistics["vote_variation"].max()) == 0.0
    assert torch.equal(noise.classes, usual.classes)


def test_more_noise_makes_more_disagreement(network, image):
    means = [
        float(
            perturbation_maps(network, image, PerturbationSettings("input_noise", sigma=sigma)).statistics[name].mean()
        )
        for name in ("mutual_information", "vote_variation")
        for sigma in (2.0, 8.0, 32.0)
    ]
    assert means[0] < means[1] < means[2]
    assert means[3] < means[4] < means[5]


def test_more_dropout_makes_more_disagreement(network, image):
    means = [
        float(perturbation_score(network, image, settings).score.mean())
        for settings in (
            PerturbationSettings("mc_dropout", dropout=rate, statistic="mutual_information") for rate in (0.0, 0.3, 0.6)
        )
    ]
    assert 0 < means[0] < means[1] < means[2]


def test_dropout_of_the_last_layer_starts_from_the_answer_there_is(network, image):
    settings = PerturbationSettings("mc_dropout", passes=4)
    answer = network.infer(image)
    plain = Plain(network)
    plain.dropout_layers, plain.last_dropout = ("dropout",), network.last_dropout
    plain.infer_dropout = network.infer_dropout
    maps = perturbation_score(plain, image, settings, answer=answer)
    assert plain.seen == []
    assert torch.allclose(maps.score, perturbation_score(network, image, settings).score, atol=1e-5)


def test_noise_has_its_standard_deviation():
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = add_noise(grey, 6.0, 3)
    assert noisy.dtype == np.uint8
    assert noisy.std() == pytest.approx(6.0, rel=0.02)
    assert noisy.mean() == pytest.approx(128.0, abs=0.1)
    assert np.array_equal(noisy, add_noise(grey, 6.0, 3))
    assert not np.array_equal(noisy, add_noise(grey, 6.0, 4))
    values = noisy.astype(float)
    assert abs(np.corrcoef(values[..., 0].ravel(), values[..., 1].ravel())[0, 1]) < 0.02


def test_noise_is_clipped_not_wrapped():
    assert add_noise(np.full((50, 50, 3), 255, np.uint8), 20.0, 0).min() > 150
    assert add_noise(np.zeros((50, 50, 3), np.uint8), 20.0, 0).max() < 105


def test_scales_are_those_of_the_networks_input(network, image):
    settings = PerturbationSettings("input_scale", passes=3, scales=(0.5, 2.0))
    assert settings.factors == pytest.approx((0.5, 1.0, 2.0))
    assert [scaled_size(network, image, f) for f in settings.factors] == [(64, 64), (96, 128), (192, 256)]
    shapes = [maps.logits.shape[1:] for maps in perturbed_passes(network, image, settings)]
    assert shapes == [(16, 16), (24, 32), (48, 64)]


def test_a_plain_network_of_any_size_can_be_scaled(network, image):
    plain = Plain(network)
    maps = perturbation_score(plain, image, PerturbationSettings("input_scale", passes=3, scales=(0.5, 2.0)))
    assert plain.seen == [(32, 64), (64, 96), (128, 192)]
    assert maps.score.shape == SIZE


def test_a_plain_network_takes_noise(network, image):
    settings = PerturbationSettings("input_noise", passes=3)
    found = perturbation_score(Plain(network), image, settings).score
    assert torch.allclose(found, perturbation_score(network, image, settings).score, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "size", "said"),
    [
        (PerturbationSettings("mc_dropout"), None, "has no dropout layers"),
        (PerturbationSettings("mc_dropout", dropout=0.2), None, "gives no features"),
        (PerturbationSettings("input_scale"), (64, 64), "use input_noise"),
    ],
)
def test_what_a_network_cannot_do_is_said(network, image, settings, size, said):
    plain = Plain(network, size)
    with pytest.raises(PerturbationUnavailableError, match=said):
        perturbation_score(plain, image, settings)
    with pytest.raises(PerturbationUnavailableError, match=said):
        check_perturbation(plain, settings)


def test_a_network_of_a_fixed_size_refuses_scales(image):
    class Fixed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 11, 1)
            self.place = torch.nn.Parameter(torch.zeros(1, 3, 64, 64))

        def forward(self, x):
            return self.conv(x + self.place)

    from trust_seg_ros.segmentation import load_labels
    from trust_seg_ros.segmentation.loader_row import from_module

    fixed = from_module(Fixed(), "fixed", load_labels("camvid11"), InputSpec(size=(64, 64)), torch.device("cpu"), False)
    with pytest.raises(PerturbationUnavailableError, match="does not take inputs of 45x45"):
        perturbation_score(fixed, image, PerturbationSettings("input_scale"))
    check_perturbation(fixed, PerturbationSettings("input_noise"))


def test_costs(network):
    assert pass_cost(network, PerturbationSettings("input_noise")) == 1.0
    assert pass_cost(network, PerturbationSettings("mc_dropout")) < 0.1
    assert pass_cost(network, PerturbationSettings("input_scale", passes=3, scales=(0.5, 2.0))) == pytest.approx(1.75)
    with pytest.raises(PerturbationUnavailableError):
        pass_cost(Plain(network), PerturbationSettings("mc_dropout"))


def test_time_beside_the_network_grows_with_the_image():
    noise, scale = PerturbationSettings("input_noise"), PerturbationSettings("input_scale")
    assert overhead_ms(scale, (720, 960), 11) == pytest.approx(4 * overhead_ms(scale, (360, 480), 11))
    assert overhead_ms(scale, (360, 480), 11) == pytest.approx(2.66, abs=0.01)
    assert overhead_ms(noise, (360, 480), 11) > overhead_ms(scale, (360, 480), 11)


def test_time_is_predicted_and_limits_the_passes():
    assert predicted_ms(20.0, 4) == 100.0
    assert predicted_ms(20.0, 4, cost=0.5, sums_ms=1.0) == 64.0
    assert most_passes(20.0, 100.0) == 4
    assert most_passes(20.0, 99.9) == 3
    assert most_passes(20.0, 10.0) == 0
    for budget in (50.0, 77.7, 300.0):
        k = most_passes(12.0, budget, cost=0.3, sums_ms=0.7)
        limits = [predicted_ms(12.0, n, cost=0.3, sums_ms=0.7) for n in (k, k + 1)]
        assert limits[0] <= budget < limits[1]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "noise"}, "kind is 'noise'; choose one of: mc_dropout, input_noise, input_scale"),
        ({"statistic": "std"}, "statistic is 'std'"),
        ({"passes": 1}, "passes is 1; expected a whole number from 2 to 255"),
        ({"passes": 256}, "passes is 256"),
        ({"passes": True}, "passes is True"),
        ({"sigma": 0.0}, "sigma is 0.0"),
        ({"sigma": float("nan")}, "sigma is nan"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"scales": (1.0, 1.0)}, "scales are"),
        ({"scales": (0.0, 1.0)}, "scales are"),
        ({"scales": (0.5,)}, "scales are"),
        ({"seed": -1}, "seed is -1"),
        ({"batch": 0}, "batch is 0"),
    ],
)
def test_settings_out_of_range(values, said):
    with pytest.raises(SettingError) as error:
        PerturbationSettings(**{"kind": "input_noise", **values})
    assert said in str(error.value)
