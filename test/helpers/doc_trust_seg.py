"""Whether a line of trust-seg could be run: the command's own parser takes it."""

from __future__ import annotations

from places import ROOT

from trust_seg_ros import cli
from trust_seg_ros.commands.parsing import UsageError, check_options


class CommandError(AssertionError):
    """A command line that cannot be run as it stands."""


def trust_seg(words: list[str]) -> None:
    """The real parsers of the command line; three dots stand for what was said before."""
    if words == ["COMMAND", "--help"]:
        return
    said = [word for word in words if word not in ("...", "[...]")]
    try:
        parser, command = cli.parsers(said)
        if command is None:
            raise CommandError(f"no command in: trust-seg {' '.join(words)}")
        check_options(command, said)
        parser.parse_args(said)
    except UsageError as error:
        if len(said) == len(words) or "required" not in str(error):
            raise CommandError(f"trust-seg {' '.join(words)}: {error}") from error


def exists(path: str) -> None:
    if not (ROOT / path).exists():
        raise CommandError(f"{path} is not in the repository")
