"""How long segments stayed flagged unreliable, by predicted class, from their tracks."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.recordings.replay.flagged_tracks import add_flagged, no_flagged
from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.report import formats

HEAD = ("Class", "Flagged", "In one frame only", "Frames, mean", "Seconds, mean", "Seconds, longest")


def flagged_html(drive: Drive) -> str:
    """A heading and a table with a row per class, those with the most flagged tracks first; "" without tracking."""
    if drive.tracked is None:
        return ""
    total = no_flagged(len(drive.class_names))
    for sums in drive.flagged.values():
        total = add_flagged(total, sums)
    order = [c for c in np.argsort(-total.tracks, kind="stable").tolist() if total.tracks[c] > 0]
    head = "<h3>Unreliable objects</h3>"
    if not order:
        return f'{head}<p class="empty">No segment was flagged unreliable.</p>'
    rows = [
        (
            str(drive.class_names[c]),
            formats.whole(int(total.tracks[c])),
            formats.percent(total.once[c] / total.tracks[c]),
            formats.number(total.frames[c] / total.tracks[c]),
            formats.number(total.total_ns[c] / 1e9 / total.tracks[c]),
            formats.number(total.longest_ns[c] / 1e9),
        )
        for c in order
    ]
    said = (
        "Tracks of segments that were flagged unreliable in at least one frame, of all cameras; seconds from the first "
        "flagged frame to the last."
    )
    return f'{head}<p>{said}</p><div class="wide">{formats.table(HEAD, rows)}</div>'
