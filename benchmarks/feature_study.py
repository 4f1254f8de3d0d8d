"""docs/results/features.md: feature scores of the network before and after entropy maximisation.

    python benchmarks/feature_study.py ../shared/data --runs runs/features --out docs/results/features

Statistics are of the images that belong to each judge: CamVid train for photographs, scenes of other seeds without
unknown objects for the synthetic drive. Nothing is chosen by the data sets that are judged. Steps whose result is there
are passed over, so it can be stopped and started again.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NETWORKS = {"before": "embedded:compact_camvid11", "after": "embedded"}
SCORES = ("energy", "entropy", "vim", "knn", "cdnp")
DRIVE = "synthetic:seeds=30000-30199:kinds=sofa,ladder,crate,suitcase:rate=4"
SCENES = 200
"""Scenes of the drive for its statistics, seeds 29000 to 29199."""
MEASURES = ("AuPRC", "FPR95", "time, ms")


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
        "photographs": (args.data / "camvid", ["--split", "train"], str(args.data / "roadanomaly_open")),
        "drive": (scenes, [], DRIVE),
    }
    rows = []
    for when, network in NETWORKS.items():
        for name, (reference, split, judge) in judged.items():
            folder = runs / f"{when}_{name}"
            found = measured(network, folder, reference, split, judge)
            rows += [[when, name, score, *(found[score][measure] for measure in MEASURES)] for score in SCORES]
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "scores.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["entropy maximisation", "judged on", "score", *MEASURES], *rows])


def drive_scenes(folder: Path) -> Path:
    """Labelled scenes of the drive without unknown objects."""
    if not folder.exists():
        options = f"--scenes --unknowns none --frames {SCENES} --seed 29000 --size 480x360"
        run("synthetic", "--out", str(folder), *options.split())
    return folder


def measured(
    network: str, folder: Path, reference: Path, split: Sequence[str], judge: str
) -> dict[str, dict[str, str]]:
    """Score -> measure -> value, from ``trust-seg calibrate`` and ``trust-seg benchmark``."""
    calibration, report = folder.with_suffix(".json"), folder / "pixels.csv"
    if not calibration.exists():
        run(
            "calibrate",
            str(reference),
            *split,
            "--model",
            network,
            "--meta-model",
            "none",
            "--score",
            *SCORES,
            "--out",
            str(calibration),
        )
    if not report.exists():
        options = ["--model", network, "--calibration", str(calibration), "--meta", "none", "--threshold", "0"]
        run("benchmark", judge, "--score", *SCORES, *options, "--out", str(folder))
    with report.open(newline="") as file:
        return {row["score"]: row for row in csv.DictReader(file)}


def run(*words: str) -> None:
    """One command of trust-seg; stops where it fails."""
    print("trust-seg", *words, flush=True)
    subprocess.run([sys.executable, "-m", "trust_seg_ros.cli", *words], check=True)


if __name__ == "__main__":
    main()
