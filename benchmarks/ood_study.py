"""docs/results/ood.md: baseline, after entropy maximisation, after meta classification, on the synthetic drive.

    python benchmarks/ood_study.py ../shared/data/camvid --runs runs/ood --out docs/results/ood

Fine-tunes the embedded network once per seed, judges every network by ``trust-seg miou`` and ``trust-seg benchmark``,
and puts mean ± standard deviation over the seeds together. Training, fitting and judging share neither seeds nor kinds
of objects. Steps whose result is there are passed over, so it can be stopped and started again.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BASELINE = "embedded:compact_camvid11"
SCENES = "synthetic:seeds=0-121"
TRAIN = "synthetic:seeds=10000-10399:kinds=deer,cow,dog,box,tyre,debris:rate=4"
FIT = "synthetic:seeds=20000-20199:kinds=sheep,barrel,ball,trolley:rate=4"
JUDGE = "synthetic:seeds=30000-30199:kinds=sofa,ladder,crate,suitcase:rate=4"
RECIPE = "--ood-rest labelled --ratio 1 --learning-rate 1e-4 --epochs 6 --loss-stride 2 --half on".split()  # noqa: SIM905
SEGMENTS = "--track obstacle --segment-limits 50 10 --sweep 50".split()  # noqa: SIM905
Numbers = dict[str, float]


def main() -> None:
    """Every step that is missing, then the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path, help="CamVid, as docs/datasets.md says")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/ood"), help="what is trained and judged (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("docs/results/ood"), help="tables and figures (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of fine-tuning (default: 0 1 2)")
    parser.add_argument("--threshold", default="0.7", help="of segments (default: the paper's 0.7)")
    args = parser.parse_args()
    runs: Path = args.runs
    runs.mkdir(parents=True, exist_ok=True)
    baseline = judged(BASELINE, runs / "baseline", args)
    tuned = []
    for seed in args.seeds:
        folder = runs / f"seed{seed}"
        finetune(folder, seed, args.camvid)
        tuned.append(judged(str(folder / "weights.safetensors"), folder / "judged", args))
    first = runs / f"seed{args.seeds[0]}"
    all_scores(BASELINE, runs / "baseline", args.camvid)
    all_scores(str(first / "weights.safetensors"), first, args.camvid)
    write(baseline, tuned, args)
    for name, folder in (("baseline", runs / "baseline"), ("tuned", first / "judged")):
        for picture in ("precision_recall", "images"):
            shutil.copyfile(folder / "benchmark" / f"{picture}.png", args.out / f"{name}_{picture}.png")
        scores = folder / "scores" if name == "baseline" else first / "scores"
        shutil.copyfile(scores / "pixels.csv", args.out / f"{name}_scores.csv")


def finetune(folder: Path, seed: int, camvid: Path) -> None:
    """Entropy maximisation into ``folder``; goes on from its checkpoint."""
    if (folder / "weights.safetensors").is_file():
        return
    data = ["--in-distribution", str(camvid), SCENES, "--ood", TRAIN, "--judge", "val", "--judge-ood", FIT]
    command("finetune", "--model", BASELINE, *data, *RECIPE, "--seed", str(seed), "--out", str(folder))


def judged(model: str, folder: Path, args: argparse.Namespace) -> Numbers:
    """mIoU, pixel measures and segment errors of one network, in [0, 1] or counts."""
    folder.mkdir(parents=True, exist_ok=True)
    found: Numbers = {}
    for split in ("val", "test"):
        path = folder / f"miou_{split}.csv"
        if not path.is_file():
            command("miou", str(args.camvid), "--split", split, "--model", model, "--csv", str(path))
        found[f"mIoU {split}"] = float({row["class"]: row["iou"] for row in rows(path)}["mean"])
    report = folder / "benchmark"
    if not (report / "segment_errors.csv").is_file():
        fit = ["--fit-on", FIT, "--threshold", args.threshold, "--save-meta", str(folder / "ood_meta.json")]
        command("benchmark", JUDGE, "--score", "entropy", "--model", model, *fit, *SEGMENTS, "--out", str(report))
    pixels, errors = rows(report / "pixels.csv")[0], rows(report / "segment_errors.csv")[0]
    found |= {name: float(pixels[name]) for name in ("AuPRC", "AUROC", "FPR95", "best F1")}
    wanted = ("objects", "FP before", "FN before", "errors before", "FP after", "FN after", "errors after")
    found |= {name: float(errors[name]) for name in wanted}
    found["fewest by pixels"] = float(errors["fewest without meta"])
    found["fewer than fewest"] = 1.0 - found["errors after"] / found["fewest by pixels"]
    found["fewer than before"] = 1.0 - found["errors after"] / found["errors before"]
    for row, when in zip(rows(report / "objects.csv"), ("before", "after"), strict=True):
        found |= {f"{name} {when}": float(row[name]) for name in ("sIoU", "PPV", "F1*")}
    return found


def all_scores(model: str, folder: Path, camvid: Path) -> None:
    """Pixel measures of every score; class statistics of the standardised max logit are those of CamVid val."""
    if not (folder / "calibration.json").is_file():
        command("calibrate", str(camvid), "--split", "val", "--model", model, "--out", str(folder / "calibration.json"))
    if not (folder / "scores" / "pixels.csv").is_file():
        how = ["--score", "all", "--meta-model", "none", "--calibration", str(folder / "calibration.json")]
        command("benchmark", JUDGE, *how, "--model", model, "--out", str(folder / "scores"))


def write(baseline: Numbers, tuned: Sequence[Numbers], args: argparse.Namespace) -> None:
    """Every number of every network as CSV; mean ± deviation is printed as Markdown."""
    args.out.mkdir(parents=True, exist_ok=True)
    names = ["baseline", *(f"seed {seed}" for seed in args.seeds)]
    with (args.out / "numbers.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("measure", *names))
        for measure in baseline:
            writer.writerow((measure, *(f"{numbers[measure]:.6g}" for numbers in (baseline, *tuned))))
    lines = ["| measure | baseline | after entropy maximisation |", "|---|---|---|"]
    for measure, value in baseline.items():
        values = [numbers[measure] for numbers in tuned]
        share = not measure.startswith(("objects", "F", "errors", "fewest")) or measure.startswith(("FPR95", "F1*"))
        lines.append(f"| {measure} | {_text([value], share)} | {_text(values, share)} |")
    print("\n".join(lines))


def _text(values: Sequence[float], share: bool) -> str:
    values = [100 * value for value in values] if share else values
    digits = 2 if share else 0
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def command(*words: str) -> None:
    """One trust-seg command, said before it runs; its failure ends the study."""
    print("$ trust-seg", " ".join(words), flush=True)
    subprocess.run([sys.executable, "-m", "trust_seg_ros.cli", *words], check=True)


if __name__ == "__main__":
    main()
