"""Parsers of the command line: what is not known is refused with the usage of its subcommand and the nearest name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from trust_seg_ros.version import installed_version

END = "--"
"""What follows it is no option."""


class UsageError(Exception):
    """A command line that cannot be understood; ``parser`` knows the usage."""

    def __init__(self, parser: argparse.ArgumentParser, text: str) -> None:
        super().__init__(text)
        self.parser = parser


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are raised, for the caller to print."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(self, message)


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, **_: object) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help="print the version of this package")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"trust-seg {installed_version('trust_seg_ros')}")
        parser.exit()


def add_common(parser: argparse.ArgumentParser, *, of_command: bool) -> None:
    """--quiet, --json and --debug, before the subcommand or among its options; --version before it.

    Args:
        parser: receives the options.
        of_command: it is the parser of a subcommand, whose options override those before it only where given.
    """
    group = parser.add_argument_group("every command") if of_command else parser
    default: Any = argparse.SUPPRESS if of_command else False
    options = {"action": "store_true", "default": default}
    group.add_argument("-q", "--quiet", **options, help="print nothing but errors (and, with --json, the result)")
    group.add_argument(
        "--json",
        **options,
        help="print the result as JSON on standard output and everything else on standard error (docs/command_line.md)",
    )
    group.add_argument("--debug", **options, help="show a traceback when something goes wrong")
    if not of_command:
        group.add_argument("--version", action=_Version)


def add_alias(parser: argparse._ActionsContainer, action: argparse.Action, *names: str) -> None:
    """Former names of an option: understood, but in no help text."""
    for name in names:
        parser._option_string_actions[name] = action


def check_options(parser: argparse.ArgumentParser, words: Iterable[str]) -> None:
    """Refuse options that a parser does not know, before it misses those that are required.

    Args:
        parser: of the subcommand.
        words: after the subcommand's name.

    Raises:
        UsageError: the first unknown option, with the nearest known ones.
    """
    known = parser._option_string_actions
    for word in words:
        if word == END:
            return
        name = word.partition("=")[0]
        if not name.startswith("--") or any(other.startswith(name) for other in known):
            continue
        shown = [option for action in parser._actions for option in action.option_strings if _is_shown(action)]
        near = get_close_matches(name[2:].lower(), [option[2:] for option in shown if option.startswith("--")], n=2)
        hint = f"; did you mean {' or '.join(f'--{other}' for other in near)}?" if near else ""
        raise UsageError(parser, f"there is no option {name}{hint}")


def explain(error: UsageError) -> str:
    """Usage and error, as printed on standard error."""
    parser = error.parser
    return f"{_usage(parser)}{parser.prog}: {error}\n{parser.prog} --help explains all options\n"


def _usage(parser: argparse.ArgumentParser) -> str:
    """What has to be given; the whole usage of some commands has 40 lines, and its help texts load torch."""
    formatter = parser.formatter_class(prog=f"{parser.prog} [options]")
    needed = [action for action in parser._actions if action.required or not action.option_strings]
    either = [one for group in parser._mutually_exclusive_groups if group.required for one in group._group_actions]
    formatter.add_usage(None, [*either, *needed], [g for g in parser._mutually_exclusive_groups if g.required])
    return formatter.format_help()


def _is_shown(action: argparse.Action) -> bool:
    return vars(action).get("help") != argparse.SUPPRESS  # other than by its attribute, which may load torch


def words_of(argv: Sequence[str] | None) -> list[str]:
    """The words of the command line."""
    return list(sys.argv[1:] if argv is None else argv)
