"""docs/results/mining.md: what 10 % chosen images of CamVid's train split teach, beside 20 % drawn at random.

    python benchmarks/mining_study [--part drives halves meta last_layer training] [--write]

The network that chooses, ``embedded:synthetic``, has never seen CamVid. ``meta`` fits a meta model on the segments of
the chosen images and judges it on test; ``last_layer`` fits the last layer of the network anew, ``training`` trains all
of it for a few steps, and both measure mIoU on test. ``drives`` and ``halves`` compare ways to choose in train: each
drive in turn is judged by images of the others, half of the pieces of all drives by images of the other half. Every
number that has been measured is kept in --runs; a stopped study goes on. ``training`` takes half a minute per run on a
free core.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # what the studies share

import chosen
import judged
import last_layer as layers
import numpy as np
import trained
from mining_pages import Row, write
from study_line import study_parser

from trust_seg_ros.support.resumable import write_text

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(5)
STEPS = 60
ARMS: dict[str, tuple[str, float]] = {
    "mined, 10 %": ("mined", 0.1),
    "random, 20 %": ("random", 0.2),
    "random, 10 %": ("random", 0.1),
}
"""Title -> way to choose, share of the images."""
EVERY_ARM = {**ARMS, "all": ("random", 1.0)}


class Study:
    """Data, and the numbers that are kept."""

    def __init__(self, data: Path, runs: Path, force: bool) -> None:
        self.data, self.runs = data / "camvid", runs
        self.file = runs / "measured.json"
        runs.mkdir(parents=True, exist_ok=True)
        self.measured: dict[str, dict[str, float]] = {}
        if self.file.exists() and not force:
            self.measured = json.loads(self.file.read_text())
        self._pool: list[chosen.Glance] = []

    @property
    def pool(self) -> list[chosen.Glance]:
        """The images of train as the first pass sees them."""
        self._pool = self._pool or chosen.glances(self.data, "train", self.runs / "seen")
        return self._pool

    def segments(self, split: str) -> judged.SegmentData:
        """The segments of a split with their ground truth."""
        return judged.segments(self.data, split, self.runs / "segments", chosen.NETWORK)

    def names(self, way: str, share: float, seed: int, pool: list[chosen.Glance] | None = None) -> list[str]:
        """Images of one arm; ``way`` is one of ``chosen.WAYS``."""
        pool = self.pool if pool is None else pool
        return chosen.WAYS[way](pool, round(share * len(pool)), seed)

    def keep(self, name: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """A measurement, made once."""
        if name not in self.measured:
            found = measure()
            if self.file.exists():  # another process may measure another part meanwhile
                self.measured |= json.loads(self.file.read_text())
            self.measured[name] = found
            write_text(self.file, json.dumps(self.measured, indent=1))
            print(name, {key: round(value, 4) for key, value in self.measured[name].items()}, flush=True)
        return self.measured[name]


def training_order() -> list[tuple[str, int]]:
    """Title and seed of the runs, those first that the goal speaks of."""
    goal, rest = list(ARMS)[:2], list(ARMS)[2:]
    return [(title, seed) for titles in (goal, rest) for seed in SEEDS for title in titles]


def training(study: Study) -> list[Row]:
    """mIoU on test, by arm."""
    rows = {title: Row(title) for title in ARMS}
    for title, seed in training_order():
        way, share = ARMS[title]
        names = study.names(way, share, seed)
        found = study.keep(
            f"training/{way}/{share:g}/{seed}",
            lambda names=names, seed=seed: trained.mean_iou(study.data, study.runs / "net", names, seed, STEPS),
        )
        rows[title].add(images=len(names), value=found["miou"])
    return list(rows.values())


def last_layer(study: Study) -> list[Row]:
    """mIoU on test of the last layer fitted on the chosen images, by arm; all judged in one go."""
    known = layers.pixels(study.data, study.runs / "pixels.npz")
    arms = [(title, way, share, seed) for title, (way, share) in ARMS.items() for seed in SEEDS]
    chosen_names = [study.names(way, share, seed) for _, way, share, seed in arms]
    missing = [k for k, (_, *arm) in enumerate(arms) if _key(*arm) not in study.measured]
    found = [layers.fitted(known, chosen_names[k], 11) for k in missing]
    for k, miou in zip(missing, layers.mean_iou(study.data, found) if found else [], strict=True):
        study.keep(_key(*arms[k][1:]), lambda miou=miou: {"miou": miou})
    rows = {title: Row(title) for title in ARMS}
    for (title, *arm), names in zip(arms, chosen_names, strict=True):
        rows[title].add(images=len(names), value=study.measured[_key(*arm)]["miou"])
    return list(rows.values())


def _key(way: str, share: float, seed: int) -> str:
    return f"last_layer/{way}/{share:g}/{seed}"


def _seeds(share: float) -> range:
    return SEEDS if share < 1 else range(1)


def meta(study: Study) -> list[Row]:
    """AUROC on test, by arm."""
    data, test = (
        judged.segments(study.data, split, study.runs / "segments", chosen.NETWORK) for split in ("train", "test")
    )
    found = []
    for title, (way, share) in EVERY_ARM.items():
        row = Row(title)
        for seed in _seeds(share):
            names = study.names(way, share, seed)
            one = study.keep(f"meta/{way}/{share:g}/{seed}", lambda names=names: _auroc(data, names, test))
            row.add(images=len(names), value=one["auroc"], segments=one["segments"])
        found.append(row)
    return found


def drives(study: Study) -> list[Row]:
    """AUROC on a drive of train that gave no images, by way to choose."""
    data = study.segments("train")
    names = dict(zip(data.images, data.drives, strict=True))
    judging = {drive: {name for name, theirs in names.items() if theirs == drive} for drive in sorted(set(data.drives))}
    return _design(study, "drives", data, judging)


def halves(study: Study) -> list[Row]:
    """AUROC on the other half of the pieces of train's drives, by way to choose; four divisions."""
    data = study.segments("train")
    return _design(study, "halves", data, {str(k): _half(data, k) for k in range(4)})


def _half(data: judged.SegmentData, seed: int) -> set[str]:
    """About half of the images: whole pieces of 15 seconds, as neighbours are alike."""
    rng, found = np.random.default_rng(seed), set()
    for drive in sorted(set(data.drives)):
        images = [name for name, theirs in zip(data.images, data.drives, strict=True) if theirs == drive]
        pieces = np.array_split(images, max(2, len(images) // 15))
        found |= {str(name) for k in rng.permutation(len(pieces))[len(pieces) // 2 :] for name in pieces[k]}
    return found


def _design(study: Study, kind: str, data: judged.SegmentData, judges: dict[str, set[str]]) -> list[Row]:
    ways = {
        "mined": ("mined", 0.1),
        "mined, what there is to learn plays no part": ("unweighted", 0.1),
        "information · distance to the nearest chosen (k-centre)": ("k_centre", 0.1),
        "most information, however alike": ("informative", 0.1),
        "random, 10 %": ("random", 0.1),
        "random, 20 %": ("random", 0.2),
        "all": ("random", 1.0),
    }
    found = []
    for title, (way, share) in ways.items():
        row = Row(title)
        for name, judging in judges.items():
            pool = [glance for glance in study.pool if glance.name not in judging]
            others = judged.of_images(data, sorted(judging))
            for seed in SEEDS if share < 1 and way != "informative" else range(1):
                names = study.names(way, share, seed, pool)
                key = f"design/{kind}/{way}/{share:g}/{name}/{seed}"
                one = study.keep(key, lambda names=names, others=others: _auroc(data, names, others))
                row.add(images=len(names), value=one["auroc"], segments=one["segments"])
        found.append(row)
    return found


def _auroc(data: judged.SegmentData, names: list[str], others: judged.SegmentData) -> dict[str, float]:
    value, segments = judged.auroc(data, names, others)
    return {"auroc": value, "segments": float(segments)}


PARTS: dict[str, Callable[[Study], list[Row]]] = {
    "drives": drives,
    "halves": halves,
    "meta": meta,
    "last_layer": last_layer,
    "training": training,
}


def main() -> int:
    data = ROOT.parent / "shared" / "data"
    args = study_parser(__doc__ or "", PARTS, data, "runs/mining", "docs/results/mining").parse_args()
    study = Study(args.data, args.runs, args.force)
    for part in args.part:
        rows = PARTS[part](study)
        print(f"\n{part}\n" + "\n".join(f"{row.title}: {np.mean(row.values):.4f}" for row in rows), flush=True)
        if args.write:
            write(part, rows, ROOT / "docs" / "results")
    return 0


if __name__ == "__main__":
    sys.exit(main())
