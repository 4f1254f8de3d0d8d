"""Latency of topics that were recorded live, and the time per frame of the replay."""

from __future__ import annotations

from typing import Any

import numpy as np

from trust_seg_ros.recordings.replay.records import Drive
from trust_seg_ros.recordings.report import formats, summary

PERCENTILES = (5, 50, 95, 99)


def percentiles(values: np.ndarray) -> dict[str, float]:
    """``n`` (finite values), ``p5`` … ``p99`` (linear between ranks) and ``max``; NaN without values."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"n": 0, **{f"p{p}": np.nan for p in PERCENTILES}, "max": np.nan}
    ranks = np.percentile(finite, PERCENTILES)
    named = {f"p{p}": float(rank) for p, rank in zip(PERCENTILES, ranks, strict=True)}
    return {"n": len(finite), **named, "max": float(finite.max())}


def latency_data(drive: Drive) -> list[dict[str, Any]]:
    """Plot points of every topic that was recorded live."""
    return [
        {"topic": one.topic, "time": formats.seconds(one.offset_s), "ms": formats.rounded(one.latency_ms)}
        for one in drive.latency
        if np.isfinite(one.latency_ms).any()
    ]


def latency_html(drive: Drive) -> str:
    """The section's tables; "" if nothing was measured."""
    live = [(one.topic, np.asarray(one.latency_ms, np.float64)) for one in drive.latency]
    steps = (("a frame, from decoding to its last message", "processing_ms"), ("the network", "network_ms"))
    here = [(said, summary.column(drive, name)[summary.judged(drive)]) for said, name in steps]
    parts = []
    if any(np.isfinite(values).any() for _, values in live):
        parts += ["<p>From the time stamp in a message's header to its reception by the recorder.</p>"]
        parts += [_table("Topic", live), '<div class="plot" id="latency-plot"></div>']
    if any(np.isfinite(values).any() for _, values in here):
        parts += ["<p>Time that this replay took for</p>", _table("Step", here)]
    if not parts:
        return ""
    return f'<section id="latency"><h2>Latency</h2>{"".join(parts)}</section>'


def _table(first: str, lines: list[tuple[str, np.ndarray]]) -> str:
    rows = []
    for name, values in lines:
        n, *ranks = percentiles(values).values()
        rows.append((name, formats.whole(n), *(formats.number(rank) for rank in ranks)))
    head = (first, "Count", *(f"{p} % below, ms" for p in PERCENTILES), "Longest, ms")
    return f'<div class="wide">{formats.table(head, rows)}</div>'
