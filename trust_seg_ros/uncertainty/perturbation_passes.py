"""The K answers of a network to one image, perturbed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import torch

from trust_seg_ros.segmentation.dropout import DropoutRate, last_layer_passes
from trust_seg_ros.segmentation.errors import ModelError
from trust_seg_ros.segmentation.protocol import BatchedNetwork, DropoutNetwork, SegmentationNetwork
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.errors import PerturbationUnavailableError
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings


def perturbed_passes(
    network: SegmentationNetwork,
    image: np.ndarray,
    settings: PerturbationSettings,
    answer: LogitMaps | None = None,
) -> Iterator[LogitMaps]:
    """The network's answers to ``image``, one by one; ``settings.batch`` of them are in memory at a time.

    Args:
        network: any network; a perturbation that it does not support is an error.
        image: (H, W, 3) uint8 RGB.
        settings: kind, number and strength of the perturbations.
        answer: the network's answer to the unperturbed image, if known; dropout of the last layer starts from it.

    Yields:
        ``settings.passes`` answers; always the same ones for the same arguments.

    Raises:
        PerturbationUnavailableError: the network cannot be perturbed this way; the text says why, and what can be done.
        ImageError, ModelError: as ``SegmentationNetwork.infer``.
    """
    if settings.kind == "input_noise":
        return _noisy(network, image, settings)
    if settings.kind == "input_scale":
        return _scaled(network, image, settings)
    how = last_layer_rate(network, settings)
    if how is None:
        return _dropped(network, image, settings)
    return _dropped_last(network, network.infer(image) if answer is None else answer, settings, how)


def last_layer_rate(network: SegmentationNetwork, settings: PerturbationSettings) -> DropoutRate | None:
    """How the last layer's input is dropped, if ``mc_dropout`` does nothing else; None = whole passes are needed.

    Raises:
        PerturbationUnavailableError: the network has no dropout, and ``settings.dropout`` sets none.
    """
    if settings.dropout > 0:
        return DropoutRate(settings.dropout)
    if not isinstance(network, DropoutNetwork) or not network.dropout_layers:
        raise PerturbationUnavailableError(
            f"mc_dropout: network {network.name!r} has no dropout layers that can be switched on (exported files never "
            "have). Use input_noise or input_scale, or drop channels of the last layer's input with a dropout rate, "
            "for example 0.2, which the network was not trained for"
        )
    return network.last_dropout


def scaled_size(network: SegmentationNetwork, image: np.ndarray, factor: float) -> tuple[int, int]:
    """(h, w) of the network's usual input times a factor, rounded to whole strides."""
    spec = network.input_spec
    usual = spec.size_for((image.shape[0], image.shape[1]))
    height, width = (max(spec.stride, round(side * factor / spec.stride) * spec.stride) for side in usual)
    return height, width


def add_noise(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """``image`` + N(0, sigma²) in grey levels, rounded and clipped as a sensor does; independent for every value."""
    generator = np.random.Generator(np.random.SFC64(seed))
    noise = generator.standard_normal(image.shape, np.float32)
    noise *= np.float32(sigma)
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def _noisy(network: SegmentationNetwork, image: np.ndarray, settings: PerturbationSettings) -> Iterator[LogitMaps]:
    image = np.ascontiguousarray(image)
    step = settings.batch if isinstance(network, BatchedNetwork) else 1
    for start in range(0, settings.passes, step):
        images = [add_noise(image, settings.sigma, seed) for seed in settings.seeds[start : start + step]]
        if isinstance(network, BatchedNetwork):
            yield from network.infer_batch(images)
        else:
            yield network.infer(images[0])


def _scaled(network: SegmentationNetwork, image: np.ndarray, settings: PerturbationSettings) -> Iterator[LogitMaps]:
    """Answers to inputs of K sizes: logits on different grids, which the sums resample to the grid of the image."""
    for factor in settings.factors:
        height, width = scaled_size(network, image, factor)
        if isinstance(network, BatchedNetwork):
            try:
                yield network.infer_batch([image], input_size=(height, width))[0]
            except ModelError as error:
                raise PerturbationUnavailableError(
                    f"input_scale: network {network.name!r} does not take inputs of {width}x{height}; use input_noise. "
                    f"It said: {error}"
                ) from error
        elif network.input_spec.size is None:
            how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
            answer = network.infer(cv2.resize(image, (width, height), interpolation=how))
            yield replace(answer, size=(image.shape[0], image.shape[1]))
        else:
            raise PerturbationUnavailableError(
                f"input_scale: network {network.name!r} stretches every image to {network.input_spec.size} and has no "
                "infer_batch that takes another input_size; use input_noise"
            )


def _dropped(network: SegmentationNetwork, image: np.ndarray, settings: PerturbationSettings) -> Iterator[LogitMaps]:
    assert isinstance(network, DropoutNetwork)
    for start in range(0, settings.passes, settings.batch):
        yield from network.infer_dropout(image, settings.seeds[start : start + settings.batch])


@torch.inference_mode()
def _last_logits(answer: LogitMaps, how: DropoutRate, seeds: tuple[int, ...]) -> torch.Tensor:
    assert answer.features is not None
    assert answer.classifier is not None
    return last_layer_passes(answer.features, answer.classifier, how, seeds).float()


def _dropped_last(
    network: SegmentationNetwork, answer: LogitMaps, settings: PerturbationSettings, how: DropoutRate
) -> Iterator[LogitMaps]:
    if answer.features is None or answer.classifier is None:
        raise PerturbationUnavailableError(
            f"mc_dropout: network {network.name!r} gives no features with its last convolution, whose input could be "
            "dropped; use input_noise or input_scale"
        )
    for start in range(0, settings.passes, settings.batch):
        for logits in _last_logits(answer, how, settings.seeds[start : start + settings.batch]):
            yield LogitMaps(logits, answer.size, placement=answer.placement)
