"""Where commands print."""

from __future__ import annotations

from rich.console import Console


def command_console(width: int) -> Console:
    """A console; ``width`` columns where the output is no terminal, as nobody knows the width of a file."""
    console = Console()
    if not console.is_terminal:
        console.width = width
    return console


def say(console: Console, text: str) -> None:
    """A line as it is: no colours for numbers, and no line breaks in paths."""
    console.print(text, highlight=False, soft_wrap=True)
