"""Wrong segments in towns that the network never saw: P(wrong) and IoU of the shipped judge on labelled photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shipped
from folders import Places
from sheets import Numbers, Sheet

from trust_seg_ros import uncertainty
from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.evaluation.confusion import ConfusionMatrix
from trust_seg_ros.evaluation.meta import measures
from trust_seg_ros.grid import resized
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.segments.matching import targets
from trust_seg_ros.thresholds.flags import large_enough
from trust_seg_ros.types import UNLABELLED

JUDGED = ("Sky", "Building", "Road", "Pavement", "Tree", "Car")
"""Classes that these photographs are labelled with well enough to judge by."""
LARGE = 1000
SPLIT = "val"


@dataclass(frozen=True)
class Judged:
    """Segments that can be judged, of many images.

    Attributes:
        p_wrong, iou: (n,) as the shipped judge says.
        true_iou: (n,) IoU_adj of the truth; 0 = wrong.
        entropy: (n,) mean entropy.
        sizes: (n,) pixels of the photograph.
        image: (n,) number of the image.
        flagged: (n,) bool, at or above the node's default threshold.
        acted: (n,) bool, flagged by the node: those of them that are large enough by default.
    """

    p_wrong: np.ndarray
    iou: np.ndarray
    true_iou: np.ndarray
    entropy: np.ndarray
    sizes: np.ndarray
    image: np.ndarray
    flagged: np.ndarray
    acted: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """(n,) bool."""
        return self.true_iou == 0

    def rows(self, chosen: np.ndarray) -> Judged:
        """Some of the segments, (n,) bool."""
        return Judged(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def numbers(self) -> Numbers:
        """How good the judgement is."""
        return {
            "segments": float(len(self.wrong)),
            "wrong, %": float(self.wrong.mean()) if len(self.wrong) else np.nan,
            "flagged, %": float(self.flagged.mean()) if len(self.wrong) else np.nan,
            "AUROC of P(wrong), %": float(measures.auroc(self.p_wrong, self.wrong)),
            "of the entropy, %": float(measures.auroc(self.entropy, self.wrong)),
            "R² of the IoU, %": measures.r_squared(self.iou, self.true_iou),
        }


def street_photos(places: Places, pipeline: TrustPipeline) -> LabelledFolder:
    """The photographs with CamVid's ids."""
    return open_dataset(places.data / "street_photos", SPLIT, pipeline.labels, ignore=(11, UNLABELLED))


def measure(places: Places) -> list[Sheet]:
    """The sheets ``segments``, ``places``, ``classes`` and ``camvid``."""
    pipeline = shipped.load(places.runs)
    folder = street_photos(places, pipeline)
    confusion, parts = ConfusionMatrix(len(pipeline.labels)), []
    for number, sample in enumerate(folder):
        image, truth = folder.read(sample)
        classes, found = judged(pipeline, image, truth, number)
        confusion.add(truth, resized(classes, truth.shape))
        parts.append(found)
    found = together(parts)
    table = {"all": found.numbers(), f"{LARGE:,} pixels and more": found.rows(found.sizes >= LARGE).numbers()}
    town = np.array([sample.image.parent.name for sample in folder])
    by_place = {name: found.rows(town[found.image] == name).numbers() for name in np.unique(town).tolist()}
    return [
        Sheet("segments", "Wrong segments in other towns", "segments", table),
        Sheet("places", "Wrong segments, by place", "place", by_place),
        Sheet("classes", "Pixels in other towns", "class", _classes(confusion, pipeline.labels.names)),
        _camvid(places),
    ]


def judged(
    pipeline: TrustPipeline, image: np.ndarray, truth: np.ndarray, number: int = 0, classes: Sequence[str] = JUDGED
) -> tuple[np.ndarray, Judged]:
    """Predicted classes on the grid, and the segments that can be judged: of these classes, with an interior.

    Pixels without truth are removed before segments are taken, as in ``trust-seg evaluate``.
    """
    answer = pipeline.infer(image)
    maps = uncertainty.uncertainty_maps(answer).host()
    there = resized(truth, answer.size)
    table = pipeline.segment_table(maps, answer, ground_truth=there)
    assert pipeline.meta is not None
    p_wrong, iou = pipeline.meta.predict(table)
    known = [pipeline.labels.names.index(name) for name in classes]
    counts = np.isin(table.class_ids, known) & (table.interior_sizes > 0)
    thresholds = shipped.thresholds()
    flagged = p_wrong >= thresholds.unreliable.value
    found = Judged(
        p_wrong,
        iou,
        targets(table, there).iou_adj,
        table.column("E"),
        table.sizes * (truth.size / there.size),
        np.full(len(table), number),
        flagged,
        flagged & large_enough(table.sizes, table.ids.size, thresholds.min_share),
    )
    return maps.classes.numpy(), found.rows(counts)


def together(parts: Sequence[Judged]) -> Judged:
    """Segments of many images."""
    return Judged(*(np.concatenate([getattr(part, name) for part in parts]) for name in Judged.__dataclass_fields__))


def _classes(confusion: ConfusionMatrix, names: Sequence[str]) -> dict[str, Numbers]:
    """IoU of the six classes, where truth has one of the six."""
    known = [names.index(name) for name in JUDGED]
    iou = confusion.iou()
    table = {name: {"IoU, %": float(iou[k])} for name, k in zip(JUDGED, known, strict=True)}
    table["mean"] = {"IoU, %": float(np.mean(iou[known]))}
    table["pixel accuracy"] = {"IoU, %": confusion.accuracy()}
    return table


def _camvid(places: Places) -> Sheet:
    """mIoU of the shipped network on CamVid test."""
    pipeline = shipped.load(places.runs, "image")
    folder = open_dataset(places.data / "camvid", "test", pipeline.labels)
    confusion = ConfusionMatrix(len(pipeline.labels))
    for sample in folder:
        image, truth = folder.read(sample)
        confusion.add(truth, uncertainty.uncertainty_maps(pipeline.network.infer(image)).host().classes.numpy())
    numbers = {"mIoU, %": confusion.mean_iou(), "pixel accuracy, %": confusion.accuracy()}
    return Sheet("camvid", "CamVid test", "network", {"`embedded`": numbers})
