"""The study of time as tables."""

from __future__ import annotations

from trust_seg_ros.evaluation.report.report import Contents, Picture, Section
from trust_seg_ros.evaluation.report.tabular import IN_FILE, ON_SCREEN, Column, Table, Value
from trust_seg_ros.evaluation.time.alarms import COVERED, VISIBLE, WITHIN_S
from trust_seg_ros.evaluation.time.passes import OOD, TimeCounts
from trust_seg_ros.evaluation.time.strip import STEP_S
from trust_seg_ros.evaluation.time.study import Study
from trust_seg_ros.evaluation.tracking.measures import LONGEST_GAP, TrackingCounts
from trust_seg_ros.synthetic.settings import CLASS_NAMES

_TRACKING = (
    Column("objects", "count"),
    Column("in frames", "count"),
    Column("matched, %"),
    Column("identity switches, % of matches"),
    Column("of them after a gap, %"),
    Column("one track, %"),
    Column(f"lost 1-{LONGEST_GAP} frames", "count"),
    Column("found again, %"),
    Column("met in part", "count"),
    Column("same track after, %"),
    Column("MOTA, %"),
    Column("MOTP, pixels", "number"),
    Column("mostly tracked", "count"),
    Column("partially", "count"),
    Column("mostly lost", "count"),
)
_TRACKING_NOTE = (
    f"Objects count in frames in which they have {VISIBLE} pixels or more. An object of a class is matched to the "
    "segment of its class that covers most of it, at least half; an unknown object to the kept OoD segment of the "
    "highest IoU, as Maag et al. 2022. Lost: hidden, or met by no segment. Matched is their tracking length l_t."
)


def contents(found: Study) -> Contents:
    """The sections of the report."""
    caption = f"Segments in the colour of their track: {found.drives[0].name}, a picture every {STEP_S:g} s"
    flags = Section("Flags and alarms", "", (_flags(found), _alarms(found), _sequences(found)))
    tracks = Section("Tracking", "", _tracking_tables(found), (Picture("strip", caption, found.strip),))
    return Contents("Segments over time", (flags, tracks))


def _row(x: TrackingCounts) -> tuple[Value, ...]:
    return (
        x.objects, x.object_frames, x.tracking_length, x.switch_share,
        x.after_gaps / x.switches if x.switches else float("nan"), x.one_track, x.gaps, x.found_again, x.breaks,
        x.breaks_found / x.breaks if x.breaks else float("nan"), x.mota, x.motp, x.mostly_tracked,
        x.partially_tracked, x.mostly_lost,
    )  # fmt: skip


def _tracking_tables(found: Study) -> tuple[Table, ...]:
    totals = {name: found.total(name).tracking for name in found.counts}
    first = next(iter(totals.values()))
    if not first:
        return ()
    rows: list[tuple[Value, ...]] = [(name, *_row(counts)) for name, counts in first.items() if name != OOD]
    rows += [(f"{OOD}, {name}", *_row(counts[OOD])) for name, counts in totals.items() if OOD in counts]
    large = [row for row in rows if row[0] not in CLASS_NAMES]
    tables = [
        Table("tracking", "Tracks and objects", (Column("", "text"), *_TRACKING), tuple(large), _TRACKING_NOTE),
        Table("tracking_classes", "Tracks and objects by class", (Column("", "text"), *_TRACKING), tuple(rows), "", 1),
    ]
    if found.alone:
        title = "The tracker alone"
        note = (
            "Segments are the components of the true class map; each object is taken out of it for so many of every 20 "
            "frames, at times of its own."
        )
        lines = tuple(
            (f"{group}, {gap} frames out", *_row(counts))
            for gap, groups in found.alone.items()
            for group, counts in groups.items()
        )
        tables.append(Table("tracker_alone", title, (Column("", "text"), *_TRACKING), lines, note))
    return tuple(tables)


def _flags(found: Study) -> Table:
    columns = (
        Column("settings", "text"), Column("toggles per minute and segment", "number"),
        Column("per minute and object", "number"), Column("time flagged, %"), Column("wrong segments flagged, %"),
        Column("right segments flagged, %"), Column("wrong segments", "count"),
    )  # fmt: skip
    rows = []
    for name in found.counts:
        x = found.total(name)
        rows.append(
            (name, x.flicker.per_minute, x.object_flicker.per_minute, x.flicker.flagged_share, x.wrong.recall,
             x.wrong.false_share, x.wrong.wrong)
        )  # fmt: skip
    note = (
        "Changes of the flag `unreliable` between two sightings of a track, or of an object with at least half of it "
        "in a segment of its class, per minute that they are seen. Segments too small to be flagged are left out."
    )
    return Table("flags", "Flags of segments", columns, tuple(rows), note)


def _alarms(found: Study) -> Table:
    columns = (
        Column("settings", "text"), Column("alarms per minute", "number"), Column("false alarms per minute", "number"),
        Column("false segments per minute", "number"), Column(f"found within {WITHIN_S:g} s, %"), Column("found, %"),
        Column("median delay, s", "number"), Column("unknown objects", "count"),
        Column("known objects flagged, % of time"), Column("longest, s", "number"),
    )  # fmt: skip
    rows = []
    for name in found.counts:
        x = found.total(name).alarms
        rows.append(
            (name, _per(x.alarms, x.minutes), x.false_per_minute, _per(x.false_segments, x.minutes), x.found_soon,
             x.found, x.median_delay, len(x.delays), _per(x.known_flagged, x.known_seconds),
             x.known_longest if x.known_seconds else float("nan"))
        )  # fmt: skip
    note = (
        "An alarm begins with a kept OoD segment whose track was not kept in the frame before; it is false if it meets "
        f"no unknown object until it ends. Delay from the first frame in which an object has {VISIBLE} pixels. A known "
        f"object is flagged while {100 * COVERED:.0f} % of it lie in kept OoD segments. Without truth all alarms count "
        "as false."
    )
    return Table("alarms", "Alarms of unknown objects", columns, tuple(rows), note)


def _sequences(found: Study) -> Table:
    columns = (
        Column("settings", "text"), Column("sequence", "text"), Column("frames", "count"), Column("minutes", "number"),
        Column("tracks", "count"), Column("mean track, frames", "number"),
        Column("toggles per minute and segment", "number"), Column("wrong segments flagged, %"),
        Column("false alarms per minute", "number"), Column("found soon, %"),
    )  # fmt: skip
    frames = {drive.name: len(drive.stamps) for drive in found.drives}
    rows: list[tuple[Value, ...]] = [
        (variant, name, frames[name], *_sequence(x)) for variant, by in found.counts.items() for name, x in by.items()
    ]
    place = ON_SCREEN if len(rows) <= 12 else IN_FILE
    return Table(
        "sequences", "Sequences", columns, tuple(rows), "Tracks of segments large enough to be flagged.", place
    )


def _sequence(x: TimeCounts) -> tuple[Value, ...]:
    return (
        x.alarms.minutes, x.tracks, _per(x.track_frames, x.tracks), x.flicker.per_minute, x.wrong.recall,
        x.alarms.false_per_minute, x.alarms.found_soon,
    )  # fmt: skip


def _per(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
