"""Is conformal risk control's promise kept? Random calibration/test splits of the synthetic drive.

    python benchmarks/conformal_validity.py --out runs/conformal
    python benchmarks/conformal_validity.py --out runs/quick --images synthetic:seeds=50000-50059:kinds=all:rate=4

The network sees every image once; what each image loses at each threshold is kept in OUT/losses.npz and used again as
long as images and models are the same. Then, per level and alpha, many splits: the threshold from one part, the loss on
the other. The mean must not pass alpha by more than two standard errors; a split without a threshold (too many objects
that nothing touches: refused) loses nothing. A second table has the least number of
calibration images for each alpha, with the correction of conformal risk control and without it.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.evaluation.trust.conformal_simulation import SimulatedRisk, conformal_simulation
from trust_seg_ros.fitting.curve_builder import UNIT_GRID, CurveBuilder
from trust_seg_ros.fitting.segment_risk import image_losses, object_probabilities
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.synthetic.sets import SyntheticSet, parse_synthetic_set
from trust_seg_ros.thresholds.curves import images_needed, least_alpha
from trust_seg_ros.types import UNLABELLED

IMAGES = "synthetic:seeds=50000-50399:kinds=sofa,ladder,crate,suitcase:rate=4"
SCORES = ("entropy", "margin", "variation_ratio")
ALPHAS = (0.01, 0.05, 0.1, 0.2)
WITH_ALL = np.append(-math.inf, UNIT_GRID)
Levels = dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Name -> thresholds (k,), losses (n, k) and share flagged (n, k)."""


def main() -> None:
    """Losses of every image, then the splits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default=IMAGES, help="which scenes (default: %(default)s)")
    parser.add_argument("--model", default="embedded", help="network (default: %(default)s)")
    parser.add_argument("--meta", default="auto", help="meta model of segments (default: the shipped one)")
    parser.add_argument("--ood-meta", default="auto", help="meta model of OoD segments (default: the shipped one)")
    parser.add_argument("--alphas", type=float, nargs="+", default=list(ALPHAS), help="default: 0.01 0.05 0.1 0.2")
    parser.add_argument("--splits", type=int, default=1000, help="default: 1000")
    parser.add_argument("--calibration", type=int, help="images of the calibration part (default: half of them)")
    parser.add_argument("--seed", type=int, default=0, help="of the splits (default: 0)")
    parser.add_argument("--out", type=Path, required=True, help="folder for losses.npz and the tables")
    args = parser.parse_args()
    console = Console(width=132 if not os.isatty(1) else None)
    try:
        run(args, console)
    except TrustSegError as error:
        console.print(f"[red]{error}[/red]")
        raise SystemExit(1) from error


def run(args: argparse.Namespace, console: Console) -> None:
    """As the arguments say."""
    scenes = parse_synthetic_set(args.images)
    args.out.mkdir(parents=True, exist_ok=True)
    levels = cached(args.out / "losses.npz", scenes, args)
    part = args.calibration or len(scenes) // 2
    alphas = [alpha for alpha in args.alphas if part >= images_needed(alpha)]
    if left := sorted(set(args.alphas) - set(alphas)):
        console.print(f"{part} calibration images are too few for alpha = {left}: needed {images_needed(min(left))}")
    rows, least = [], []
    for name, (thresholds, losses, flagged) in levels.items():
        found = conformal_simulation(losses, thresholds, alphas, args.splits, part, args.seed, cost=flagged)
        rows += [row(name, part, risk) for risk in found]
        floor = losses[:, 0].mean() if thresholds[0] == -math.inf else 0.0
        if floor:
            console.print(f"{name}: with everything flagged {floor:.3f} is missed, so that alpha must be above")
        for alpha in args.alphas:
            least += few(name, thresholds, losses, alpha, args)
    title = f"{scenes}: {len(scenes)} images, {args.splits:,} splits, {part} images to calibrate"
    show(console, title, rows, args.out / "splits.csv")
    show(console, "As few calibration images as alpha needs", least, args.out / "least.csv")


def few(
    name: str, thresholds: np.ndarray, losses: np.ndarray, alpha: float, args: argparse.Namespace
) -> list[dict[str, str]]:
    """With the least number of calibration images, corrected and not."""
    n = images_needed(alpha)
    if n >= len(losses):
        return []
    rows = []
    for corrected in (True, False):
        (risk,) = conformal_simulation(losses, thresholds, [alpha], args.splits, n, args.seed, corrected=corrected)
        found = row(name, n, risk)
        rows.append({"level": found.pop("level"), "correction": "yes" if corrected else "no", **found})
    return rows


def row(name: str, part: int, risk: SimulatedRisk) -> dict[str, str]:
    """One line of the table."""
    known = risk.risk[~np.isnan(risk.risk)]
    values = {
        "level": name,
        "alpha": f"{risk.alpha:g}",
        "images": f"{part}",
        "least alpha": f"{least_alpha(part):.4f}",
    }
    if not len(known):
        return {**values, "mean risk": "refused", **dict.fromkeys(AFTER, "")}
    return {
        **values,
        "mean risk": f"{risk.promised:.5f}",
        "± s.e.": f"{risk.standard_error:.5f}",
        "kept": "yes" if risk.kept else "NO",
        "excess, s.e.": f"{risk.excess:+.1f}",
        "splits above": f"{(known > risk.alpha).mean():.1%}",
        "refused": f"{risk.refused:.1%}",
        "if not refused": f"{risk.mean:.5f}",
        "threshold": f"{np.nanmedian(risk.thresholds):.3f}",
        "flagged": "" if np.isnan(risk.cost).all() else f"{np.nanmean(risk.cost):.2%}",
    }


AFTER = ("± s.e.", "kept", "excess, s.e.", "splits above", "refused", "if not refused", "threshold", "flagged")
"""Columns after the mean risk."""
ON_SCREEN = ("level", "correction", "alpha", "images", "mean risk", "± s.e.", "kept", "refused", "threshold", "flagged")
"""The file has all."""


def show(console: Console, title: str, rows: list[dict[str, str]], path: Path) -> None:
    """On the screen, and all columns as a file."""
    if not rows:
        return
    table = Table(title=title, title_justify="left")
    shown = [column for column in ON_SCREEN if any(values.get(column) for values in rows)]
    for column in shown:
        table.add_column(column, justify="left" if column == "level" else "right", no_wrap=True)
    for values in rows:
        table.add_row(*(values[column] for column in shown))
    console.print(table)
    new = path.with_suffix(".new")
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    new.replace(path)


def cached(path: Path, scenes: SyntheticSet, args: argparse.Namespace) -> Levels:
    """What is in the file, if it is of the same images and models; else computed, and written there."""
    what = f"{scenes} {args.model} {args.meta} {args.ood_meta}"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            if str(stored["what"]) == what:
                names = stored["names"].tolist()
                return {name: tuple(stored[f"{i}_{j}"] for j in range(3)) for i, name in enumerate(names)}
    levels = collect(scenes, args)
    arrays = {f"{i}_{j}": array for i, values in enumerate(levels.values()) for j, array in enumerate(values)}
    new = path.with_suffix(".new.npz")
    np.savez_compressed(new, what=np.array(what), names=np.array(list(levels)), **arrays)
    new.replace(path)
    return levels


def collect(scenes: SyntheticSet, args: argparse.Namespace) -> Levels:
    """One pass of the network."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for index in track(range(len(scenes)), "images"):
        for name, losses, flagged in of_image(*scenes.read(index), *models(args)):
            found.setdefault(name, []).append((losses, flagged))
    levels = {}
    for name, pairs in found.items():
        losses, flagged = (np.array(part) for part in zip(*pairs, strict=True))
        thresholds = UNIT_GRID if losses.shape[1] == len(UNIT_GRID) else WITH_ALL
        levels[name] = thresholds, losses, flagged
    return levels


_loaded: tuple = ()


def models(args: argparse.Namespace) -> tuple:
    """Network, meta model of segments or None, and judge of OoD segments or None; loaded once."""
    global _loaded
    if not _loaded:
        from trust_seg_ros.meta.ood_judge import OodJudge
        from trust_seg_ros.meta.shipped import chosen_meta, chosen_ood_meta

        network = load_network(args.model)
        meta, ood = chosen_meta(args.meta, args.model), chosen_ood_meta(args.ood_meta, args.model, network)
        _loaded = network, meta, None if ood is None else OodJudge(len(network.labels), ood)
    return _loaded


def of_image(image: np.ndarray, truth: np.ndarray, network, meta, judge) -> Iterator[tuple]:
    """Name of the level, losses (k,) and share flagged (k,) at every threshold, of one image."""
    from trust_seg_ros import uncertainty
    from trust_seg_ros.fitting.calibrate_pass import wrong_segments
    from trust_seg_ros.meta.features import required_set
    from trust_seg_ros.meta.ood_judge import fitted_threshold
    from trust_seg_ros.segments import segment_table
    from trust_seg_ros.uncertainty.frame_scores import FrameScores
    from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

    answer = network.infer(image)
    maps = uncertainty.uncertainty_maps(answer)
    frame, classes, labelled = FrameScores(answer, maps), maps.classes.numpy(force=True), truth != UNLABELLED
    for score in SCORES:
        plane = frame.get(score).numpy()
        losses = CurveBuilder().add(plane, classes != truth, labelled, classes)
        flagged = 1.0 - CurveBuilder().add(plane, np.ones_like(labelled), labelled, classes)
        yield f"pixels, {score}", losses, flagged
    if meta is not None:
        table = segment_table(maps, answer, required_set(meta.features, len(network.labels)))
        wrong, judged = wrong_segments(table, truth)
        p_wrong = meta.predict(table)[0][judged]
        yield "segments, P(wrong)", shares(p_wrong[wrong[judged]], UNIT_GRID), 1 - shares(p_wrong, UNIT_GRID)
    if judge is not None:
        model = judge.model
        threshold = fitted_threshold(model, IN_LOGARITHMS)
        found = judge(model.score, frame.get(model.score), threshold, 50, 0.0, maps, answer)
        p_ood = np.empty(0) if found.p_ood is None else found.p_ood
        objects = object_probabilities(found.ids, p_ood, truth == UNLABELLED)
        losses, flagged = shares(objects, WITH_ALL), 1 - shares(p_ood[np.isfinite(p_ood)], WITH_ALL)
        yield "objects missed, P(OoD)", losses, flagged
        yield "objects discarded, P(OoD)", losses[1:] - losses[0], flagged[1:]


def shares(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(k,) share of the values of one image below each threshold."""
    return image_losses(values, np.zeros(len(values), np.intp), 1, thresholds)[0]


if __name__ == "__main__":
    main()
