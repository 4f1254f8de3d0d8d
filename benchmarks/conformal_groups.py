"""Conformal thresholds by class, region and image against one for all: are the promises kept, and what does it cost?

    python benchmarks/conformal_groups.py --data ../shared/data/camvid --out runs/groups \\
        --other ../shared/data/street_photos:val

The network sees every image once; its counts of right and wrong pixels by group and score are kept in OUT/*.npz and
used again as long as network, score and images are the same. Then, for every alpha and grouping:

    half    calibrated on half of the images, judged on the other half, --draws times; and --many times for the mean
            alone, which for exchangeable images exceeds alpha by no more than its standard error
    drive   calibrated on all drives but one, judged on that one
    other   calibrated on all images, judged on another camera's, for which nothing is promised

A group's missed share is the mean, over the images with errors of the group, of the share of these errors that is not
flagged. Images without such errors count neither in calibration nor in judging.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from group_counts import GRID, Counts, counted
from rich.console import Console
from rich.progress import track
from rich.table import Table

from trust_seg_ros.fitting.group_risk import KINDS, image_kinds, thinned
from trust_seg_ros.fitting.short_curves import short_risk
from trust_seg_ros.thresholds.curves import RiskCurve, images_needed
from trust_seg_ros.thresholds.group_curves import GroupCurves
from trust_seg_ros.thresholds.group_thresholds import ImageThresholds, risk_thresholds
from trust_seg_ros.thresholds.policies import Curves
from trust_seg_ros.thresholds.policies.groupings import ALL, CLASS, GROUPINGS, IMAGE, REGION
from trust_seg_ros.thresholds.regions import REGIONS, region_names
from trust_seg_ros.types import UNLABELLED

KIND_NAMES = ("low mean", "middle mean", "high mean")
REGION_NAMES = region_names(REGIONS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="labelled data set to calibrate and judge on")
    parser.add_argument("--split", default="test", help="default: test")
    parser.add_argument("--other", help="FOLDER:SPLIT of another camera, with the same label values")
    parser.add_argument("--ignore", type=int, nargs="+", default=[11, UNLABELLED], help="values without a class")
    parser.add_argument("--model", default="embedded", help="network (default: embedded)")
    parser.add_argument("--score", default="entropy", help="a score in [0, 1] (default: entropy)")
    parser.add_argument("--alphas", type=float, nargs="+", default=[0.1, 0.05], help="default: 0.1 0.05")
    parser.add_argument("--draws", type=int, default=10, help="halves (default: 10)")
    parser.add_argument("--many", type=int, default=200, help="halves for the mean alone (default: 200)")
    parser.add_argument("--images", type=int, help="calibrate on so many images, judge on the others (default: half)")
    parser.add_argument("--out", type=Path, required=True, help="folder for counts and tables")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    how = args.model, args.score, tuple(args.ignore), args.out
    data = counted(args.data, args.split, *how)
    other = None
    if args.other:
        folder, _, split = args.other.rpartition(":")
        other = counted(Path(folder), split, *how)
    console = Console(width=150 if not os.isatty(1) else None)
    groups, policies = [], []
    for alpha in args.alphas:
        for name, cases in arrangements(data, other, args.draws, args.images):
            one, of_groups = judged(name, cases, alpha)
            policies += one
            groups += of_groups
        groups += many(data, alpha, args.many, args.images)
    for file, rows in (("policies", policies), ("groups", groups)):
        written(args.out / f"{file}.csv", rows)
    shown(console, policies)
    shown(console, [row for row in groups if row["judged on"].startswith(("half", "other"))])


class Case(NamedTuple):
    """One division: images to calibrate on, images to judge."""

    calibration: Counts
    test: Counts


def halves(data: Counts, draws: int, images: int | None = None) -> Iterator[Case]:
    """Half of the images each (or ``images`` to calibrate), drawn as ``trust-seg trust --calibrate-on half`` does."""
    n = len(data.means)
    for seed in range(draws):
        chosen = np.zeros(n, bool)
        chosen[np.random.default_rng(seed).permutation(n)[: images or n // 2]] = True
        yield Case(data.part(chosen), data.part(~chosen))


def arrangements(
    data: Counts, other: Counts | None, draws: int, images: int | None
) -> Iterator[tuple[str, list[Case]]]:
    """What is calibrated on and judged."""
    yield "half", list(halves(data, draws, images))
    for drive in np.unique(data.drives).tolist() if len(np.unique(data.drives)) > 1 else ():
        own = data.drives == drive
        yield f"drive {drive}", [Case(data.part(~own), data.part(own))]
    if other is not None:
        yield "other camera", [Case(data, other)]


class Fitted(NamedTuple):
    """Thresholds of one case and alpha: places in ``GRID``, one past it flags nothing.

    ``images`` is how many calibration images each group has; ``edges`` lie between kinds of images.
    """

    joint: int
    places: dict[str, np.ndarray]
    images: dict[str, np.ndarray]
    edges: list[float]
    shared: dict[str, np.ndarray]


def fitted(data: Counts, alpha: float) -> Fitted:
    """By the code of the package, with curves as short as a calibration file keeps them."""
    whole = data.losses[ALL][:, 0]
    joint = short_risk(RiskCurve(GRID, np.nan_to_num(whole).mean(0), len(whole))).threshold(alpha)
    counts = np.flatnonzero(~np.isnan(whole[:, 0]))
    edges, kind = image_kinds(data.means[counts].tolist(), KINDS)
    parts = {
        by: [losses[~np.isnan(losses[:, 0])] for losses in data.losses[by].swapaxes(0, 1)] for by in (CLASS, REGION)
    }
    parts[IMAGE] = [whole[counts[kind == k]] for k in range(len(edges) + 1)]
    curves = {
        by: tuple(short_risk(thinned(RiskCurve(GRID, of.mean(0), len(of)))) if len(of) else None for of in losses)
        for by, losses in parts.items()
    }
    groups = GroupCurves(curves[CLASS], curves[REGION], REGIONS, curves[IMAGE], tuple(edges))
    places, shared = {}, {}
    for by in parts:
        found = risk_thresholds(by, alpha, Curves(groups=groups), joint)
        table = found.table()[: len(data.classes)] if by == CLASS else found.table().ravel()
        places[by], shared[by] = place(table), np.isnan(found.values.ravel())
        if isinstance(found, ImageThresholds):
            assert found.of(data.means.min()) == table[0]
    images = {by: np.array([len(of) for of in losses]) for by, losses in parts.items()}
    return Fitted(int(place(np.array([joint]))[0]), places, images, edges, shared)


def place(thresholds: np.ndarray) -> np.ndarray:
    """Columns of the counts at these thresholds; the first where everything is flagged."""
    return np.where(np.isneginf(thresholds), 0, np.searchsorted(GRID, thresholds) + 1)


def taken(counts: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n, g) of (n, g, k + 1) at a place for each group, (g,), or for each image and group, (n, g)."""
    return np.take_along_axis(counts, np.broadcast_to(places, counts.shape[:2])[..., None], -1)[..., 0].astype(np.int64)


class Outcome(NamedTuple):
    """What a grouping does to the images judged: (n, g) errors, found errors, right and wrong pixels flagged."""

    errors: np.ndarray
    found: np.ndarray
    right: np.ndarray


def outcome(test: Counts, fit: Fitted, by: str, judge: str) -> Outcome:
    """With thresholds ``by`` a grouping, seen in the groups ``judge``; both the same, or one of them "all"."""
    seen = judge if by in (ALL, IMAGE) else by
    wrong, right = test.of(seen, test.wrong), test.of(seen, test.right)
    if by == IMAGE:
        places = fit.places[IMAGE][np.searchsorted(fit.edges, test.means, "right")][:, None]
    else:
        places = np.full(wrong.shape[1], fit.joint) if by == ALL else fit.places[by]
    found = Outcome(wrong[..., 0].astype(np.int64), taken(wrong, places), taken(right, places))
    if judge == by or by == ALL:
        return found
    return Outcome(*(part.sum(axis=1, keepdims=True) for part in found))


def missed(test: Counts, fit: Fitted, by: str, judge: str) -> np.ndarray:
    """(g,) missed share of each group ``judge`` with thresholds ``by``, a mean over images; NaN without errors."""
    found = outcome(test, fit, by, judge)
    with np.errstate(invalid="ignore"):
        losses = 1.0 - found.found / found.errors
    if judge == IMAGE:
        kind = np.searchsorted(fit.edges, test.means, "right")
        losses = np.where(kind[:, None] == np.arange(KINDS), losses, np.nan)
    some = ~np.isnan(losses)
    return np.where(some.any(0), np.nansum(losses, 0) / np.maximum(some.sum(0), 1), np.nan)


Row = dict[str, str]


def judged(name: str, cases: list[Case], alpha: float) -> tuple[list[Row], list[Row]]:
    """Rows of the policies, and of the groups, as means over the cases."""
    fits = [fitted(case.calibration, alpha) for case in cases]
    of_groups: list[Row] = []
    worst: dict[str, tuple[float, str, int]] = {}
    for judge in (CLASS, REGION, IMAGE):
        common, own = (
            np.array([missed(case.test, fit, by, judge) for case, fit in zip(cases, fits, strict=True)])
            for by in (ALL, judge)
        )
        images = np.array([fit.images[judge] for fit in fits])
        shared = np.array([fit.shared[judge] for fit in fits])
        rows = group_rows(name, alpha, judge, cases[0].test.classes, (common, own), images, shared)
        of_groups += rows
        for by, values in ((ALL, common), (judge, own)):
            mean = means(values)
            worst[f"{by} {judge}"] = (
                float(np.nanmax(mean)),
                rows[int(np.nanargmax(mean))]["group"],
                int((mean > alpha).sum()),
            )
    return [policy_row(name, cases, fits, alpha, by, worst) for by in GROUPINGS], of_groups


def names_of(judge: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    return {CLASS: classes, REGION: REGION_NAMES, IMAGE: KIND_NAMES}[judge]


def group_rows(
    name: str,
    alpha: float,
    judge: str,
    classes: tuple[str, ...],
    values: tuple[np.ndarray, np.ndarray],
    images: np.ndarray,
    shared: np.ndarray,
) -> list[Row]:
    """One row per group, from (draws, g) arrays."""
    rows = []
    for g, group in enumerate(names_of(judge, classes)):
        common, own = (means(part[:, g : g + 1])[0] for part in values)
        rows.append(
            {
                "alpha": f"{alpha:g}",
                "judged on": name,
                "by": judge,
                "group": group,
                "images to calibrate": f"{images[:, g].mean():.0f}",
                "needed": f"{images_needed(alpha)}",
                "shares the common": f"{shared[:, g].sum()} of {len(shared)}",
                "missed, common threshold": percent(common),
                "missed, own threshold": percent(own),
                "± s.e.": percent(error(values[1][:, g])),
            }
        )
    return rows


def policy_row(
    name: str, cases: list[Case], fits: list[Fitted], alpha: float, by: str, worst: dict[str, tuple[float, str, int]]
) -> Row:
    """One policy: what it flags and finds in whole images, and its worst group of each kind."""
    totals, whole = np.zeros(4), []
    for case, fit in zip(cases, fits, strict=True):
        found = outcome(case.test, fit, by, ALL)
        every = case.test.of(ALL, case.test.right)[..., 0].sum() + found.errors.sum()
        totals += found.right.sum() + found.found.sum(), found.found.sum(), every, found.errors.sum()
        whole.append(missed(case.test, fit, by, ALL)[0])
    flagged, hit, every, errors = totals
    row = {
        "alpha": f"{alpha:g}",
        "judged on": name,
        "thresholds by": by,
        "flagged": percent(flagged / every),
        "found": percent(hit / errors),
        "right when flagged": percent(hit / flagged),
        "missed of an image": percent(float(np.mean(whole))),
    }
    for judge in (CLASS, REGION, IMAGE):
        value = worst.get(f"{by} {judge}")
        row[f"worst {judge}"] = "" if value is None else f"{percent(value[0])} {value[1]}, {value[2]} above"
    return row


def many(data: Counts, alpha: float, draws: int, images: int | None) -> list[Row]:
    """The mean of many halves, group by group: what is promised is about this mean."""
    found: dict[str, list[np.ndarray]] = {judge: [] for judge in (CLASS, REGION, IMAGE)}
    common: dict[str, list[np.ndarray]] = {judge: [] for judge in found}
    fits = []
    for case in track(halves(data, draws, images), f"alpha {alpha:g}", total=draws):
        fits.append(fit := fitted(case.calibration, alpha))
        for judge, values in found.items():
            values.append(missed(case.test, fit, judge, judge))
            common[judge].append(missed(case.test, fit, ALL, judge))
    rows = []
    for judge, values in found.items():
        images, shared = (np.array([getattr(fit, what)[judge] for fit in fits]) for what in ("images", "shared"))
        both = np.array(common[judge]), np.array(values)
        rows += group_rows(f"half, {draws} draws", alpha, judge, data.classes, both, images, shared)
    return rows


def means(values: np.ndarray) -> np.ndarray:
    """(g,) means over draws, without those in which the group has no errors."""
    some = ~np.isnan(values)
    return np.where(some.any(0), np.nansum(values, 0) / np.maximum(some.sum(0), 1), np.nan)


def error(values: np.ndarray) -> float:
    """Standard error of the mean over draws."""
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else np.nan


def percent(value: float) -> str:
    return "" if np.isnan(value) else f"{100 * value:.2f}"


def written(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def shown(console: Console, rows: list[Row]) -> None:
    table = Table()
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*row.values())
    console.print(table)


if __name__ == "__main__":
    main()
