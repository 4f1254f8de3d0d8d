"""OoD judges that look back against judges of single frames, on synthetic drives: AUROC, false alarms at equal recall.

    python benchmarks/time_ood_judges.py CACHE [--fit synthetic:seeds=1000-1011] [--judge synthetic:seeds=2000-2011]
                                         [--frames 10] [--threshold 0.8] [--save ood.json]

As ``time_judges.py``, for the segments of the entropy at a threshold: what is fitted has not seen the drives, nor the
kinds of objects, that are judged. "False alarms" are the share that is left where 98 % of the segments on objects are
kept. Differences are given with their 95 % interval over drives.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.metrics import roc_auc_score

from trust_seg_ros.evaluation.time.ood_judge import ood_data
from trust_seg_ros.evaluation.time.recorded import recorded
from trust_seg_ros.evaluation.time.sequences import drive_sequences
from trust_seg_ros.fitting.ood_fit import Classifier, fit_ood, stacked
from trust_seg_ros.meta.ood_data import OodData
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.segments.history import TimeWindow
from trust_seg_ros.thresholds import ThresholdSettings

RATE_HZ, RECALL, DRAWS = 10.0, 0.98, 500
FITTED_ON = "kinds=deer,cow,dog,box,tyre,debris,sofa,ladder"
JUDGED_ON = "kinds=sheep,barrel,ball,trolley,crate,suitcase"
KINDS: tuple[Classifier, ...] = ("ridge", "boosting")
SETS = ("meta_scale_free", "meta_scale_free_time")


def measures(p_ood: np.ndarray, data: OodData) -> tuple[float, float]:
    """AUROC, and the share of false alarms that is left at the wanted recall; percent."""
    alarm = data.false_alarm
    least = np.quantile(p_ood[~alarm], 1 - RECALL)
    return 100 * float(roc_auc_score(~alarm, p_ood)), 100 * float((p_ood[alarm] >= least).mean())


def gain(data: OodData, before: np.ndarray, after: np.ndarray) -> list[str]:
    """Differences with their intervals over drives."""
    rng, drives = np.random.default_rng(0), len(data.images)
    rows = [np.flatnonzero(data.image == k) for k in range(drives)]
    draws = []
    for _ in range(DRAWS):
        chosen = np.concatenate([rows[k] for k in rng.integers(0, drives, drives)])
        part = data.rows(chosen)
        draws.append(np.subtract(measures(after[chosen], part), measures(before[chosen], part)))
    whole = np.subtract(measures(after, data), measures(before, data))
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return [f"{w:+.1f} [{a:+.1f}, {b:+.1f}]" for w, a, b in zip(whole, low, high, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("--fit", default=f"synthetic:seeds=1000-1011:{FITTED_ON}")
    parser.add_argument("--judge", default=f"synthetic:seeds=2000-2011:{JUDGED_ON}")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--save", type=Path, help="write the boosted judge that looks back")
    a = parser.parse_args()
    pipeline, window = TrustPipeline.load(), TimeWindow(a.frames / RATE_HZ, rate_hz=(RATE_HZ, RATE_HZ))
    fitted, judged = (
        stacked(
            [
                ood_data(
                    recorded(pipeline.network, sequence, a.cache), pipeline, ThresholdSettings(), a.threshold, window
                )
                for sequence in track(drive_sequences(text), description=text[:40])
            ]
        )
        for text in (a.fit, a.judge)
    )
    title = f"{len(fitted):,} segments fitted on, {len(judged):,} judged, {judged.false_alarm.mean():.0%} false alarms"
    table = Table("kind", title=title, title_justify="left")
    for head in ("metrics", "AUROC", "false alarms left", "difference in AUROC", "difference in false alarms"):
        table.add_column(head, justify="right")
    for kind in KINDS:
        models = [fit_ood(fitted, choice, classifier=kind) for choice in SETS]
        alone, later = (model.p_ood(judged) for model in models)
        table.add_row(kind, SETS[0], *(f"{value:.1f}" for value in measures(alone, judged)), "", "")
        table.add_row(kind, SETS[1], *(f"{v:.1f}" for v in measures(later, judged)), *gain(judged, alone, later))
    Console(width=140).print(table)
    if a.save is not None:
        models[1].save(a.save)


if __name__ == "__main__":
    main()
