"""The page: the whole report in one HTML file that needs no network.

Its Content-Security-Policy forbids every connection and every script except the page's own, which are listed by hash,
so nothing in a recording can run code.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.report import (
    classes,
    flagged,
    formats,
    latency,
    objects,
    pictures,
    summary,
    terms,
    timeline,
)
from trust_seg_ros.recordings.report.errors import ReportError
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.resumable import whole_file

SCRIPTS = ("plots.js", "timeline.js", "viewer.js", "classes.js", "report.js")
"""The page's own scripts, in running order."""


def write_report(path: Path, drive: Drive) -> None:
    """Write the report of a drive; the file gets its name only when it is complete.

    Equal drives give equal bytes.

    Raises:
        ReportError: plotly is not installed, or the file cannot be written.
    """
    page = report_html(drive).encode()
    try:
        with whole_file(path) as place:
            place.write_bytes(page)
    except OSError as error:
        raise ReportError(f"cannot write the report {path}: {error}; choose a folder that can be written") from error


def report_html(drive: Drive) -> str:
    """The page as text.

    Raises:
        ReportError: plotly is not installed.
    """
    plotly, own = as_script(_plotly()), as_script("\n".join(_asset(name) for name in SCRIPTS))
    times = latency.latency_html(drive)
    values = {
        "policy": f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; base-uri 'none'; "
        f"form-action 'none'; script-src '{_hash(plotly)}' '{_hash(own)}'",
        "title": formats.text(drive.title),
        "style": _asset("report.css"),
        "head": summary.head_html(drive),
        "key": classes.key_html(drive),
        "cameras": summary.cameras_html(drive),
        "timeline_text": _timeline_text(drive),
        "worst": pictures.worst_html(drive),
        "flagged": flagged.flagged_html(drive),
        "objects": objects.objects_html(drive),
        "latency": times,
        "latency_link": '<a href="#latency">Latency</a> ' if times else "",
        "facts": summary.facts_html(drive),
        "pictures": pictures.pictures_html(drive),
        "data": formats.json_text(page_data(drive)),
        "plotly": plotly,
        "script": own,
    }
    return Template(_asset("page.html")).substitute(values)


def page_data(drive: Drive) -> dict[str, Any]:
    """Data for the page's scripts, without the pictures themselves."""
    return {
        "cameras": list(summary.cameras(drive)),
        "pixelScore": drive.pixel_score,
        "oodScore": drive.ood_score,
        "section": [round(float(at), 3) for at in drive.section_s or (0.0, drive.duration_s)],
        "terms": terms.TERMS,
        "frames": timeline.timeline_data(drive),
        "pictures": pictures.pictures_data(drive),
        "classes": classes.classes_data(drive),
        "latency": latency.latency_data(drive),
    }


def as_script(source: str) -> str:
    """Escape JavaScript for a ``<script>`` element: no character sequences that HTML interprets there."""
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _timeline_text(drive: Drive) -> str:
    if not len(drive.frames["camera"]):
        return "There are no frames in this drive."
    said = "Drag to zoom, double click for the whole drive; click to see the nearest frame with a picture."
    if drive.shift:
        return f"{said} The shift monitor is silent: {formats.text(drive.shift)}."
    return f"{said} Shaded: the shift monitor had fired."


@lru_cache(maxsize=1)
def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ReportError(
            f"the report draws with plotly, which is not installed; install it: {how_to_install('plotly')}"
        ) from error
    return get_plotlyjs()


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text("utf-8")


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
