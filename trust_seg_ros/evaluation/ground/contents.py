"""The study of what a planner gets, as tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from trust_seg_ros.evaluation.ground.cell_counts import OCCUPIED, DriveCells
from trust_seg_ros.evaluation.ground.feet_error import FeetErrors
from trust_seg_ros.evaluation.ground.judging import PLANES
from trust_seg_ros.evaluation.ground.map_study import COMPARED, MASKS, TRUTH, bound_draws
from trust_seg_ros.evaluation.ground.stop_study import Judged, interval, rate_interval
from trust_seg_ros.evaluation.ground.study import Study
from trust_seg_ros.evaluation.report.report import Contents, Picture, Section
from trust_seg_ros.evaluation.report.tabular import IN_FILE, Column, Table, Value
from trust_seg_ros.fitting.hazard_bound import GRID
from trust_seg_ros.ground.caution_settings import CautionSettings
from trust_seg_ros.thresholds.curves import TooFewImagesError

ALPHAS = (0.05, 0.1)
FREE_BELOW = CautionSettings.free_below
"""The node's threshold on P(hazard) where no bound gives one."""
RANGES_M = ((0.0, 10.0), (10.0, 20.0), (20.0, 30.0))
NEAR = 0.1


def contents(found: Study, pictures: Callable[[], tuple[Picture, ...]] = tuple) -> Contents:
    """The sections of the report.

    Args:
        found: the study.
        pictures: shown with the maps.
    """
    sections = []
    if found.maps:
        tables = (_feet(found), _bound(found), _cells(found))
        sections.append(Section("Maps against true ground", "", tables, pictures()))
    if found.stops:
        edge = Picture("stops", "Stops before unknown objects against false stops, every rule", _edge(found))
        sections.append(Section("The closed loop", "", (_stops(found), _kinds(found), _frontier(found)), (edge,)))
    return Contents("What a planner gets", tuple(sections))


def _feet(found: Study) -> Table:
    names = [f"median {near:g}-{far:g} m, %" for near, far in RANGES_M]
    columns = (
        Column("camera", "text"), Column("masks", "text"), Column("plane", "text"), Column("feet", "count"),
        Column("matched, %"), *(Column(name) for name in names), Column("median, %"), Column("90 %, %"),
        Column(f"within {100 * NEAR:g} %, %"),
    )  # fmt: skip
    rows: list[tuple[Value, ...]] = []
    for camera, drives in found.maps.items():
        for masks in MASKS:
            for plane in PLANES:
                x = FeetErrors.joined([drive.feet[masks, plane] for drive in drives])
                by_range = [_quantile(x.between(*ends), 0.5) for ends in RANGES_M]
                rows.append(
                    (camera.name, masks, plane, x.feet, len(x.errors) / max(x.feet, 1), *by_range,
                     _quantile(x.errors, 0.5), _quantile(x.errors, 0.9),
                     float((x.errors <= NEAR).mean()) if len(x.errors) else float("nan"))
                )  # fmt: skip
    note = (
        "Distance on the ground between the foot of an obstacle and where it truly touches the ground, as a share of "
        "its range, up to 30 m. Matched: feet with a true one in their column of the image, at most 8 rows away; the "
        "others belong to what hangs over the ground (bumpers, bellies, crowns) or to nothing."
    )
    return Table("feet", "Feet of obstacles", columns, tuple(rows), note)


def _bound(found: Study) -> Table:
    columns = (
        Column("camera", "text"), Column("map", "text"), Column("plane", "text"), Column("alpha, %"),
        Column("missed, %"), Column("95 % of the draws below, %"), Column("threshold on P(hazard)", "number"),
        Column("free of what is free, %"), Column("draws without a free cell", "count"),
    )  # fmt: skip
    rows: list[tuple[Value, ...]] = []
    for camera, drives in found.maps.items():
        for variant in COMPARED:
            for plane in PLANES:
                cells = [drive.cells[variant.name, plane] for drive in drives]
                for alpha in ALPHAS:
                    try:
                        x = bound_draws(cells, alpha)
                    except TooFewImagesError:
                        continue
                    rows.append(
                        (camera.name, variant.name, plane, alpha, x.missed, x.worst, x.threshold, x.free, x.refused)
                    )
    note = (
        "200 random halves of the drives calibrate the threshold, the other half is judged. Missed: mean share of true "
        "hazard cells that is free. Free of what is free: share of the cells of visible road without anything on them "
        "that the map calls free."
    )
    return Table("bound", "Missed hazard cells at a promised alpha", columns, tuple(rows), note)


def _cells(found: Study) -> Table:
    columns = (
        Column("camera", "text"), Column("map", "text"), Column("plane", "text"),
        Column("hazard cells in a frame", "number"), Column("missed, %"), Column("free of what is free, %"),
        Column("false hazard cells in a frame", "number"), Column("hidden cells in a frame", "number"),
        Column("of them occupied", "number"), Column("of them free", "number"),
    )  # fmt: skip
    rows: list[tuple[Value, ...]] = []
    place = int(np.searchsorted(GRID, FREE_BELOW))
    for camera, drives in found.maps.items():
        for name, plane in (TRUTH, *((variant.name, plane) for variant in COMPARED for plane in PLANES)):
            x = _sum([drive.cells[name, plane] for drive in drives])
            n, c = max(x.frames, 1), x.counts
            rows.append(
                    (camera.name, name, plane, float(c["hazards"]) / n, float(x.loss[place]),
                     float(c["free"][place] / max(c["truly_free"], 1)), float(c["false"]) / n, float(c["hidden"]) / n,
                     float(c["hidden_occupied"]) / n, float(c["hidden_free"][place]) / n)
                )  # fmt: skip
    note = (
        f"Free below P(hazard) = {FREE_BELOW:g}; occupied from {OCCUPIED} %. False: occupied cells of visible road "
        "with no true hazard in or beside them and nothing above them. Hidden: cells that lie, as their neighbours do, "
        "more than 0.5 m and a tenth of the range behind what hides them, and not below a thing themselves; in maps of "
        "single frames nothing may be said of them, fused ones remember."
    )
    return Table("cells", "Cells", columns, tuple(rows), note)


def _stops(found: Study) -> Table:
    columns = (
        Column("what the planner gets", "text"), Column("rule", "text"), Column("objects", "count"),
        Column("stopped before, %"), Column("95 % interval", "text"), Column("room left, median, m", "number"),
        Column("least, m", "number"), Column("false stops", "count"), Column("minutes", "number"),
        Column("in ten minutes", "number"), Column("95 % interval of the rate", "text"),
        Column("where chosen: stopped, %"), Column("false in ten minutes there", "number"),
    )  # fmt: skip
    rows: list[tuple[Value, ...]] = []
    for name, stops in found.stops.items():
        x = stops.found
        (stopped, every), (false, minutes) = x.stopped, x.false
        low, high = interval(stopped, every)
        least, most = rate_interval(false, minutes)
        rows.append(
            (name, words(x), every, x.share, f"{100 * low:.1f} to {100 * high:.1f}", _quantile(x.gaps, 0.5),
             _quantile(x.gaps, 0.0), false, minutes, x.false_per_ten, f"{10 * least:.1f} to {10 * most:.1f}",
             stops.choice.share, stops.choice.false_per_ten)
        )  # fmt: skip
    return Table("stops", "Stops before unknown objects on the lane, 30 km/h", columns, tuple(rows))


def _kinds(found: Study) -> Table:
    kinds = sorted({one.kind for x in found.stops.values() for drive in x.found.drives for one in drive.encounters})
    columns = (Column("what the planner gets", "text"), *(Column(f"{kind}, %") for kind in kinds))
    rows: list[tuple[Value, ...]] = []
    for name, stops in found.stops.items():
        every = [one for drive in stops.found.drives for one in drive.encounters]
        shares = [float(np.mean([one.stopped for one in every if one.kind == kind])) for kind in kinds]
        rows.append((name, *shares))
    return Table("stops_by_kind", "Stopped before, by kind of object", columns, tuple(rows))


def _frontier(found: Study) -> Table:
    columns = (
        Column("what the planner gets", "text"), Column("rule", "text"), Column("stopped before, %"),
        Column("false stops in ten minutes", "number"), Column("room left, median, m", "number"),
    )  # fmt: skip
    rows = tuple(
        (name, words(x), x.share, x.false_per_ten, _quantile(x.gaps, 0.5))
        for name, stops in found.stops.items()
        for x in stops.frontier
    )
    note = "Rules that no other one beats in both, chosen by looking at the drives that judge: no result, but a limit."
    return Table("frontier", "What other rules would have given", columns, rows, note, IN_FILE)


def words(one: Judged) -> str:
    """A rule in a few words."""
    rule = one.rule
    return (
        f"{rule.points} points, P ≥ {rule.least_p:g}, {rule.frames} frames, to {rule.zone.end_m:g} m, "
        f"±{rule.zone.half_width_m:g} m"
    )


def _edge(found: Study) -> Callable[[Path], bool]:
    def draw(path: Path) -> bool:
        from trust_seg_ros.evaluation.report.drawing import STRONG, figure

        with figure(str(path), 5.0) as drawn:
            axes = drawn.subplots()
            for (name, stops), colour in zip(found.stops.items(), STRONG, strict=False):
                rates = [x.false_per_ten for x in stops.frontier]
                axes.plot(rates, [100 * x.share for x in stops.frontier], "o-", color=colour, label=name, ms=5)
                axes.plot([stops.found.false_per_ten], [100 * stops.found.share], "*", color=colour, ms=17)
            axes.axvline(1.0, color="#8A8A8A", lw=1.0)
            axes.axhline(95.0, color="#8A8A8A", lw=1.0)
            axes.set(xlabel="false stops in ten minutes", ylabel="unknown objects stopped before, %", ylim=(0, 103))
            axes.legend(loc="lower right")
        return True

    return draw


def _sum(parts: list[DriveCells]) -> DriveCells:
    total = DriveCells()
    for part in parts:
        total.frames += part.frames
        total.missed = total.missed + part.missed
        for name, value in part.counts.items():
            total.counts[name] = total.counts.get(name, np.zeros(())) + value
    return total


def _quantile(values: np.ndarray, q: float) -> float:
    return float(np.quantile(values, q)) if len(values) else float("nan")
