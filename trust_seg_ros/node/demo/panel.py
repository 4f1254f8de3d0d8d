"""The demo's live terminal panel, and its summary at the end."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from trust_seg_ros.node.demo.recorder import Recording
from trust_seg_ros.node.demo.watch import Status

_BARS = "▁▂▃▄▅▆▇█"
_LINE_EVERY_S = 5.0


class DemoPanel:
    """Shows the demo's status: a live panel on a terminal, a line every few seconds elsewhere.

    Args:
        console: where to show it.
        title: what is played.
        seconds: how long the demo runs; 0 = until Ctrl-C.
    """

    def __init__(self, console: Console, title: str, seconds: float) -> None:
        self._console, self._title, self._seconds = console, title, seconds
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._last_line = 0.0

    def __enter__(self) -> DemoPanel:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, status: Status, phase: str, elapsed: float) -> None:
        """Show the newest status.

        Args:
            status: what the watcher saw.
            phase: what the demo is doing, e.g. "starting".
            elapsed: seconds in that phase.
        """
        if self._live is not None:
            self._live.update(self.render(status, phase, elapsed))
        elif time.monotonic() - self._last_line >= _LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._console.print(line(status, phase, elapsed), highlight=False, soft_wrap=True)

    def render(self, status: Status, phase: str, elapsed: float) -> RenderableType:
        """The live panel."""
        clock = f"{elapsed:.0f} s" + (f" of {self._seconds:g} s" if self._seconds and phase == "playing" else "")
        subtitle = "Ctrl-C ends the demo and writes the film"
        if phase != "playing":
            body: RenderableType = Text(f"{phase} … {clock}   (node: {status.state or 'starting'})")
        else:
            body = Group(_figures(status, clock), Text(), _topics(status))
        return Panel(body, title=f"trust_seg_ros · {self._title}", subtitle=subtitle, border_style="yellow")


def line(status: Status, phase: str, elapsed: float) -> str:
    """The status in one line, for logs."""
    if phase != "playing":
        return f"{phase}, {elapsed:.0f} s (node: {status.state or 'starting'})"
    parts = [
        f"{elapsed:.0f} s",
        f"{status.rate:.1f} frames/s of {status.camera_rate:.1f}",
        f"latency p50 {_ms(status.p50)} p99 {_ms(status.p99)}",
        f"drops {status.drops}",
        f"flagged segments {status.flagged} (mean {status.flagged_mean:.1f})",
        f"thresholds {_thresholds(status)}",
    ]
    return " | ".join(parts + [f"! {warning}" for warning in _warnings(status)])


def summary(status: Status, recording: Recording | None) -> RenderableType:
    """The summary at the end: what was published on each topic, and which files were written."""
    table = Table(title="published", title_justify="left", title_style="bold")
    for name in ("topic", "messages", "rate", "mean size"):
        table.add_column(name, justify="left" if name == "topic" else "right")
    for topic, (messages, _, rate, size) in status.topics.items():
        table.add_row(topic, str(messages), f"{rate:.1f} Hz" if messages > 1 else "-", _size(size) if messages else "-")
    lines = [
        f"{status.results} frames answered, {status.drops} dropped, {status.flagged_mean:.1f} segments flagged per "
        f"frame, latency p50 {_ms(status.p50)}, p99 {_ms(status.p99)}"
    ]
    if recording is not None and recording.film is None:
        missing = f"none of {status.results} answers arrived whole" if status.results else "no frame was answered"
        lines.append(f"film     none, and no picture: {missing}")
    if recording is not None and recording.film is not None:
        lines.append(f"film     {recording.film} ({recording.frames} frames, {recording.seconds:.1f} s)")
    if recording is not None and recording.picture is not None:
        lines.append(f"picture  {recording.picture}")
    return Group(table, Text("\n".join(lines)))


def _figures(status: Status, clock: str) -> Table:
    grid = Table.grid(padding=(0, 3))
    for _ in range(4):
        grid.add_column()
    late = "red" if status.drops else "green"
    step_ms = (
        status.reports["processing"].values.get("processing ms (p50)", "n/a") if _has(status, "processing") else "n/a"
    )
    grid.add_row(
        _figure("frame rate", f"{status.rate:.1f} of {status.camera_rate:.1f} Hz", "bold green"),
        _figure("latency p50 / p99", f"{_ms(status.p50)} / {_ms(status.p99)}", "bold"),
        _figure("processing p50", f"{step_ms} ms" if step_ms != "n/a" else "n/a", "bold"),
        _figure("time", clock, "bold"),
    )
    grid.add_row(
        _figure("frames answered", str(status.results), "bold"),
        _figure("drops", str(status.drops), f"bold {late}"),
        _figure("flagged segments", f"{status.flagged} (mean {status.flagged_mean:.1f})", "bold yellow"),
        _figure("thresholds", _thresholds(status), "bold"),
    )
    grid.add_row(_figure("recent latency", _sparkline(status.latencies), "cyan"))
    for warning in _warnings(status):
        grid.add_row(Text(f"! {warning}", style="red"))
    return grid


def _topics(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("topic", "messages", "rate", "mean size"):
        table.add_column(name, justify="left" if name == "topic" else "right")
    for topic, (messages, recent, _, size) in status.topics.items():
        table.add_row(topic, str(messages), f"{recent:.1f} Hz" if messages else "-", _size(size) if messages else "-")
    return table


def _figure(name: str, value: str, style: str) -> Text:
    return Text.assemble((f"{name}\n", "dim"), (value, style))


def _has(status: Status, part: str) -> bool:
    return part in status.reports


def _thresholds(status: Status) -> str:
    return status.reports["thresholds"].message if _has(status, "thresholds") else "n/a"


def _warnings(status: Status) -> list[str]:
    return [f"{part}: {report.message}" for part, report in status.reports.items() if report.level > 0]


def _sparkline(values: tuple[float, ...]) -> str:
    if not values:
        return ""
    top = max(max(values), 1e-6)
    return "".join(_BARS[min(len(_BARS) - 1, int(value / top * len(_BARS)))] for value in values)


def _ms(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.0f} ms"


def _size(size: float) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB" if size >= 1e3 else f"{size:.0f} B"
