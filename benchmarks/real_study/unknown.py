"""Unknown objects on photographs: every score of the shipped networks, and the shipped judge of OoD segments."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import shipped
from folders import Places
from sheets import Numbers, Sheet

from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.datasets.ood_layouts import OodImages
from trust_seg_ros.evaluation.anomaly.benchmark import pixel_measures
from trust_seg_ros.evaluation.anomaly.objects import ANOMALY_TRACK, Overlaps, SizeLimits, overlaps, pooled
from trust_seg_ros.evaluation.anomaly.passes import Look, pool
from trust_seg_ros.evaluation.meta import measures
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.types import UNLABELLED, Frame, OodSegments, Wanted
from trust_seg_ros.uncertainty.frame_scores import missing_scores
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS
from trust_seg_ros.uncertainty.score_names import SCORES

NETWORKS = ("embedded", "embedded:compact_camvid11")
COUNTED = SizeLimits(1, 10)
"""Objects below 10 pixels do not count as missed; segments that the node drops for their size are left out before."""
COVERED = 0.1
"""Share of an image's anomaly that segments must cover for the image to count as found."""


def measure(places: Places) -> list[Sheet]:
    """The sheets ``scores`` and ``judge``."""
    images = open_ood_images(str(places.data / "roadanomaly_open"))
    return [_scores(images, places), _judge(images, places)]


def _scores(images: OodImages, places: Places) -> Sheet:
    """Every score that needs one pass, at the images' own size."""
    table: dict[str, Numbers] = {}
    for name in NETWORKS:
        for score, numbers in scores_of(name, images, places).items():
            table.setdefault(score, {}).update({f"`{name}`: {title}, %": value for title, value in numbers.items()})
    return Sheet("scores", "Unknown objects, pixels", "score", table)


def scores_of(name: str, images: OodImages, places: Places) -> dict[str, Numbers]:
    """Score -> its measures; kept by the network's weights and the scores that it can give."""
    pipeline = shipped.load(places.runs, "image", name)
    network = getattr(pipeline.network, "_network", pipeline.network)  # some scores need features
    statistics = NO_STATISTICS if pipeline.calibration is None else pipeline.calibration.statistics
    missing = missing_scores(network, pipeline.gradient, statistics)
    given = tuple(score for score in SCORES if score not in missing)
    path = places.runs / "scores" / f"{network_sha256(network)[:12]}.json"
    if path.is_file():
        found: dict[str, Numbers] = json.loads(path.read_text("utf-8"))
        if tuple(found) == given:
            return found
    pixels = pool(Look(network, given, pipeline.gradient, statistics=statistics), images)
    measured = {score: pixel_measures(pixels.counts[score], pixels.exact[score]) for score in given}
    found = {score: {"AuPRC": m.auprc, "FPR95": m.fpr95, "AUROC": m.auroc} for score, m in measured.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), "utf-8")
    return found


def _judge(images: OodImages, places: Places) -> Sheet:
    """The shipped judge, as the node asks it."""
    pipeline = shipped.load(places.runs)
    found = [found_in(pipeline, *images.read(k), images.names[k]) for k in range(len(images))]
    large = [~one.ood.too_small for one in found]
    table = {"all": counted(found, large)}
    if pipeline.ood_model is not None:
        kept = [one.ood.kept for one in found]
        table["kept by the judge"] = counted(found, kept) | gain(found, large, kept) | order(found)
    hits = [~one.met.false_alarms & keep for one, keep in zip(found, large, strict=True)]
    table["a judge without error"] = counted(found, hits)
    return Sheet("judge", "Unknown objects, the shipped judge of OoD segments", "segments", table)


@dataclass(frozen=True)
class Found:
    """OoD segments of one photograph, compared with the truth at the photograph's own size, void left out.

    A segment that lies in void, or between the pixels of a photograph smaller than the grid, has no pixel left there.
    It is no false alarm and finds nothing: nobody sees it.

    Attributes:
        name: of the photograph.
        ood: as the pipeline gives them.
        met: how they overlap with the objects.
        truth: (H, W) uint8: 0 in distribution, 1 anomaly, 255 void.
    """

    name: str
    ood: OodSegments
    met: Overlaps
    truth: np.ndarray

    @property
    def judged(self) -> np.ndarray:
        """(p,) bool, segments that the node asks its judge about, and that have a pixel left here."""
        return ~self.ood.too_small & (self.met.found > 0)

    def covered(self, chosen: np.ndarray) -> float:
        """Share of the anomaly's pixels that lie in the chosen segments (p,) bool."""
        there = self.met.there.sum()
        return float(self.met.shared[chosen[self.met.pairs[:, 0]]].sum() / there) if there else math.nan


def found_in(pipeline: TrustPipeline, image: np.ndarray, truth: np.ndarray, name: str = "") -> Found:
    """What the pipeline finds in one photograph."""
    ood = pipeline(Frame(image), shipped.thresholds(), Wanted(segments=False, pixel_flags=False)).ood
    assert ood is not None
    return Found(name, ood, overlaps(np.where(truth == UNLABELLED, 0, ood.ids), truth, len(ood.sizes)), truth)


def counted(found: list[Found], chosen: list[np.ndarray]) -> Numbers:
    """Errors and object measures of the chosen segments of every photograph."""
    errors = np.array([one.met.errors(keep, COUNTED) for one, keep in zip(found, chosen, strict=True)])
    objects = pooled([one.met.match(ANOMALY_TRACK, keep) for one, keep in zip(found, chosen, strict=True)])
    covered = [one.covered(keep) for one, keep in zip(found, chosen, strict=True)]
    return {
        "images found": float(sum(share >= COVERED for share in covered)),
        "false alarms": float(errors[:, 0].sum()),
        "objects missed": float(errors[:, 1].sum()),
        "of": float(sum(int((one.met.there >= COUNTED.actual).sum()) for one in found)),
        "sIoU, %": objects.mean_siou,
        "PPV, %": objects.mean_ppv,
        "F1*, %": objects.f1_star,
    }


def gain(found: list[Found], large: list[np.ndarray], kept: list[np.ndarray]) -> Numbers:
    """What the judge takes away."""
    before, after = counted(found, large), counted(found, kept)
    hit = before["of"] - before["objects missed"]
    lost = after["objects missed"] - before["objects missed"]
    return {
        "false alarms cut, %": 1 - after["false alarms"] / before["false alarms"]
        if before["false alarms"]
        else math.nan,
        "found objects lost, %": lost / hit if hit else math.nan,
    }


def order(found: list[Found]) -> Numbers:
    """How well P(OoD) tells segments on objects from false alarms."""
    asked = [one for one in found if one.ood.p_ood is not None]
    p = np.concatenate([np.zeros(0), *(np.nan_to_num(one.ood.p_ood[one.judged], nan=1.0) for one in asked)])
    false = np.concatenate([np.zeros(0, bool), *(one.met.false_alarms[one.judged] for one in asked)])
    return {"AUROC, %": float(measures.auroc(-p, false))}
