"""The study of what a planner gets: caution maps of three cameras, and stops before unknown objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trust_seg_ros.evaluation.ground.drives import (
    CAMERAS,
    CHOICE,
    CHOSEN_WITH,
    CLEAR,
    JUDGED,
    JUDGED_BY,
    MAPS,
    Lens,
    lane_stretches,
    map_stretches,
)
from trust_seg_ros.evaluation.ground.evidence import DriveEvidence, drive_evidence
from trust_seg_ros.evaluation.ground.judging import VARIANTS, Judge
from trust_seg_ros.evaluation.ground.map_study import MapDrive, map_drive
from trust_seg_ros.evaluation.ground.recording import Stretch
from trust_seg_ros.evaluation.ground.stop_study import Judged, chosen, every_rule, frontier, judged

Announce = Callable[[str], Callable[[int, int], None]]
"""Title of the next step -> callback for its (done, total)."""


@dataclass(frozen=True)
class Size:
    """How much is driven; the defaults are those of docs/results/planner.md.

    Attributes:
        maps: drives of each camera.
        chosen, judged, clear: drives along the lane that rules are chosen on, that judge them, and without objects.
        plane: one of ``PLANES``, that feet are placed on in the closed loop.
    """

    maps: int = len(MAPS)
    chosen: int = len(CHOICE)
    judged: int = len(JUDGED)
    clear: int = len(CLEAR)
    plane: str = "estimated"


@dataclass(frozen=True)
class Stops:
    """One variant in the closed loop.

    Attributes:
        choice: the chosen rule on the drives that it was chosen on.
        found: the same rule on the drives that judge it.
        frontier: rules that no other one beats, on the drives that judge them: what another choice would have given.
    """

    choice: Judged
    found: Judged
    frontier: tuple[Judged, ...]


@dataclass(frozen=True)
class Study:
    """What was found.

    Attributes:
        maps: camera -> its drives; empty where none were asked for.
        stops: name of the variant -> closed loop; empty likewise.
    """

    maps: dict[Lens, list[MapDrive]] = field(default_factory=dict)
    stops: dict[str, Stops] = field(default_factory=dict)


def study(judge: Judge, size: Size, cache: Path, announce: Announce) -> Study:
    """Record what is not recorded yet, and judge.

    Args:
        judge: of the network.
        size: how much is driven.
        cache: folder of recordings and evidence.
        announce: begins a progress bar.
    """
    found = Study()
    for camera in CAMERAS if size.maps else ():
        drives, bar = map_stretches(MAPS[: size.maps], camera), announce(f"maps, {camera.name}")
        found.maps[camera] = []
        for k, stretch in enumerate(drives):
            found.maps[camera].append(map_drive(judge, stretch, cache))
            bar(k + 1, len(drives))
    if size.chosen and size.judged:
        mine = _lane(
            judge, lane_stretches(CHOICE[: size.chosen], CHOSEN_WITH), size.plane, cache, announce("to choose")
        )
        others = lane_stretches(JUDGED[: size.judged], JUDGED_BY) + lane_stretches(CLEAR[: size.clear], (), 0)
        held_out = _lane(judge, others, size.plane, cache, announce("to judge"))
        bar = announce("stop rules")
        for k, variant in enumerate(VARIANTS, 1):
            best = chosen(every_rule(mine, variant.name))
            edge = tuple(frontier(every_rule(held_out, variant.name)))
            found.stops[variant.name] = Stops(best, judged(held_out, variant.name, best.rule), edge)
            bar(k, len(VARIANTS))
    return found


def _lane(
    judge: Judge, stretches: Sequence[Stretch], plane: str, cache: Path, bar: Callable[[int, int], None]
) -> list[DriveEvidence]:
    found = []
    for k, stretch in enumerate(stretches, 1):
        found.append(drive_evidence(judge, stretch, plane, cache))
        bar(k, len(stretches))
    return found
