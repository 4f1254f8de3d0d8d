"""The same pictures at 1 to 4 times the size, and cut to other shapes: do the judges say the same?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import shipped
from folders import Places
from sheets import Numbers, Sheet
from unknown import found_in, gain, order
from wrong_segments import judged, street_photos, together

from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.grid import resized
from trust_seg_ros.pipeline import TrustPipeline

ONE = 480 * 360
"""Pixels of a picture at 1x; its shape stays as it is."""
SCALES = (1, 2, 3, 4)
SHAPES = {"1:1": 1.0, "4:3": 4 / 3, "16:9": 16 / 9, "21:9": 21 / 9}
EVERY = 8
"""Every eighth street photograph is taken."""
Picture = tuple[np.ndarray, np.ndarray]
"""Image and truth."""
SPREAD = "largest difference, 1x to 4x"


def measure(places: Places) -> list[Sheet]:
    """The sheets ``sizes`` and ``shapes``."""
    pipeline = shipped.load(places.runs)
    sizes = {f"{scale}x": _numbers(pipeline, places, scaled(scale)) for scale in SCALES}
    sizes[SPREAD] = _spread(list(sizes.values()))
    cuts = {name: _numbers(pipeline, places, cut(ratio)) for name, ratio in SHAPES.items()}
    return [
        Sheet("sizes", "The same pictures at other sizes", "size", sizes),
        Sheet("shapes", "The same pictures cut to other shapes", "shape", cuts),
    ]


def scaled(scale: float) -> Callable[[Picture], Picture]:
    """A picture at ``scale`` times the side that it has with 480x360 pixels."""

    def change(picture: Picture) -> Picture:
        image, truth = picture
        factor = scale * math.sqrt(ONE / truth.size)
        size = round(factor * truth.shape[0]), round(factor * truth.shape[1])
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        return cv2.resize(image, size[::-1], interpolation=how), resized(truth, size)

    return change


def cut(ratio: float) -> Callable[[Picture], Picture]:
    """The middle of a picture, as large as it gets with this ratio of width and height."""

    def change(picture: Picture) -> Picture:
        image, truth = picture
        height, width = truth.shape
        rows, columns = min(height, round(width / ratio)), min(width, round(height * ratio))
        top, left = (height - rows) // 2, (width - columns) // 2
        part = slice(top, top + rows), slice(left, left + columns)
        return np.ascontiguousarray(image[part]), np.ascontiguousarray(truth[part])

    return change


def _numbers(pipeline: TrustPipeline, places: Places, change: Callable[[Picture], Picture]) -> Numbers:
    streets = together([judged(pipeline, *change(picture))[1] for picture in _streets(pipeline, places)]).numbers()
    pictures = [change(picture) for picture in _objects(places)]
    found = [found_in(pipeline, *picture) for picture in pictures if (picture[1] == 1).any()]
    large = [~one.ood.too_small for one in found]
    kept = [one.ood.kept for one in found]
    number = sum(int(part.sum()) for part in large)
    judge = order(found) if pipeline.ood_model is not None else {}
    return {
        "flagged, %": streets["flagged, %"],
        "AUROC of P(wrong), %": streets["AUROC of P(wrong), %"],
        "AUROC of P(OoD), %": judge.get("AUROC, %", math.nan),
        "OoD segments kept, %": sum(int(part.sum()) for part in kept) / number if number else math.nan,
        "found objects kept, %": 1 - gain(found, large, kept)["found objects lost, %"],
    }


def _streets(pipeline: TrustPipeline, places: Places) -> Iterator[Picture]:
    folder = street_photos(places, pipeline)
    for sample in folder.samples[::EVERY]:
        yield folder.read(sample)


def _objects(places: Places) -> Iterator[Picture]:
    images = open_ood_images(str(places.data / "roadanomaly_open"))
    for index in range(len(images)):
        yield images.read(index)


def _spread(rows: list[Numbers]) -> Numbers:
    return {name: float(np.ptp([row[name] for row in rows])) for name in rows[0]}
