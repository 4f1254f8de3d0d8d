"""Pixel scores of one network on photographs and on the synthetic drive, with statistics that belong to each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.evaluation.anomaly.benchmark import pixel_measures
from trust_seg_ros.evaluation.anomaly.passes import Look, pool
from trust_seg_ros.fitting.calibrate_pass import CalibrationPlan, with_statistics
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.support.content_hash import network_sha256

SCORES = ("energy", "entropy", "vim", "knn", "cdnp")
DRIVE = "synthetic:seeds=30000-30199:kinds=sofa,ladder,crate,suitcase:rate=4"
SCENES = 200
"""Scenes of the drive for its statistics, seeds 29000 to 29199."""
MEASURES = ("AuPRC", "AUROC", "FPR95")
Found = dict[str, dict[str, float]]
"""Score -> measure -> share."""


@dataclass(frozen=True)
class Places:
    """Folders of one run.

    Attributes:
        data: camvid/, roadanomaly_open/, cutouts/ and street_photos/.
        runs: results that are kept, and what is trained.
        fresh: measure again what is kept.
    """

    data: Path
    runs: Path
    fresh: bool = False


def scores_of(model: str, places: Places) -> dict[str, Found]:
    """Judged on -> score -> measure, of one network; kept by the network's weights."""
    network = NetworkSettings(model=model).load()
    scenes = drive_scenes(places.runs / "scenes")
    judged = {
        "photographs": (places.data / "camvid", "train", str(places.data / "roadanomaly_open")),
        "drive": (scenes, None, DRIVE),
    }
    return {name: _kept(network, f"{model}, {name}", name, places, *sets) for name, sets in judged.items()}


def drive_scenes(folder: Path) -> Path:
    """Labelled scenes of the drive without unknown objects."""
    if not folder.exists():
        options = f"--scenes --unknowns none --frames {SCENES} --seed 29000 --size 480x360".split()
        subprocess.run(
            [sys.executable, "-m", "trust_seg_ros.cli", "synthetic", "--out", str(folder), *options], check=True
        )
    return folder


def _kept(
    network: SegmentationNetwork, title: str, name: str, places: Places, reference: Path, split: str | None, judge: str
) -> Found:
    path = places.runs / f"{network_sha256(network)[:12]}_{name}.json"
    if places.fresh or not path.is_file():
        path.write_text(json.dumps(_measured(network, title, reference, split, judge), indent=1), "utf-8")
    found: Found = json.loads(path.read_text("utf-8"))
    return found


def _measured(network: SegmentationNetwork, title: str, reference: Path, split: str | None, judge: str) -> Found:
    """A pass over the reference for statistics, a pass over what is judged."""
    plan = CalibrationPlan(network, SCORES)
    plan = with_statistics(plan, [open_dataset(reference, split, network.labels)], told(f"{title}: statistics"))
    look = Look(network, SCORES, statistics=plan.statistics)
    pixels = pool(look, open_ood_images(judge), told(f"{title}: pixels"))
    every = {score: pixel_measures(pixels.counts[score], pixels.exact[score]) for score in SCORES}
    return {score: {"AuPRC": p.auprc, "AUROC": p.auroc, "FPR95": p.fpr95} for score, p in every.items()}


def told(what: str) -> Callable[[int, int], None]:
    """Says every fiftieth image."""
    return lambda done, total: print(f"{what}, {done} of {total}", flush=True) if done % 50 == 0 else None
