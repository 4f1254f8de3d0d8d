"""Consoles that commands print to."""

from __future__ import annotations

from rich.console import Console


def command_console(width: int) -> Console:
    """A console; ``width`` columns if the output is not a terminal, because a file has no width."""
    console = Console()
    if not console.is_terminal:
        console.width = width
    return console


def say(console: Console, text: str) -> None:
    """Print a line unchanged: no colours for numbers, no line breaks in paths."""
    console.print(text, highlight=False, soft_wrap=True)
