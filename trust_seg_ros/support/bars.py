"""Progress bars: one look for all commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class CompilingColumn(ProgressColumn):
    """Names the kernel that is being compiled: a first run stands still meanwhile."""

    def __init__(self) -> None:
        from trust_seg_ros.support.compiling import compiling  # loads Numba, which the work needs, too

        super().__init__()
        self._compiling = compiling()

    def render(self, task: Task) -> Text:
        """Nothing while nothing is compiled."""
        name = self._compiling.name
        return Text(f"compiling {name} (first run only)" if name else "", style="yellow")


def bars(console: Console, *more: ProgressColumn) -> Progress:
    """Bars with a text, the number done and the total, ``more``, and the time left; used as ``with bars(...)``."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *more,
        TimeRemainingColumn(),
        CompilingColumn(),
    )
    return Progress(*columns, console=console)


@contextmanager
def stage_bars(console: Console) -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """One bar for every stage: yields a function that starts a bar with a text and returns its update(done, total)."""
    with bars(console) as bar:

        def announce(text: str) -> Callable[[int, int], None]:
            task = bar.add_task(text, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield announce
