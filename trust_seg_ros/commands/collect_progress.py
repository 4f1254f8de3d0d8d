"""A progress bar for collecting: images done, images per second, time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

from trust_seg_ros.support.bars import bars


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} images/s" if speed else "…", style="progress.data.speed")


@contextmanager
def collection_bar(console: Console, text: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar while images are collected; yields the callback for ``collect``'s ``progress``.

    Args:
        console: where it is drawn.
        text: label before the bar.
    """
    with bars(console, _Rate()) as bar:
        task = bar.add_task(text, total=None)
        begun = False

        def show(done: int, total: int) -> None:
            nonlocal begun
            if begun:
                bar.update(task, completed=done, total=total)
            else:  # images of earlier runs say nothing of the rate
                bar.reset(task, completed=done, total=total)
                begun = True

        yield show
