"""Scores from perturbed passes: how much the answer changes when image or network change a little.

Sources: Gal and Ghahramani, Dropout as a Bayesian Approximation, ICML 2016; Kendall, Badrinarayanan and Cipolla,
Bayesian SegNet, BMVC 2017; Mi et al., Training-Free Uncertainty Estimation for Dense Regression: Sensitivity as a
Surrogate, AAAI 2022, whose infer-dropout, infer-noise and infer-transformation are the three kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.perturbation_passes import last_layer_rate, perturbed_passes
from trust_seg_ros.uncertainty.perturbation_settings import STATISTICS, PerturbationSettings
from trust_seg_ros.uncertainty.perturbation_sums import PassSums

LAST_LAYER_COST = 0.03
"""Cost of a pass of the last layer alone, in passes of the network; measured on the embedded one, see the docs."""
_SUMS_NS, _NOISE_NS = 1.4, 20.0  # per pixel and class, per pixel; one core of an AMD EPYC (Zen 4)


@dataclass(frozen=True)
class PerturbationMaps:
    """Statistics over the perturbed passes of one image, on the device of the network.

    Attributes:
        score: (H, W) float32 in [0, 1], the statistic of the settings; 1 where any pass was not finite.
        classes: (H, W) uint8, the lowest class with the largest mean softmax; ``UNLABELLED`` where any pass was not
            finite. It may differ from the unperturbed prediction.
        statistics: name -> map, for every requested statistic; ``score`` is among them.
        passes: number of passes.
        faulty_pixels: number of pixels that were not finite in any pass.
    """

    score: torch.Tensor
    classes: torch.Tensor
    statistics: Mapping[str, torch.Tensor]
    passes: int
    faulty_pixels: int = 0


def perturbation_score(
    network: SegmentationNetwork,
    image: np.ndarray,
    settings: PerturbationSettings,
    *,
    answer: LogitMaps | None = None,
) -> PerturbationMaps:
    """One perturbation score of every pixel; higher = less trustworthy.

    Deterministic: the same image, network and settings give the same map, whatever was computed before.

    Args:
        network: it is run ``settings.passes`` times; not at all for dropout of the last layer if ``answer`` is given.
        image: (H, W, 3) uint8 RGB.
        settings: which perturbation, how often, and which statistic.
        answer: the network's answer to the unperturbed image, if it is known; the score is made on its grid.

    Raises:
        PerturbationUnavailableError: the network cannot be perturbed this way.
        ImageError, ModelError: as ``SegmentationNetwork.infer``.
        LogitsError: an answer cannot be used.
    """
    return perturbation_maps(network, image, settings, (settings.statistic,), answer=answer)


def perturbation_maps(
    network: SegmentationNetwork,
    image: np.ndarray,
    settings: PerturbationSettings,
    statistics: Sequence[str] = STATISTICS,
    *,
    answer: LogitMaps | None = None,
) -> PerturbationMaps:
    """Like :func:`perturbation_score`, but with several statistics of the same passes.

    Raises:
        SettingError: no such statistic.
        Others: as :func:`perturbation_score`.
    """
    sums = PassSums(tuple(dict.fromkeys((settings.statistic, *statistics))))
    for maps in perturbed_passes(network, image, settings, answer):
        sums.add(maps if answer is None else replace(maps, size=answer.size))
    found = sums.statistics()
    classes = found.pop("classes")
    return PerturbationMaps(found[settings.statistic], classes, found, sums.passes, sums.faulty_pixels)


def check_perturbation(network: SegmentationNetwork, settings: PerturbationSettings) -> None:
    """Try two passes on a small picture before the first frame; for input_scale, the smallest and the largest input.

    Also compiles the kernels of the sums, or loads them from the cache.

    Raises:
        PerturbationUnavailableError: the network cannot be perturbed this way.
    """
    side = max(64, network.input_spec.stride)
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    perturbation_maps(network, image, replace(settings, passes=2))


def pass_cost(network: SegmentationNetwork, settings: PerturbationSettings) -> float:
    """Average time of one perturbed pass, in ordinary passes of the network; an upper limit where batches save time.

    Raises:
        PerturbationUnavailableError: mc_dropout of a network without dropout.
    """
    if settings.kind == "input_scale":
        return float(np.mean(np.square(settings.factors)))
    if settings.kind == "mc_dropout" and last_layer_rate(network, settings) is not None:
        return LAST_LAYER_COST
    return 1.0


def overhead_ms(settings: PerturbationSettings, size: tuple[int, int], classes: int) -> float:
    """Approximate time that a pass takes besides the network, on one core: drawing noise and adding up the answer.

    Args:
        settings: which perturbation.
        size: (H, W) of the image.
        classes: number q of classes.
    """
    each = _SUMS_NS * classes + (_NOISE_NS if settings.kind == "input_noise" else 0.0)
    return 1e-6 * size[0] * size[1] * each


def predicted_ms(network_ms: float, passes: int, *, cost: float = 1.0, sums_ms: float = 0.0) -> float:
    """Predicted time of a frame with a perturbation score: one ordinary pass and ``passes`` perturbed ones.

    Args:
        network_ms: measured time of one pass.
        passes: K.
        cost: cost of a perturbed pass, see :func:`pass_cost`.
        sums_ms: time to add up one answer, and to draw its noise, see :func:`overhead_ms`.
    """
    return network_ms * (1.0 + passes * cost) + passes * sums_ms


def most_passes(network_ms: float, budget_ms: float, *, cost: float = 1.0, sums_ms: float = 0.0) -> int:
    """The largest K whose ``predicted_ms`` is at most ``budget_ms``; 0 when there is none."""
    each = network_ms * cost + sums_ms
    return max(0, int((budget_ms - network_ms) / each + 1e-9)) if each > 0 else 0
