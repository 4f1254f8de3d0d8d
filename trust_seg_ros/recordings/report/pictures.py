"""Pictures and numbers of the frames to look at; each picture is in its own block, decoded when shown."""

from __future__ import annotations

import base64
import shlex
from typing import Any

import numpy as np

from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.report import formats, summary


def pictures_data(drive: Drive) -> list[dict[str, Any]]:
    """For every picture, in order of time: camera, offset in seconds, rank among the worst, texts."""
    number = {topic: i for i, topic in enumerate(summary.cameras(drive))}
    rows: dict[tuple[str, int], int] = {}
    for at, (camera, when) in enumerate(zip(drive.frames["camera"], drive.frames["recorded_ns"], strict=True)):
        rows.setdefault((str(camera), int(when)), at)
    places = {(camera, int(when)): place for place, (camera, when) in reversed([*enumerate(drive.worst, start=1)])}
    shown = []
    for picture in drive.pictures:
        key = (picture.camera, int(picture.recorded_ns))
        row = rows.get(key)
        offset = (picture.recorded_ns - drive.start_ns) / 1e9 if row is None else float(drive.frames["offset_s"][row])
        shown.append(
            {
                "camera": number[picture.camera],
                "time": round(offset, 3),
                "worst": places.get(key, 0),
                "stamp": formats.NOTHING if row is None else formats.stamp(int(drive.frames["stamp_ns"][row])),
                "play": _play(drive, offset),
                "numbers": _when(picture.recorded_ns, offset) + ([] if row is None else _numbers(drive, row)),
            }
        )
    return shown


def _play(drive: Drive, offset: float) -> str:
    """The command that plays the recording from this frame on; "" if it is no bag."""
    if not drive.playable:
        return ""
    return f"ros2 bag play {shlex.quote(drive.title)} --start-offset {formats.start_offset(offset)}"


def _when(recorded_ns: int, offset: float) -> list[tuple[str, str]]:
    recorded = formats.utc(recorded_ns)
    return [("Offset", formats.offset(offset)), *([("Recorded", recorded)] if recorded else [])]


def _numbers(drive: Drive, row: int) -> list[tuple[str, str]]:
    """(name, value with unit) of one frame; missing values are left out."""

    def value(name: str) -> float:
        return float(np.asarray(drive.frames[name][row], np.float64))

    number, percent, whole = formats.number, formats.percent, formats.whole
    lines = [
        ("Frame", f"{whole(value('index'))}, {whole(value('width'))} × {whole(value('height'))} pixels"),
        ("Flagged pixels", percent(value("flagged_pixels"))),
        ("Mean entropy", number(value("entropy_mean"))),
        (f"Mean {drive.pixel_score}", "" if drive.pixel_score == "entropy" else number(value("score_mean"))),
        ("On unreliable segments", _unreliable(value)),
        ("On OoD segments", _ood(value)),
        ("Threshold, pixels", number(value("threshold_pixel"))),
        ("Threshold, P(false positive)", number(value("threshold_unreliable"))),
        (f"Threshold, {drive.ood_score} of OoD", number(value("threshold_ood"))),
        ("Threshold, P(OoD)", number(value("threshold_ood_meta"))),
        ("Shift", _shift(drive, row, value)),
        ("Faulty pixels", whole(value("faulty_pixels")) if value("faulty_pixels") > 0 else ""),
        ("Time", "went back: earlier frames were forgotten" if drive.frames["time_jump"][row] else ""),
        ("Refused", str(drive.frames["refused"][row])),
    ]
    return [(name, said) for name, said in lines if said and said != formats.NOTHING]


def _unreliable(value: Any) -> str:
    if not np.isfinite(value("unreliable_segments")):
        return f"{formats.NOTHING} (no meta model judged them)" if value("segments") else ""
    counts = f"{formats.whole(value('unreliable_segments'))} of {formats.whole(value('segments'))} segments"
    return f"{formats.percent(value('unreliable_pixels'))} of the pixels, {counts}"


def _ood(value: Any) -> str:
    if not np.isfinite(value("threshold_ood")):
        return ""
    return f"{formats.percent(value('ood_pixels'))} of the pixels, {formats.whole(value('ood_segments'))} segments"


def _shift(drive: Drive, row: int, value: Any) -> str:
    if not np.isfinite(value("shift_statistic")):
        return ""
    fired = ", fired" if drive.frames["shift_fired"][row] else ""
    return f"{formats.number(value('shift_statistic'))} σ, p = {formats.number(value('shift_p_value'))}{fired}"


def pictures_html(drive: Drive) -> str:
    """Blocks ``picture-0``, ``picture-1``, … of the page, in the order of :func:`pictures_data`."""
    block = '<script type="application/json" id="picture-{}">{}</script>\n'
    return "".join(
        block.format(
            i, formats.json_text({name: _base64(getattr(p, name)) for name in ("image", "overlay", "entropy")})
        )
        for i, p in enumerate(drive.pictures)
    )


def _base64(jpeg: bytes) -> str:
    return base64.b64encode(jpeg).decode()


def worst_html(drive: Drive) -> str:
    """Buttons of the worst moments, worst first; the page fills in their pictures."""
    place = {(p.camera, int(p.recorded_ns)): i for i, p in reversed([*enumerate(drive.pictures)])}
    data = pictures_data(drive)
    known = [place[camera, int(when)] for camera, when in drive.worst if (camera, int(when)) in place]
    if not known:
        return '<p class="empty">No worst moments: no frame of this drive was judged and kept.</p>'
    names = summary.cameras(drive)
    cards = "".join(
        f'<li data-camera="{formats.text(names[data[i]["camera"]])}"><button type="button" class="card" '
        f'data-picture="{i}"><img alt="" data-overlay="{i}"><span class="label">{n}. at '
        f"{formats.text(formats.offset(data[i]['time']))}{_camera(names, data[i]['camera'])}</span></button></li>"
        for n, i in enumerate(known, start=1)
    )
    return f'<ul class="cards" id="worst">{cards}</ul>'


def _camera(names: tuple[str, ...], camera: int) -> str:
    return f"<br>{formats.text(names[camera])}" if len(names) > 1 else ""
