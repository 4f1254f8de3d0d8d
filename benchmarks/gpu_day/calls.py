"""What is called on the day with a GPU: a street in logits, and every function around kernels, ready to be called.

A new function with kernels is a row of ``FUNCTIONS``, or a call in ``every_call``; a kernel that nothing here reaches
fails the gate of ``compiled.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unittest import mock

import torch
from torch.nn import functional

from trust_seg_ros.messages.paint_gpu import PLANES, Paints, painted
from trust_seg_ros.meta.features import is_one_hot
from trust_seg_ros.meta.model_file import SHIPPED, load_meta_model
from trust_seg_ros.meta.ood import load_ood_model
from trust_seg_ros.meta.predict_gpu import device_predict
from trust_seg_ros.meta.shipped import FOLDER
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.segmentation.upload_gpu import device_input
from trust_seg_ros.segments.families import families_of
from trust_seg_ros.segments.features import MAP_FIELDS, feature_set
from trust_seg_ros.segments.labelling_gpu import DeviceComponents, device_components, over_threshold
from trust_seg_ros.segments.metrics_gpu import device_metrics
from trust_seg_ros.segments.sums_gpu import DeviceSums, device_sums
from trust_seg_ros.support.first_kernel_gpu import counted
from trust_seg_ros.thresholds.histogram_gpu import mean_std_gpu, otsu_gpu, quantile_gpu
from trust_seg_ros.types import Classifier, LogitMaps
from trust_seg_ros.uncertainty.gradient_gpu import enqueue_gradients
from trust_seg_ros.uncertainty.gradient_inputs import LABELS, GradientSettings
from trust_seg_ros.uncertainty.maps_gpu import DeviceMaps, device_maps, device_score

CAPACITY = 4096
CHANNELS = 256
"""Of the features before the last convolution."""


@dataclass(frozen=True)
class Scene:
    """An answer of a network, and what the first steps make of it, for functions that begin later."""

    logits: LogitMaps
    maps: DeviceMaps
    found: DeviceComponents
    sums: DeviceSums
    metrics: torch.Tensor


def street(
    size: tuple[int, int], low: tuple[int, int], q: int, device: torch.device, dtype: torch.dtype = torch.float32
) -> LogitMaps:
    """Smooth logits (q, *low) with large and small structures: 2,000 segments at 1080×1920 from 270×480, 19 classes."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(1, q, *low)
    for cell, weight in ((64, 4.0), (16, 1.5), (4, 1.5)):
        grid = [max(2, -(-side // cell)) for side in low]
        noise = torch.randn(1, q, *grid, generator=generator)
        total += weight * functional.interpolate(noise, size=low, mode="bicubic", align_corners=False)
    features = torch.randn(CHANNELS, *low, generator=generator).to(device, torch.float16)
    last = Classifier(torch.zeros(q, CHANNELS, 1, 1, device=device))
    return LogitMaps(total[0].to(device, dtype), size, features=features, classifier=last)


def scene_of(logits: LogitMaps, capacity: int = CAPACITY) -> Scene:
    """The steps of a frame, one after the other."""
    maps, found, sums = metaseg(logits, "all", capacity)
    return Scene(logits, maps, found, sums, metrics(sums, logits))


def metaseg(
    logits: LogitMaps, features: str = "metaseg", capacity: int = CAPACITY
) -> tuple[DeviceMaps, DeviceComponents, DeviceSums]:
    """Maps, labelling and all sums that a set of metrics needs."""
    maps = device_maps(logits)
    found = device_components(maps.classes)
    return maps, found, sums_for(features, logits, maps, found, capacity)


def sums_for(
    features: str, logits: LogitMaps, maps: DeviceMaps, found: DeviceComponents, capacity: int = CAPACITY
) -> DeviceSums:
    """The sums that a set of metrics needs: neighbours for all but the smallest one."""
    planes = {prefix: getattr(maps, MAP_FIELDS[prefix]) for prefix in feature_set(features).maps}
    return device_sums(
        found, planes, named=maps.classes, answer=logits, log_sum=maps.log_sum, neighbours=features != "metaseg",
        n_classes=len(logits.logits), capacity=capacity,
    )  # fmt: skip


def metrics(sums: DeviceSums, logits: LogitMaps) -> torch.Tensor:
    """All metrics of the segments."""
    families = families_of(feature_set("all").families)
    return device_metrics(sums, families, tuple(sums.maps), len(logits.logits), logits.size)


@cache
def judges() -> tuple[Any, Any]:
    """The shipped meta models of segments and of OoD segments, the second without its trees, as the kernel has none."""
    return load_meta_model(SHIPPED), replace(load_ood_model(FOLDER / "embedded_ood_meta.json"), trees=None, time=None)


def predictions(scene: Scene, model: Any) -> Any:
    """A meta model's predictions, from as many metrics as it needs, all 0."""
    names = [name for name in model.features if not is_one_hot(name)]
    outlines = scene.sums.outlines
    metrics = torch.zeros(len(outlines), len(names), dtype=torch.float64, device=outlines.device)
    return device_predict(model, names, metrics, scene.found.count, outlines[:, 0])


def gradients(logits: LogitMaps, **settings: Any) -> Any:
    """Both gradient scores."""
    return enqueue_gradients(logits, GradientSettings(**settings), LABELS)


def threshold(scene: Scene, find: Callable[..., float], *parameters: float) -> float:
    """A threshold of the entropy; the function waits for what its kernels count."""
    score, classes = scene.maps.entropy, scene.maps.classes
    if not score.is_meta:
        return find(score, *parameters, classes)
    with mock.patch.object(
        torch, "zeros", torch.ones
    ):  # no kernel runs, and counts of one stand for what it would count
        return find(torch.full(score.shape, 0.5), *parameters, torch.full(score.shape, 1, dtype=torch.uint8))


def pictures(scene: Scene, size: tuple[int, int] | None = None) -> dict[str, torch.Tensor]:
    """All planes of published images."""
    maps, ids = scene.maps, scene.found.ids
    painted_for = torch.zeros(CAPACITY, dtype=torch.uint8, device=ids.device)
    flags = torch.zeros_like(maps.classes)
    paints = Paints(
        maps.classes, maps.entropy, maps.margin, ids, ids, flags, painted_for, painted_for, painted_for.int()
    )
    return painted(paints, PLANES, size)


def network_input(scene: Scene, size: tuple[int, int] | None = None, half: bool = True) -> torch.Tensor:
    """An image of the scene's size as a network's input."""
    image = torch.zeros((*scene.logits.size, 3), dtype=torch.uint8, device=scene.logits.logits.device)
    return device_input(image, InputSpec(size=size, half=half))


FUNCTIONS: dict[str, Callable[[Scene], Any]] = {
    "input": network_input,
    "maps": lambda scene: device_maps(scene.logits),
    "maps, max logit, energy": lambda scene: device_maps(scene.logits, max_logit=True, energy=True),
    "labelling": lambda scene: device_components(scene.maps.classes),
    "OoD mask and labelling": lambda scene: device_components(over_threshold(scene.maps.entropy, 0.5)),
    "sums of metaseg": lambda scene: sums_for("metaseg", scene.logits, scene.maps, scene.found),
    "sums of meta_ood": lambda scene: sums_for("meta_ood", scene.logits, scene.maps, scene.found),
    "metrics": lambda scene: metrics(scene.sums, scene.logits),
    "meta model": lambda scene: predictions(scene, judges()[0]),
    "gradient scores": lambda scene: gradients(scene.logits),
    "pictures": pictures,
    "quantile": lambda scene: threshold(scene, quantile_gpu, 0.9),
    "Otsu": lambda scene: threshold(scene, otsu_gpu),
    "mean and deviation": lambda scene: threshold(scene, mean_std_gpu, 2.0),
}


def every_call() -> None:
    """Every function around kernels, with the types, alignments and constants that matter; nothing has memory."""
    nowhere = torch.device("meta")
    counted(nowhere)
    large = scene_of(street((96, 128), (24, 32), 19, nowhere))
    for dtype in (torch.float16, torch.bfloat16):
        device_maps(street((96, 128), (24, 32), 19, nowhere, dtype))
        sums_for("all", replace(large.logits, logits=large.logits.logits.to(dtype)), large.maps, large.found)
    odd = scene_of(replace(street((45, 61), (11, 15), 3, nowhere), raw=False), capacity=7)
    for scene in (large, odd, scene_of(street((1, 1), (1, 1), 2, nowhere), capacity=1)):
        for function in FUNCTIONS.values():
            function(scene)
    for energy in (False, True):
        device_score(large.logits, energy=energy)
    other = torch.zeros(96, 128, dtype=torch.uint8)  # not the memory that the components were found in
    for size in ((50, 60), (200, 300)):  # smaller and larger
        network_input(large, size, half=False)
        pictures(large, size)
    for planes in ({"energy": large.maps.entropy}, {}):
        device_sums(
            large.found, planes, named=other, answer=None, log_sum=None, neighbours=True, n_classes=19,
            capacity=CAPACITY,
        )  # fmt: skip
    device_components(over_threshold(large.maps.entropy, torch.zeros(1, device=nowhere)))
    predictions(large, judges()[1])
    for p in (0.5, 1.0, 2.0):
        for variant in ("exact", "published"):
            gradients(large.logits, p=p, variant=variant, scale="log")
