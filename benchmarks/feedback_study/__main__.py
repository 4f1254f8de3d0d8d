"""Does feedback keep the missed share at alpha? A frame in a hundred is labelled, 10 s late, under any corruption.

    python benchmarks/feedback_study --out runs/feedback

The network runs once over CamVid test and a synthetic drive under each corruption (ten minutes, kept in OUT); the rest
are streams of these frames. The constant, where the adaptive threshold starts, too, is the conformal one of drive
0001TP; streams are of drive Seq05VD, at 10 Hz, an image a second, again and again, and of the synthetic drive. The
labelled frames are drawn anew for each seed. ``--tune`` streams 0001TP instead, on which rate and scale were chosen.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

import numpy as np
from label_stream import Labels, Run, Settings, padded, run
from missed_curves import CLEAN, CONDITIONS, Curves, stored
from rich.console import Console
from rich.progress import track
from rich.table import Table

from trust_seg_ros.fitting.curve_builder import UNIT_GRID
from trust_seg_ros.thresholds.curves import RiskCurve
from trust_seg_ros.thresholds.policies import Adaptive
from trust_seg_ros.thresholds.score_scale import ScoreScale

CALIBRATION, JUDGED = "0001TP", "Seq05VD"
HZ, POINT, NEAR = 10, 0.01, 0.02
LENGTHS = (3_000, 10_000, 30_000, 100_000)
BEGINS = 10_000  # frames of clean images before a corruption begins


def main() -> None:
    """Curves, streams, tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for what the network said, and the tables")
    parser.add_argument("--score", default="entropy", choices=("entropy", "margin"), help="default: entropy")
    parser.add_argument("--alpha", type=float, default=0.1, help="default: 0.1")
    parser.add_argument("--seeds", type=int, default=10, help="choices of labelled frames (default: 10)")
    parser.add_argument("--tune", action="store_true", help="rates and scales on 0001TP instead")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    console = Console(width=150 if not os.isatty(1) else None)
    clean = stored(args.out, "camvid", CLEAN, args.score)
    calibration = clean.of(clean.drives == CALIBRATION)
    curve = RiskCurve(UNIT_GRID, calibration.missed.mean(axis=0, dtype=np.float64), len(calibration.drives))
    scale = ScoreScale(np.array([0.0, 1.0]))
    settings = Settings(curve.threshold(args.alpha), args.alpha, Adaptive().adaptive_rate, scale, Labels())
    console.print(f"conformal {args.alpha:g} of {curve.images} images of {CALIBRATION}: {settings.start:.4f}")
    tables = tune(args, settings) if args.tune else judge(args, settings)
    for title, rows in tables.items():
        show(console, title, rows, args.out)


def streams(args: argparse.Namespace, source: str, drive: str) -> dict[str, Curves]:
    """Condition -> curves of the frames of a drive."""
    found = {c: stored(args.out, source, c, args.score) for c in CONDITIONS}
    return {c: curves.of(curves.drives == drive) for c, curves in found.items()}


def shown(curves: Curves, steps: int) -> np.ndarray:
    """(steps,) index of the frame at each step: in order, for as long as the drive shows it, again and again."""
    held = HZ if curves.drives[0] != "synthetic" else HZ // 2
    return (np.arange(steps) // held) % len(curves.drives)


def judge(args: argparse.Namespace, settings: Settings) -> dict[str, list[dict[str, str]]]:
    """All tables."""
    camvid, synthetic = streams(args, "camvid", JUDGED), streams(args, "synthetic", "synthetic")
    tables: dict[str, list[dict[str, str]]] = {}
    runs = {c: seeds(args, curves, settings) for c, curves in track(camvid.items(), "CamVid")}
    tables["CamVid, Seq05VD"] = [long_run_row(c, found) for c, found in runs.items()]
    tables["Frames needed"] = [length_row(n, runs, args.alpha) for n in LENGTHS]
    tables["When a corruption begins"] = [
        recovery_row(args, c, camvid, settings) for c in track(CONDITIONS[1:], "begin") if c != CLEAN
    ]
    tables["All in turn"] = [turns_row(minutes, args, camvid, settings) for minutes in (2, 5, 15)]
    tables["Synthetic drive"] = [
        long_run_row(c, seeds(args, curves, settings)) for c, curves in track(synthetic.items(), "synthetic")
    ]
    tables["Rarer, later"] = [
        labels_row(args, labels, camvid, settings)
        for labels in track((Labels(1.0, 0), Labels(0.1, 100), Labels(0.01, 0), Labels(0.01, 600), Labels(0.001, 100)))
    ]
    return tables


def tune(args: argparse.Namespace, settings: Settings) -> dict[str, list[dict[str, str]]]:
    """Rates and scales on the calibration drive: how far off in the long run, how soon there, how often at an end."""
    camvid, rows = streams(args, "camvid", CALIBRATION), []
    for power in (1.0, 2.0, 3.0):
        for rate in (0.0003, 0.001, 0.003):
            scale = ScoreScale(np.array([0.0, 1.0]), power)
            own = dataclasses.replace(settings, rate=rate, scale=scale)
            runs = {c: seeds(args, curves, own, 30_000) for c, curves in track(camvid.items(), f"{power:g} {rate:g}")}
            times = [t for c in CONDITIONS[1:] for t in recovery(args, c, camvid, own)]
            off = [abs(r.missed.mean() - args.alpha) for found in runs.values() for r in found]
            ends = [np.mean((r.columns < 0) | (r.columns >= len(UNIT_GRID))) for found in runs.values() for r in found]
            rows.append(
                {
                    "power": f"{power:g}",
                    "rate": f"{rate:g}",
                    "off alpha, mean": f"{100 * np.mean(off):.2f}",
                    "worst": f"{100 * np.max(off):.2f}",
                    "s to come near, mean": f"{np.mean(times):.0f}",
                    "longest ": f"{np.max(times):.0f}",
                    "frames all or nothing, %": f"{100 * np.mean(ends):.2f}",
                }
            )
    return {"Rates and scales on 0001TP": rows}


def seeds(args: argparse.Namespace, curves: Curves, settings: Settings, steps: int = LENGTHS[-1]) -> list[Run]:
    """A stream for each choice of labelled frames."""
    return [run(curves, shown(curves, steps), settings, seed) for seed in range(args.seeds)]


def long_run_row(condition: str, runs: list[Run]) -> dict[str, str]:
    """What a condition misses and flags, adaptive and constant."""
    missed = np.array([r.missed.mean() for r in runs])
    return {
        "corruption": condition,
        "constant misses, %": f"{100 * runs[0].fixed_missed.mean():.1f}",
        "flags, %": f"{100 * runs[0].fixed_flagged.mean():.1f}",
        "adaptive misses, %": f"{100 * missed.mean():.2f}",
        "least to most": f"{100 * missed.min():.2f} to {100 * missed.max():.2f}",
        "flags, % ": f"{100 * np.mean([r.flagged.mean() for r in runs]):.1f}",
        "labels": f"{np.mean([r.feedbacks for r in runs]):.0f}",
        "bound, points": f"{100 * np.mean([r.bound for r in runs]):.2f}",
    }


def length_row(frames: int, runs: dict[str, list[Run]], alpha: float) -> dict[str, str]:
    """How near alpha the first frames of the streams come, from the constant on."""
    off = np.array([abs(r.missed[:frames].mean() - alpha) for found in runs.values() for r in found])
    fixed = np.array([abs(found[0].fixed_missed[:frames].mean() - alpha) for found in runs.values()])
    return {
        "frames": f"{frames:,}",
        "hours at 10 Hz": f"{frames / HZ / 3600:.1f}",
        "labels": f"{frames / 100:.0f}",
        "off alpha, mean": f"{100 * off.mean():.2f}",
        "worst": f"{100 * off.max():.2f}",
        "within a point": f"{np.mean(off <= POINT):.0%}",
        "constant: within a point": f"{np.mean(fixed <= POINT):.0%}",
    }


def recovery(args: argparse.Namespace, condition: str, curves: dict[str, Curves], settings: Settings) -> list[float]:
    """Seconds, for each seed, from the begin of a corruption until the threshold in use misses about alpha of it."""
    clean, shifted = curves[CLEAN], curves[condition]
    both = Curves(*(np.concatenate([getattr(c, n) for c in (clean, shifted)]) for n in ("missed", "flagged", "drives")))
    order = np.concatenate([shown(clean, BEGINS), len(clean.drives) + shown(shifted, 2 * BEGINS)])
    every, found = np.arange(len(shifted.drives)), []
    for seed in range(args.seeds):
        columns = run(both, order, settings, seed).columns[BEGINS:]
        misses = {c: padded(shifted.missed, every, np.full(len(every), c), 1.0).mean() for c in np.unique(columns)}
        near = np.flatnonzero([abs(misses[c] - args.alpha) <= NEAR for c in columns])
        found.append(near[0] / HZ if len(near) else np.inf)
    return found


def recovery_row(
    args: argparse.Namespace, condition: str, curves: dict[str, Curves], settings: Settings
) -> dict[str, str]:
    """How soon a threshold that has settled on clean images comes near."""
    times = recovery(args, condition, curves, settings)
    column = int(np.searchsorted(UNIT_GRID, settings.start))
    return {
        "corruption": condition,
        "constant misses, %": f"{100 * curves[condition].missed[:, column].mean():.1f}",
        "s to 2 points, median": f"{np.median(times):.0f}",
        "longest": f"{np.max(times):.0f}",
    }


def turns_row(minutes: int, args: argparse.Namespace, curves: dict[str, Curves], settings: Settings) -> dict[str, str]:
    """Another condition every few minutes, drawn at random; what each seed misses over all of it."""
    rows, length, runs = len(curves[CLEAN].drives), minutes * 60 * HZ, []
    every = Curves(*(np.concatenate([getattr(c, n) for c in curves.values()]) for n in ("missed", "flagged", "drives")))
    for seed in range(args.seeds):
        drawn = np.random.default_rng([1, seed]).integers(0, len(curves), LENGTHS[-1] // length + 1)
        order = shown(curves[CLEAN], LENGTHS[-1]) + rows * np.repeat(drawn, length)[: LENGTHS[-1]]
        runs.append(run(every, order, settings, seed))
    fixed = {"constant misses, %": [r.fixed_missed for r in runs], "flags, %": [r.fixed_flagged for r in runs]}
    row = long_run_row(f"every {minutes} minutes", runs)
    return row | {name: f"{100 * np.mean(values):.1f}" for name, values in fixed.items()}


def labels_row(
    args: argparse.Namespace, labels: Labels, curves: dict[str, Curves], settings: Settings
) -> dict[str, str]:
    """The same streams with other labels, three seeds."""
    own = dataclasses.replace(settings, labels=labels)
    few = argparse.Namespace(**{**vars(args), "seeds": min(3, args.seeds)})
    runs = [r for c in curves.values() for r in seeds(few, c, own)]
    off = np.array([abs(r.missed.mean() - args.alpha) for r in runs])
    return {
        "labelled": f"{labels.share:.1%}",
        "late, s": f"{labels.late / HZ:g}",
        "off alpha, mean": f"{100 * off.mean():.2f}",
        "worst": f"{100 * off.max():.2f}",
        "bound": f"{100 * np.mean([r.bound for r in runs]):.2f}",
    }


def show(console: Console, title: str, rows: list[dict[str, str]], out: Path) -> None:
    """On the screen, and as Markdown in OUT/tables.md."""
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(rows[0]):
        table.add_column(column, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
    lines = [f"## {title}", "", "| " + " | ".join(map(str.strip, rows[0])) + " |", "|---" * len(rows[0]) + "|"]
    lines += ["| " + " | ".join(row.values()) + " |" for row in rows]
    with (out / "tables.md").open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main()
