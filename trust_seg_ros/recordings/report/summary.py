"""Summary numbers at the top of the report, computed over the frames of a drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.report import formats


@dataclass(frozen=True)
class Summary:
    """Numbers of a drive or of one camera. Means are over judged frames; NaN without any.

    Attributes:
        frames: number of frames, judged or refused.
        judged: number of frames with a result.
        refused: number of frames without.
        time_jumps: number of times the stamps went back.
        flagged: mean share of pixels at or above the pixel threshold, 0..1.
        entropy: mean normalised entropy, 0..1.
        segments: number of segments.
        unreliable: share of the segments flagged unreliable, 0..1; NaN where no meta model judged them.
        ood_segments: number of kept OoD segments; NaN where none were looked for.
        shift_fired: share of the judged frames during which the shift monitor had fired, 0..1; NaN where it is silent.
        first_shift_s: offset at which it first fired, seconds; NaN where it never did.
    """

    frames: int
    judged: int
    refused: int
    time_jumps: int
    flagged: float
    entropy: float
    segments: int
    unreliable: float
    ood_segments: float
    shift_fired: float
    first_shift_s: float


def cameras(drive: Drive) -> tuple[str, ...]:
    """Image topics sorted by name, including those without a judged frame."""
    more = (item.camera for items in (drive.pictures, drive.objects) for item in items)
    return tuple(sorted({*drive.cameras, *(str(name) for name in drive.frames["camera"]), *more}))


def column(drive: Drive, name: str) -> np.ndarray:
    """A column of numbers of ``Drive.frames``, (n,) float64."""
    return np.asarray(drive.frames[name], np.float64)


def flags(drive: Drive, name: str) -> np.ndarray:
    """A column of truth values of ``Drive.frames``, (n,) bool."""
    return np.asarray(drive.frames[name]).astype(bool)


def judged(drive: Drive) -> np.ndarray:
    """(n,) bool, frames with a result."""
    return np.array([str(reason) == "" for reason in drive.frames["refused"]], dtype=bool)


def summarise(drive: Drive, camera: str | None = None) -> Summary:
    """The numbers of a drive, or of one camera."""
    mine = np.array([camera is None or str(name) == camera for name in drive.frames["camera"]], dtype=bool)
    good = mine & judged(drive)
    segments = np.nansum(column(drive, "segments")[good])
    sums = [s for name, s in drive.classes.items() if camera in (None, name)]
    unreliable = np.nansum(column(drive, "unreliable_segments")[good])
    ood = good & np.isfinite(column(drive, "threshold_ood"))
    fired = flags(drive, "shift_fired") & good
    times = column(drive, "offset_s")[fired]
    return Summary(
        frames=int(mine.sum()),
        judged=int(good.sum()),
        refused=int((mine & ~good).sum()),
        time_jumps=int(flags(drive, "time_jump")[mine].sum()),
        flagged=mean(column(drive, "flagged_pixels")[good]),
        entropy=mean(column(drive, "entropy_mean")[good]),
        segments=int(segments),
        unreliable=unreliable / segments if segments and any(np.sum(s.judged) > 0 for s in sums) else np.nan,
        ood_segments=float(np.nansum(column(drive, "ood_segments")[ood])) if ood.any() else np.nan,
        shift_fired=fired.sum() / good.sum() if good.any() and not drive.shift else np.nan,
        first_shift_s=float(times.min()) if len(times) else np.nan,
    )


def mean(values: np.ndarray) -> float:
    """Mean of the finite values; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else np.nan


def tiles(drive: Drive) -> list[tuple[str, str, str]]:
    """(name, value, remark) of every tile at the top of the page."""
    s = summarise(drive)
    return [
        ("Frames judged", formats.whole(s.judged), f"of {formats.whole(s.frames)}"),
        ("Frames refused", formats.whole(s.refused), "no result" if s.refused else "none"),
        ("Flagged pixels", formats.percent(s.flagged), f"mean per frame, by {drive.pixel_score}"),
        ("Mean entropy", formats.number(s.entropy), "0 certain … 1 undecided"),
        (
            "Unreliable segments",
            formats.percent(s.unreliable),
            f"of {formats.whole(s.segments)} segments" if np.isfinite(s.unreliable) else "no meta model judged them",
        ),
        (
            "OoD segments",
            formats.whole(s.ood_segments),
            f"kept, by {drive.ood_score}" if np.isfinite(s.ood_segments) else "not looked for",
        ),
        ("Shift", *shift_verdict(drive, s)),
        ("Time jumps", formats.whole(s.time_jumps), "earlier frames were forgotten" if s.time_jumps else "none"),
    ]


def shift_verdict(drive: Drive, s: Summary) -> tuple[str, str]:
    """State of the shift monitor over the drive, and a remark."""
    if not s.judged:
        return formats.NOTHING, "no frame was judged"
    if drive.shift:
        return "not watched", drive.shift
    if np.isfinite(s.first_shift_s):
        return (
            "yes",
            f"during {formats.percent(s.shift_fired)} of the frames, first at {formats.offset(s.first_shift_s)}",
        )
    return "none", "like the calibration data throughout"


def head_html(drive: Drive) -> str:
    """Title, when, length, warnings and tiles."""
    when = formats.utc(drive.start_ns) or "at an unknown time"
    topics = cameras(drive)
    lines = [
        f"<h1>{formats.text(drive.title)}</h1>",
        f'<p class="when">Recorded {when} · {formats.length(drive.duration_s)} · '
        f"{len(topics)} camera{'' if len(topics) == 1 else 's'}</p>",
    ]
    if drive.notes:
        notes = "".join(f"<li>{formats.text(note)}</li>" for note in drive.notes)
        lines.append(f'<section class="notes" aria-label="Warnings"><h2>Please note</h2><ul>{notes}</ul></section>')
    tile = '<div class="tile"><dt>{}</dt><dd>{}<small>{}</small></dd></div>'
    shown = "".join(tile.format(*(formats.text(part) for part in parts)) for parts in tiles(drive))
    lines.append(f'<dl class="tiles">{shown}</dl>')
    return "\n".join(lines)


def cameras_html(drive: Drive) -> str:
    """A table with a line per camera; "" for a single camera, whose numbers are in the tiles."""
    topics = cameras(drive)
    if len(topics) < 2:
        return ""
    rows = []
    for topic in topics:
        s = summarise(drive, topic)
        counts = (formats.whole(n) for n in (s.judged, s.refused, s.time_jumps))
        shares = (formats.percent(s.flagged), formats.number(s.entropy), formats.percent(s.unreliable))
        rows.append((topic, *counts, *shares, formats.whole(s.ood_segments), shift_verdict(drive, s)[0]))
    head = ("Camera", "Judged", "Refused", "Time jumps", "Flagged pixels", "Mean entropy", "Unreliable segments")
    return f'<div class="wide">{formats.table((*head, "OoD segments", "Shift"), rows)}</div>'


def facts_html(drive: Drive) -> str:
    """Table of the network, its models and settings."""
    if not drive.facts:
        return '<p class="empty">Nothing was noted about the network and its settings.</p>'
    return f'<div class="wide">{formats.table((), drive.facts, numbers_from=2)}</div>'
