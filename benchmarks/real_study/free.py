"""What the weights under Apache-2.0, which saw no labelled real street, do beside those trained on CamVid."""

from __future__ import annotations

import math

import shipped
import unknown
import wrong_segments
from folders import Places
from sheets import Numbers, Sheet

from trust_seg_ros import uncertainty
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.evaluation.confusion import ConfusionMatrix
from trust_seg_ros.grid import resized
from trust_seg_ros.pipeline import TrustPipeline

NETWORKS = ("embedded", "embedded:synthetic")


def measure(places: Places) -> list[Sheet]:
    """The sheets ``free`` and ``free_classes``."""
    rows: dict[str, Numbers] = {}
    classes: dict[str, Numbers] = {}
    for name in NETWORKS:
        camvid = _camvid(places, name)
        rows[f"`{name}`"] = {
            "CamVid test, mIoU, %": camvid.mean_iou(),
            "pixel accuracy, %": camvid.accuracy(),
            **_towns(places, shipped.load(places.runs, model=name)),
            **_unknown(places, name),
        }
        labels = shipped.load(places.runs, "image", name).labels.names
        for label, iou in zip(labels, camvid.iou(), strict=True):
            classes.setdefault(label, {})[f"`{name}`: IoU, %"] = float(iou)
    return [
        Sheet("free", "The weights by licence", "network", rows),
        Sheet("free_classes", "The weights by licence, CamVid test", "class", classes),
    ]


def _camvid(places: Places, name: str) -> ConfusionMatrix:
    pipeline = shipped.load(places.runs, "image", name)
    confusion = ConfusionMatrix(len(pipeline.labels))
    folder = open_dataset(places.data / "camvid", "test", pipeline.labels)
    for sample in folder:
        image, truth = folder.read(sample)
        confusion.add(truth, uncertainty.uncertainty_maps(pipeline.network.infer(image)).host().classes.numpy())
    return confusion


def _towns(places: Places, pipeline: TrustPipeline) -> Numbers:
    """Six classes, and P(wrong), on photographs of other towns."""
    folder = wrong_segments.street_photos(places, pipeline)
    confusion, parts = ConfusionMatrix(len(pipeline.labels)), []
    for number, sample in enumerate(folder):
        image, truth = folder.read(sample)
        classes, found = wrong_segments.judged(pipeline, image, truth, number)
        confusion.add(truth, resized(classes, truth.shape))
        parts.append(found)
    found = wrong_segments.together(parts).numbers()
    return {
        "other towns, pixel accuracy, %": confusion.accuracy(),
        "AUROC of P(wrong), %": found["AUROC of P(wrong), %"],
        "of the entropy, %": found["of the entropy, %"],
    }


def _unknown(places: Places, name: str) -> Numbers:
    """The best score on photographs of unknown objects, by AuPRC."""
    scores = unknown.scores_of(name, open_ood_images(str(places.data / "roadanomaly_open")), places)
    best = max(scores.values(), key=lambda numbers: numbers["AuPRC"] if math.isfinite(numbers["AuPRC"]) else -1.0)
    return {"unknown objects, AuPRC, %": best["AuPRC"], "FPR95, %": best["FPR95"]}
