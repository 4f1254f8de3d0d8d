"""docs/results/features.md: feature scores of the network before and after entropy maximisation.

    python benchmarks/feature_study.py ../shared/data --runs runs/features --out docs/results/features

Statistics are of the images that belong to each judge: CamVid train for photographs, scenes of other seeds without
unknown objects for the synthetic drive. Nothing is chosen by the data sets that are judged. Steps whose result is there
are passed over, so it can be stopped and started again.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.evaluation.anomaly.benchmark import pixel_measures
from trust_seg_ros.evaluation.anomaly.passes import Look, pool
from trust_seg_ros.fitting.calibrate_pass import CalibrationPlan, with_statistics
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.uncertainty.feature_file import save_features

NETWORKS = {"before": "embedded:compact_camvid11", "after": "embedded"}
SCORES = ("energy", "entropy", "vim", "knn", "cdnp")
DRIVE = "synthetic:seeds=30000-30199:kinds=sofa,ladder,crate,suitcase:rate=4"
SCENES = 200
"""Scenes of the drive for its statistics, seeds 29000 to 29199."""
MEASURES = ("AuPRC", "AUROC", "FPR95")


def main() -> None:
    """Every step that is missing, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with camvid/ and roadanomaly_open/")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/features"), help="what is measured (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/features"), help="tables (default: %(default)s)")
    args = parser.parse_args()
    runs: Path = args.runs
    runs.mkdir(parents=True, exist_ok=True)
    scenes = drive_scenes(runs / "scenes")
    judged = {
        "photographs": (args.data / "camvid", "train", str(args.data / "roadanomaly_open")),
        "drive": (scenes, None, DRIVE),
    }
    rows = []
    for when, network in NETWORKS.items():
        for name, (reference, split, judge) in judged.items():
            found = measured(network, runs / f"{when}_{name}", reference, split, judge)
            rows += [[when, name, score, *(found[score][measure] for measure in MEASURES)] for score in SCORES]
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "scores.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["entropy maximisation", "judged on", "score", *MEASURES], *rows])


def drive_scenes(folder: Path) -> Path:
    """Labelled scenes of the drive without unknown objects."""
    if not folder.exists():
        options = f"--scenes --unknowns none --frames {SCENES} --seed 29000 --size 480x360".split()
        subprocess.run(
            [sys.executable, "-m", "trust_seg_ros.cli", "synthetic", "--out", str(folder), *options], check=True
        )
    return folder


def measured(model: str, stem: Path, reference: Path, split: str | None, judge: str) -> dict[str, dict[str, float]]:
    """Score -> measure -> value: a pass over the reference for statistics, a pass over what is judged."""
    report = stem.with_suffix(".results")
    if not report.exists():
        network = NetworkSettings(model=model).load()
        plan = CalibrationPlan(network, SCORES)
        plan = with_statistics(plan, [open_dataset(reference, split, network.labels)], told(f"{stem.name}: statistics"))
        assert plan.statistics.features is not None
        save_features(plan.statistics.features(), stem.with_suffix(".features.safetensors"))
        look = Look(network, SCORES, statistics=plan.statistics)
        pixels = pool(look, open_ood_images(judge), told(f"{stem.name}: pixels"))
        found = {}
        for score in SCORES:
            p = pixel_measures(pixels.counts[score], pixels.exact[score])
            found[score] = {"AuPRC": p.auprc, "FPR95": p.fpr95, "AUROC": p.auroc}
        report.write_text(json.dumps(found, indent=1), "utf-8")
    read: dict[str, dict[str, float]] = json.loads(report.read_text("utf-8"))
    return read


def told(what: str) -> Callable[[int, int], None]:
    """Says every fiftieth image."""
    return lambda done, total: print(f"{what}, {done} of {total}", flush=True) if done % 50 == 0 else None


if __name__ == "__main__":
    main()
