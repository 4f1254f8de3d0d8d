"""Progress bars of commands that work in stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def stage_bars(console: Console) -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """One bar for every stage: what this gives takes the text before a bar, and returns what is told (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:

        def announce(text: str) -> Callable[[int, int], None]:
            task = bar.add_task(text, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield announce
