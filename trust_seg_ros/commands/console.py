"""Consoles that commands print to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


def command_console(width: int) -> Console:
    """A console; ``width`` columns if the output is not a terminal, because a file has no width."""
    console = Console()
    if not console.is_terminal:
        console.width = width
    return console


@contextmanager
def waiting(console: Console, text: str) -> Iterator[None]:
    """Show a text with a moving sign in a terminal while something takes its time."""
    with console.status(f"{text} …"):
        yield


def say(console: Console, text: str) -> None:
    """Print a line unchanged: no colours for numbers, no line breaks in paths."""
    console.print(text, highlight=False, soft_wrap=True)
