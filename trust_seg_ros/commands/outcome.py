"""How a command ends: its result as text or JSON, errors, Ctrl-C; and where it talks meanwhile."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

NOTHING_KEPT = "nothing of it is kept, the same command starts anew"
"""What is said after Ctrl-C by commands that say nothing else in their ``STOPPED``."""


def record(args: argparse.Namespace, **values: Any) -> None:
    """Add to what ``--json`` prints; NumPy's numbers, paths and tuples are converted.

    Args:
        args: options of the command.
        values: entries of the result, as in the command's schema in docs/schemas.
    """
    args.result = {**getattr(args, "result", {}), **values}


class Outcome:
    """The end of one command line.

    Attributes:
        name: of the program and the subcommand, for texts.
        debug: errors are to be shown with a traceback.
        args: options, once they are known; ``args.stopped`` says what happens next time after Ctrl-C.
    """

    def __init__(self, command: str | None, *, as_json: bool, quiet: bool, debug: bool) -> None:
        self.command = command
        self.name = f"trust-seg {command}" if command else "trust-seg"
        self.debug = debug
        self.args: argparse.Namespace | None = None
        self._json, self._quiet = as_json, quiet

    @classmethod
    def of(cls, words: Sequence[str], command: str | None) -> Outcome:
        """From the words of the command line: an error in them is told as they ask for."""
        options = set(words)
        quiet = not options.isdisjoint(("-q", "--quiet"))
        return cls(command, as_json="--json" in options, quiet=quiet, debug="--debug" in options)

    @contextlib.contextmanager
    def talking(self, args: argparse.Namespace) -> Iterator[None]:
        """Send what the command prints to standard error with --json, nowhere with --quiet."""
        if not (args.json or args.quiet):
            yield
            return
        with contextlib.redirect_stdout(io.StringIO() if args.quiet else sys.stderr):
            yield

    def load_torch(self) -> None:
        """Load what takes seconds under a moving sign, where there is a terminal to show it."""
        if "torch" in sys.modules or self._quiet or not sys.stderr.isatty():
            return
        from rich.console import Console

        with Console(stderr=True).status("loading torch …"):
            importlib.import_module("torch")

    def finished(self, args: argparse.Namespace, status: int) -> int:
        """Print the result with --json; returns the exit status."""
        if args.json:
            self._print({"exit_status": status, **getattr(args, "result", {})})
        return status

    def refused(self, error: BaseException, text: str) -> int:
        """Print an error; returns the exit status."""
        sys.stderr.write(text)
        if self._json:
            self._print({"exit_status": 2, "error": {"kind": type(error).__name__, "message": str(error)}})
        return 2

    def stopped(self) -> int:
        """Say what Ctrl-C leaves behind; returns the exit status."""
        text = f"stopped; {getattr(self.args, 'stopped', NOTHING_KEPT)}"
        print(f"{self.name}: {text}", file=sys.stderr)
        if self._json:
            self._print({"exit_status": 130, "error": {"kind": "KeyboardInterrupt", "message": text}})
        return 130

    def _print(self, content: dict[str, Any]) -> None:
        print(json.dumps({"command": self.command, **_plain(content)}, indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    """Values that JSON can hold; NumPy is not needed for an error."""
    from pathlib import PurePath

    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (str, int, type(None))):
        return value
    if isinstance(value, PurePath):
        return str(value)
    from trust_seg_ros.support.json_parts import plain

    return plain(value)
