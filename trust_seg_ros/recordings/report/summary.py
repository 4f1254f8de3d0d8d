"""Summary numbers at the top of the report, computed over the frames of a drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.report import formats, terms


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
        unreliable_pixels: mean share of the pixels on these, 0..1; NaN likewise.
        ood_pixels: mean share of the pixels on kept OoD segments, 0..1; NaN where none were looked for.
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
    unreliable_pixels: float
    ood_pixels: float
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
    judging = any(np.sum(s.judged) > 0 for s in sums)
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
        unreliable=unreliable / segments if segments and judging else np.nan,
        unreliable_pixels=mean(column(drive, "unreliable_pixels")[good]) if judging else np.nan,
        ood_pixels=mean(column(drive, "ood_pixels")[ood]),
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
        ("On unreliable segments", formats.percent(s.unreliable_pixels), _unreliable_words(s)),
        (
            "On OoD segments",
            formats.percent(s.ood_pixels),
            f"of the pixels; {formats.whole(s.ood_segments)} segments kept, by {drive.ood_score}"
            if np.isfinite(s.ood_segments)
            else "not looked for",
        ),
        ("Shift", *shift_verdict(drive, s)),
        ("Time jumps", formats.whole(s.time_jumps), "earlier frames were forgotten" if s.time_jumps else "none"),
    ]


def _unreliable_words(s: Summary) -> str:
    if not np.isfinite(s.unreliable):
        return "no meta model judged the segments"
    return f"of the pixels; {formats.percent(s.unreliable)} of {formats.whole(s.segments)} segments"


def verdict(drive: Drive) -> str:
    """The drive in one line."""
    s = summarise(drive)
    if not s.judged:
        return "Nothing was judged." if not s.frames else f"Nothing was judged: all {s.frames:,} images were refused."
    parts = []
    if np.isfinite(s.unreliable_pixels):
        parts.append(f"{formats.percent(s.unreliable_pixels)} of the pixels lie on segments that are probably wrong")
    elif np.isfinite(s.flagged):
        parts.append(f"{formats.percent(s.flagged)} of the pixels are flagged as uncertain")
    if np.isfinite(s.ood_pixels):
        parts.append(f"{formats.percent(s.ood_pixels)} on what looks like nothing the network has learned")
    said = [", ".join(parts) or "No threshold was set, so nothing was flagged"]
    if drive.worst:
        said.append(f"the worst moment is at {formats.offset((drive.worst[0][1] - drive.start_ns) / 1e9)}")
    if np.isfinite(s.first_shift_s):
        said.append(f"from {formats.offset(s.first_shift_s)} on the images stopped resembling the calibration data")
    return "; ".join(said) + "."


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
    """Title, when, length, verdict, warnings and tiles."""
    when = formats.utc(drive.start_ns)
    topics = cameras(drive)
    about = [f"Recorded {when}"] if when else []
    about += [_length(drive), f"{len(topics)} camera{'' if len(topics) == 1 else 's'}"]
    lines = [
        f"<h1>{formats.text(drive.title)}</h1>",
        f'<p class="when">{" · ".join(about)}</p>',
        f'<p class="verdict">{formats.text(verdict(drive))}</p>',
    ]
    if drive.notes:
        notes = "".join(f"<li>{formats.text(note)}</li>" for note in drive.notes)
        lines.append(f'<section class="notes" aria-label="Warnings"><h2>Please note</h2><ul>{notes}</ul></section>')
    tile = '<div class="tile"><dt>{}</dt><dd>{}<small>{}</small></dd></div>'
    shown = "".join(
        tile.format(terms.term_html(name), formats.text(value), formats.text(remark))
        for name, value, remark in tiles(drive)
    )
    lines.append(f'<dl class="tiles">{shown}</dl>')
    return "\n".join(lines)


def _length(drive: Drive) -> str:
    """The length, or the part that was replayed."""
    if drive.section_s is None:
        return formats.length(drive.duration_s)
    first, stop = drive.section_s
    return f"{formats.offset(first)} to {formats.offset(stop)} of {formats.length(drive.duration_s)}"


def cameras_html(drive: Drive) -> str:
    """A table with a line per camera; "" for a single camera, whose numbers are in the tiles."""
    topics = cameras(drive)
    if len(topics) < 2:
        return ""
    rows = []
    for topic in topics:
        s = summarise(drive, topic)
        counts = (formats.whole(n) for n in (s.judged, s.refused, s.time_jumps))
        shares = (formats.percent(s.flagged), formats.number(s.entropy), formats.percent(s.unreliable_pixels))
        rows.append((topic, *counts, *shares, formats.percent(s.ood_pixels), shift_verdict(drive, s)[0]))
    head = ("Camera", "Judged", "Refused", "Time jumps", "Flagged pixels", "Mean entropy", "On unreliable segments")
    return f'<div class="wide">{formats.table((*head, "On OoD segments", "Shift"), rows)}</div>'


def facts_html(drive: Drive) -> str:
    """Table of the network, its models and settings."""
    if not drive.facts:
        return '<p class="empty">Nothing was noted about the network and its settings.</p>'
    return f'<div class="wide">{formats.table((), drive.facts, numbers_from=2)}</div>'
