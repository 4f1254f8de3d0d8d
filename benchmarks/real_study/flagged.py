"""The default threshold on P(wrong): what it finds and what it costs, on CamVid and on places kept for judging."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch

import numpy as np
import shipped
from folders import Places
from sheets import Numbers, Sheet
from wrong_segments import JUDGED, LARGE, Judged, judged, street_photos, together

from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.pipeline import TrustPipeline

KEPT_PLACES = ("*palma*", "*puigpunyent*", "*night*", "*barcelona_static_street*", "*madrid*", "*paris*")
"""Folders of street_photos that nothing is fitted on, whatever is fitted on the others."""
NIGHT = "*night*"


def measure(places: Places) -> list[Sheet]:
    """The sheet ``unreliable``."""
    pipeline = shipped.load(places.runs)
    camvid = open_dataset(places.data / "camvid", "test", pipeline.labels)
    home = _together(pipeline, map(camvid.read, camvid), pipeline.labels.names)
    streets = street_photos(places, pipeline)
    towns = [(sample.image.parent.name, sample) for sample in streets]
    kept = [(name, sample) for name, sample in towns if any(fnmatch(name, pattern) for pattern in KEPT_PLACES)]
    by_light = {}
    for dark in (False, True):
        pictures = (streets.read(sample) for name, sample in kept if fnmatch(name, NIGHT) == dark)
        by_light[dark] = _together(pipeline, pictures, JUDGED)
    away = together(list(by_light.values()))
    table = {
        "CamVid test, fitted on": numbers(home),
        "other towns": numbers(away),
        "of them by day": numbers(by_light[False]),
        "of them by night": numbers(by_light[True]),
        f"other towns, {LARGE:,} pixels and more": numbers(away.rows(away.sizes >= LARGE)),
    }
    return [Sheet("unreliable", "The default threshold on P(wrong)", "segments", table)]


def _together(
    pipeline: TrustPipeline, pictures: Iterable[tuple[np.ndarray, np.ndarray]], classes: tuple[str, ...]
) -> Judged:
    return together([judged(pipeline, image, truth, k, classes)[1] for k, (image, truth) in enumerate(pictures)])


def numbers(found: Judged) -> Numbers:
    """What is flagged among wrong and right segments: counted one by one, and by their area."""
    acted, wrong, area = found.acted, found.wrong, found.sizes
    return {
        "segments": float(len(wrong)),
        "wrong, %": _share(wrong),
        "wrong found, %": _share(acted[wrong]),
        "right flagged, %": _share(acted[~wrong]),
        "wrong when flagged, %": _share(wrong[acted]),
        "area wrong, %": _share(wrong, area),
        "wrong area found, %": _share(acted[wrong], area[wrong]),
        "right area flagged, %": _share(acted[~wrong], area[~wrong]),
    }


def _share(chosen: np.ndarray, weights: np.ndarray | None = None) -> float:
    return float(np.average(chosen, weights=weights)) if len(chosen) else np.nan
