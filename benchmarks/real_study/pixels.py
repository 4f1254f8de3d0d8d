"""The default pixel threshold: what it finds and what it costs, on pictures that it was not calibrated on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import shipped
from folders import Places
from sheets import Numbers, Sheet
from wrong_segments import street_photos

from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.types import UNLABELLED, Frame, Wanted

Marked = tuple[np.ndarray, np.ndarray, np.ndarray]
"""(n,) bool each, of the pixels with a truth: flagged, to be found, and threshold as (1,) float64."""


def measure(places: Places) -> list[Sheet]:
    """The sheet ``pixels``."""
    pipeline = shipped.load(places.runs)
    table = {
        "CamVid test: misclassified": _numbers(_camvid(pipeline, places)),
        "other towns: misclassified": _numbers(_streets(pipeline, places)),
        "unknown objects: on them": _numbers(_objects(pipeline, places)),
    }
    return [Sheet("pixels", "The default pixel threshold", "pixels to find", table)]


def _numbers(pictures: Iterable[Marked]) -> Numbers:
    counts, thresholds = np.zeros((2, 2)), []
    for flagged, wanted, threshold in pictures:
        counts += [[(flagged & wanted).sum(), wanted.sum()], [(flagged & ~wanted).sum(), (~wanted).sum()]]
        thresholds.append(float(threshold[0]))
    (hit, wanted), (false, others) = counts
    return {
        "share of all, %": float(wanted / (wanted + others)),
        "found, %": float(hit / wanted),
        "flagged, %": float((hit + false) / (wanted + others)),
        "of the others, %": float(false / others),
        "right when flagged, %": float(hit / (hit + false)) if hit + false else np.nan,
        "mean threshold": float(np.mean(thresholds)),
    }


def _labelled(pipeline: TrustPipeline, pictures: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[Marked]:
    for image, truth in pictures:
        found = pipeline(Frame(image), shipped.thresholds(), Wanted(segments=False, ood=False))
        assert found.pixel_flags is not None
        known = truth != UNLABELLED
        wrong = found.maps.classes.numpy() != truth
        yield found.pixel_flags[known], wrong[known], np.array([found.thresholds["pixel"]])


def _camvid(pipeline: TrustPipeline, places: Places) -> Iterator[Marked]:
    folder = open_dataset(places.data / "camvid", "test", pipeline.labels)
    return _labelled(pipeline, map(folder.read, folder))


def _streets(pipeline: TrustPipeline, places: Places) -> Iterator[Marked]:
    folder = street_photos(places, pipeline)
    return _labelled(pipeline, map(folder.read, folder))


def _objects(pipeline: TrustPipeline, places: Places) -> Iterator[Marked]:
    images = open_ood_images(str(places.data / "roadanomaly_open"))
    for index in range(len(images)):
        image, truth = images.read(index)
        found = pipeline(Frame(image), shipped.thresholds(), Wanted(segments=False, ood=False))
        assert found.pixel_flags is not None
        known = truth != UNLABELLED
        yield found.pixel_flags[known], (truth == 1)[known], np.array([found.thresholds["pixel"]])
