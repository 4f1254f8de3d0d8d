"""Gain and cost of fine-tuning: AuPRC and FPR95 of the entropy on unknown objects, mIoU on known classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.evaluation.anomaly.curves import average_precision, fpr_at_tpr
from trust_seg_ros.evaluation.anomaly.pooling import pooled_scores
from trust_seg_ros.evaluation.confusion import ConfusionMatrix
from trust_seg_ros.segmentation.checks import read_output
from trust_seg_ros.segmentation.modules import NamedModule
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.training.ood_sources import LabelledSource
from trust_seg_ros.types import LogitMaps, UncertaintyMaps
from trust_seg_ros.uncertainty import uncertainty_maps


def qualities(
    named: NamedModule,
    device: torch.device,
    labelled: Sequence[tuple[str, LabelledSource]],
    ood: Sequence[tuple[str, OodImages]],
    tick: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Measure the network: "measure name" -> number in [0, 1].

    Args:
        named: the network, on ``device``; it stays in evaluation mode.
        device: device of the network.
        labelled: (name, images) to compute the mIoU on: over all pixels together, at the labels' resolution.
        ood: (name, images) to compute AuPRC and FPR95 of the entropy on, pooled over all pixels by
            a histogram of 2^24 bins.
        tick: called after every image.

    Raises:
        AnomalyError: a set of ``ood`` has no OoD pixel, or no other.
        DatasetError: a file is wrong.
    """
    found: dict[str, float] = {}
    predict = predicted_by(named, device)
    for name, source in labelled:
        confusion = ConfusionMatrix(len(named.labels))
        for image, labels in _all(source, tick):
            confusion.add(labels, predict(image))
        found[f"mIoU {name}"] = confusion.mean_iou()
    for name, images in ood:
        pool = pooled_scores("histogram")
        for number in range(len(images)):
            image, truth = images.read(number)
            pool.add(_maps(named, image, device).entropy.numpy(force=True), truth)
            tick()
        counts = pool.counts()
        found |= {f"AuPRC {name}": average_precision(counts), f"FPR95 {name}": fpr_at_tpr(counts)}
    return found


def predicted_by(named: NamedModule, device: torch.device) -> Callable[[np.ndarray], np.ndarray]:
    """Image (H, W, 3) uint8 RGB -> classes (H, W) uint8 that the network predicts; it stays in evaluation mode."""
    return lambda image: _maps(named, image, device).classes.numpy(force=True)


def _all(source: LabelledSource, tick: Callable[[], None]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for number in range(len(source)):
        yield source.read(number)
        tick()


@torch.inference_mode()
def _maps(named: NamedModule, image: np.ndarray, device: torch.device) -> UncertaintyMaps:
    logits, _ = read_output(named.module(preprocess(image, named.input_spec, device)))
    return uncertainty_maps(LogitMaps(logits[0].float(), (image.shape[0], image.shape[1])))
