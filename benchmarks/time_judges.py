"""Judges that look back against judges of single frames, on synthetic drives: AUROC and R², split by drive.

    python benchmarks/time_judges.py CACHE [--fit synthetic:seeds=1000-1011] [--judge synthetic:seeds=2000-2011]
                                     [--faster synthetic:seeds=2012-2015:hz=30:seconds=10]

The network's answers to the drives are recorded in CACHE (or taken from there), and so are the tables of their
segments. Everything is fitted on --fit, and judged on drives that neither the fit nor the choice saw. How many frames
to look back, and linear or boosted, is chosen on --fit, by leaving out a quarter of its drives at a time. Unknown
objects belong to no class, so that what is predicted on them is a false positive. Differences are given with their 95 %
interval over drives (bootstrap, 500 draws of whole drives).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.metrics import roc_auc_score

from trust_seg_ros.evaluation.time.recorded import Recorded, recorded
from trust_seg_ros.evaluation.time.sequences import drive_sequences
from trust_seg_ros.fitting.fit import SegmentClassifier, fit
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.model import MetaModel
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments import feature_set, segment_table, targets
from trust_seg_ros.segments.history import MetricHistory, TimeWindow
from trust_seg_ros.segments.tracks import Tracker, TrackingSettings
from trust_seg_ros.support.torch_threads import set_threads
from trust_seg_ros.uncertainty import uncertainty_maps

RATE_HZ = 10.0
FITTED_ON = "kinds=deer,cow,dog,box,tyre,debris,sofa,ladder"
JUDGED_ON = "kinds=sheep,barrel,ball,trolley,crate,suitcase"
ALONE, LATER = "single frame", "with the past"
KINDS: tuple[SegmentClassifier, ...] = ("logistic", "boosting")
FRAMES = (3, 5, 10)
"""Frames to look back that are tried."""
DRAWS, QUARTERS, EVERY = 500, 4, 3
"""Draws of drives; parts that are left out in turn; of the frames, that choosing looks at."""
Scores = dict[str, np.ndarray]


def window(frames: int) -> TimeWindow:
    """The window of so many frames at the rate fitted on."""
    return TimeWindow(frames / RATE_HZ, rate_hz=(RATE_HZ, RATE_HZ))


def tables_of(drive: Recorded, frames: Sequence[int], cache: Path) -> dict[str, np.ndarray]:
    """Metrics, columns over time by number of frames, and targets of all segments of a drive with an interior."""
    path = cache / f"judges-{drive.folder.name}-{'-'.join(map(str, frames))}.npz"
    if not path.is_file():
        found: dict[str, Any] = _tables(drive, frames)
        np.savez(path, **found)
    with np.load(path) as arrays:
        return dict(arrays)


def _tables(drive: Recorded, frames: Sequence[int]) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {}
    tracker = Tracker(TrackingSettings(on=True))
    histories: dict[int, MetricHistory] = {}
    for k, (shot, answer) in enumerate(drive):
        maps = uncertainty_maps(answer, threads=1)
        table = segment_table(maps, answer, "metaseg", threads=1)
        tracks = tracker.update(table.ids, table.class_ids, table.sizes, shot.frame.stamp_ns)
        inside = table.interior_sizes > 0
        assert shot.truth is not None
        found = targets(table, shot.truth)
        row = {"metrics": table.metrics, "iou": found.iou, "iou_adj": found.iou_adj, "classes": table.class_ids}
        for n in frames:
            history = histories.setdefault(n, MetricHistory(table.names, window(n)))
            row[f"time{n}"] = history.update(table.metrics, tracks, tracker.state().ids)
        row["frame"] = np.full(len(table), k)
        row["frames_seen"] = tracks.frames
        for name, values in row.items():
            parts.setdefault(name, []).append(values[inside])
    return {name: np.concatenate(values) for name, values in parts.items()}


def joined(drives: Sequence[dict[str, np.ndarray]], frames: int, classes: tuple[str, ...]) -> SegmentData:
    """The segments of all drives; an "image" is a drive."""
    names = feature_set("metaseg").names(len(classes))
    history = MetricHistory(names, window(frames))
    metrics = [np.concatenate([drive["metrics"], drive[f"time{frames}"]], 1) for drive in drives]
    image = np.concatenate([np.full(len(drive["iou"]), k, np.int32) for k, drive in enumerate(drives)])
    iou, iou_adj, class_ids = (
        np.concatenate([drive[name] for drive in drives]) for name in ("iou", "iou_adj", "classes")
    )
    labels = tuple(f"drive {k}" for k in range(len(drives)))
    return SegmentData(
        (*names, *history.columns),
        np.concatenate(metrics),
        iou,
        iou_adj,
        class_ids,
        image,
        labels,
        labels,
        "embedded",
        classes,
        time=window(frames),
    )


def model_of(data: SegmentData, past: str, kind: SegmentClassifier) -> MetaModel:
    """A judge fitted on these segments."""
    return fit(data, "metaseg" if past == ALONE else "metaseg_time", classifier=kind)


def answers(model: MetaModel, judged: SegmentData) -> Scores:
    """P(false positive) and IoU of the segments."""
    p_wrong, iou = model.predict(judged)
    return {"p_wrong": p_wrong, "iou": iou}


def measures(data: SegmentData, found: Scores, rows: np.ndarray | None = None) -> tuple[float, float]:
    """AUROC and R², in percent."""
    rows = np.arange(len(data)) if rows is None else rows
    wrong, iou_adj = data.false_positive[rows], data.iou_adj[rows]
    rest = ((iou_adj - found["iou"][rows]) ** 2).sum()
    r2 = 1 - rest / ((iou_adj - iou_adj.mean()) ** 2).sum()
    return 100 * float(roc_auc_score(wrong, found["p_wrong"][rows])), 100 * float(r2)


def gain(data: SegmentData, before: Scores, after: Scores, seed: int = 0) -> list[str]:
    """Gain in AUROC and R² with its interval over drives."""
    rng, drives = np.random.default_rng(seed), int(data.image.max()) + 1
    rows = [np.flatnonzero(data.image == k) for k in range(drives)]
    draws = []
    for _ in range(DRAWS):
        chosen = np.concatenate([rows[k] for k in rng.integers(0, drives, drives)])
        chosen = chosen[rng.random(len(chosen)) < min(1.0, 20_000 / len(chosen))]  # thinned: ranks are the cost
        draws.append(np.subtract(measures(data, after, chosen), measures(data, before, chosen)))
    whole = np.subtract(measures(data, after), measures(data, before))
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return [f"{w:+.1f} [{a:+.1f}, {b:+.1f}]" for w, a, b in zip(whole, low, high, strict=True)]


def choose(drives: list[dict[str, np.ndarray]], frames: Sequence[int], classes: tuple[str, ...]) -> Table:
    """Judges on every third frame of the fitted drives, a quarter of the drives left out at a time."""
    table = _table(
        "Chosen on every third frame of the fitted drives, a quarter of them left out at a time",
        "looks back",
        "AUROC",
        "R²",
    )
    for n in frames:
        data = joined(drives, n, classes)
        data = data.rows(np.concatenate([drive["frame"] for drive in drives]) % EVERY == 0)
        for kind in KINDS:
            for past in (ALONE, LATER) if n == frames[0] else (LATER,):
                found = {name: np.zeros(len(data)) for name in ("p_wrong", "iou")}
                for quarter in range(QUARTERS):
                    out = data.image % QUARTERS == quarter
                    part = answers(model_of(data.rows(~out), past, kind), data.rows(out))
                    for name, values in part.items():
                        found[name][out] = values
                scores = measures(data, found)
                looks = "-" if past == ALONE else f"{n} frames"
                table.add_row(kind, looks, *(f"{score:.1f}" for score in scores))
    return table


def compare(title: str, models: dict[tuple[str, str], MetaModel], judged: SegmentData, old: np.ndarray) -> Table:
    """Both kinds of judges, with and without the past, on drives that were not fitted on.

    ``old`` (n,) bool: the segment's track was seen before.
    """
    table = _table(f"{title}: {len(judged):,} segments", "judge", "AUROC", "R²", "gain in AUROC", "gain in R²")
    for kind in KINDS:
        alone, later = (answers(models[kind, past], judged) for past in (ALONE, LATER))
        table.add_row(kind, ALONE, *(f"{score:.1f}" for score in measures(judged, alone)), "", "")
        table.add_row(kind, LATER, *(f"{score:.1f}" for score in measures(judged, later)), *gain(judged, alone, later))
        for name, rows in (("seen before", old), ("new", ~old)):
            cells = [measures(judged, found, np.flatnonzero(rows)) for found in (alone, later)]
            text = [f"{a:.1f} → {b:.1f}" for a, b in zip(*cells, strict=True)]
            table.add_row("", f"  {name} ({rows.mean():.0%})", *text, "", "")
    return table


def _table(title: str, *heads: str) -> Table:
    table = Table("kind", title=title, title_justify="left")
    for head in heads:
        table.add_column(head, justify="right")
    return table


def drives_of(
    text: str, network: SegmentationNetwork, frames: Sequence[int], cache: Path
) -> list[dict[str, np.ndarray]]:
    return [
        tables_of(recorded(network, sequence, cache), frames, cache)
        for sequence in track(drive_sequences(text), description=text[:40])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("--fit", default=f"synthetic:seeds=1000-1011:{FITTED_ON}")
    parser.add_argument("--judge", default=f"synthetic:seeds=2000-2011:{JUDGED_ON}")
    parser.add_argument("--faster", default=f"synthetic:seeds=2012-2015:hz=30:seconds=10:{JUDGED_ON}")
    parser.add_argument("--no-choice", action="store_true", help="only judge, with --chosen")
    parser.add_argument(
        "--chosen", type=int, default=10, choices=FRAMES, help="frames to look back, as chosen on --fit"
    )
    arguments = parser.parse_args()
    set_threads(1)
    network = PipelineSettings(threads=1).load()
    classes = tuple(network.labels.names)
    found = {}
    for name in ("fit", "judge", "faster"):
        text = getattr(arguments, name)
        found[name] = drives_of(text, network, FRAMES, arguments.cache) if text else []
    console = Console(width=120)
    if not arguments.no_choice:
        console.print(choose(found["fit"], FRAMES, classes))
    fitted = joined(found["fit"], arguments.chosen, classes)
    models: dict[tuple[str, str], MetaModel] = {
        (kind, past): model_of(fitted, past, kind) for kind in KINDS for past in (ALONE, LATER)
    }
    for name, title in (("judge", "Judged at 10 Hz"), ("faster", "Judged at 30 Hz, fitted at 10 Hz")):
        if found[name]:
            old = np.concatenate([drive["frames_seen"] for drive in found[name]]) > 1
            console.print(compare(title, models, joined(found[name], arguments.chosen, classes), old))


if __name__ == "__main__":
    main()
