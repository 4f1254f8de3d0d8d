"""``trust-seg``: one thin subcommand per job; a subcommand's module is imported only when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from trust_seg_ros.commands.given_paths import check_given
from trust_seg_ros.commands.outcome import NOTHING_KEPT, Outcome
from trust_seg_ros.commands.parsing import (
    CommandParser,
    UsageError,
    add_common,
    check_options,
    explain,
    words_of,
)
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.libraries import missing_library
from trust_seg_ros.support.nearest import did_you_mean

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("trust_seg_ros.commands.check", "look at this machine and a camera, or at a network, and say what to do"),
    "demo": ("trust_seg_ros.commands.demo", "run node and camera, show a live panel, write a film and a picture"),
    "play": ("trust_seg_ros.commands.play", "publish a recording, a camera, the shipped film or the synthetic drive"),
    "replay": ("trust_seg_ros.commands.replay", "recordings through the pipeline, offline: bag in, bag and report out"),
    "params": ("trust_seg_ros.commands.params", "print the node's parameters"),
    "synthetic": ("trust_seg_ros.commands.synthetic", "write the synthetic drive as images and labels"),
    "corrupt": (
        "trust_seg_ros.commands.corrupt",
        "show corruptions of images, or write a shifted data set",
    ),
    "export": (
        "trust_seg_ros.commands.export",
        "write a network as a graph for other programs, of logits or of finished maps",
    ),
    "labels": ("trust_seg_ros.commands.labels", "labels of a labelling tool, as a data set"),
    "train": ("trust_seg_ros.commands.train", "train the embedded compact network"),
    "finetune": ("trust_seg_ros.commands.finetune", "teach a network to be unsure of unknown objects"),
    "fit": ("trust_seg_ros.commands.fit", "fit the meta models of a network on a labelled data set"),
    "calibrate": (
        "trust_seg_ros.commands.calibrate",
        "learn from labelled data how many mistakes each threshold finds",
    ),
    "evaluate": (
        "trust_seg_ros.commands.evaluate",
        "judge meta classification and regression: the tables and figures of MetaSeg",
    ),
    "benchmark": (
        "trust_seg_ros.commands.benchmark",
        "judge how well scores and OoD segments find objects a network never learned",
    ),
    "trust": ("trust_seg_ros.commands.trust", "judge which pixels can be trusted, clean and under shift"),
    "time": (
        "trust_seg_ros.commands.time",
        "judge segments over drives: tracks, flicker, false alarms and delay",
    ),
    "planner": (
        "trust_seg_ros.commands.planner",
        "judge what a planner gets: caution maps, and stops before unknown objects",
    ),
    "show": ("trust_seg_ros.commands.show", "show what a network says of images, and how far to trust it"),
    "mine": ("trust_seg_ros.commands.mine", "find in recordings what is worth labelling, for a labelling tool"),
    "miou": ("trust_seg_ros.commands.miou", "judge how well a network segments a labelled data set"),
    "label-errors": (
        "trust_seg_ros.commands.label_errors",
        "find labels of a data set that are probably wrong",
    ),
    "completion": ("trust_seg_ros.commands.completion", "print a script that lets a shell complete command lines"),
    "version": ("trust_seg_ros.commands.version", "print versions of this package and of its dependencies"),
}
"""Name -> (module with ``add_arguments(parser)`` and ``run(args) -> int``, one line of help)."""

_WITHOUT_TORCH = {"completion", "version"}
_DESCRIPTION = "Semantic segmentation for ROS 2 that says how far to trust it."
_EPILOG = """examples:
  trust-seg demo                              see it work: 20 seconds of a real motorway
  trust-seg demo drive.mp4                    the same with your own video, folder, rosbag2 or /dev/video0
  trust-seg play drive.mp4 --loop             a camera for your own launch files
  trust-seg replay drive/ --out out --report  a recording judged offline, with a report of the whole drive on one page
  trust-seg check --topic /front/image_raw    what is missing on this machine, and what to do
  trust-seg params thresholds                 what can be set, with ranges
  trust-seg COMMAND --help                    options and examples of one command
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit status: 0 = success, 2 = an error, explained in one line on stderr.

    Raises:
        SystemExit: after --help and --version, and with 2 for a command line that cannot be understood.
    """
    words = words_of(argv)
    outcome = Outcome.of(words, _chosen(words))
    try:
        return _main(words, outcome)
    except UsageError as error:
        raise SystemExit(outcome.refused(error, explain(error))) from None
    except TrustSegError as error:
        if outcome.debug:
            raise
        return outcome.refused(error, f"{outcome.name}: {error}\n")
    except ModuleNotFoundError as error:
        sentence = missing_library(error)
        if sentence is None or outcome.debug:
            raise
        return outcome.refused(error, f"{outcome.name}: {sentence}\n")
    except KeyboardInterrupt:
        return outcome.stopped()
    except BrokenPipeError:  # the reader of the pipe, e.g. head, has closed it
        sys.stderr.close()
        return 0


def _main(words: list[str], outcome: Outcome) -> int:
    parser, command = parsers(words)
    if command is not None:
        check_options(command, words[words.index(_chosen(words) or "") + 1 :])
    args = parser.parse_args(words)
    args.words = tuple(words)  # as typed, for reports that quote their command line
    args.full_parser = full_parser
    if command is None:
        parser.print_help()
        return 0
    args.stopped = getattr(args.module, "STOPPED", NOTHING_KEPT)
    outcome.args = args
    check_given(command, args)
    with outcome.talking(args):
        if args.command not in _WITHOUT_TORCH:
            outcome.load_torch()
        status: int = args.module.run(args)
    return outcome.finished(args, status)


def full_parser() -> argparse.ArgumentParser:
    """The parser with the options of every subcommand, which all are loaded for it."""
    return parsers(tuple(COMMANDS), every=True)[0]


def command_table() -> str:
    """The commands as a table of docs/command_line.md."""
    rows = ["| command | |", "|---|---|", *(f"| `trust-seg {name}` | {text} |" for name, (_, text) in COMMANDS.items())]
    return "\n".join(rows) + "\n"


def parsers(
    words: Sequence[str], every: bool = False
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser | None]:
    """The parser of the command line, and of the subcommand in it, which alone has its options.

    Args:
        words: the command line.
        every: give every subcommand its options, not only the one in ``words``.

    Raises:
        UsageError: there is no such subcommand.
    """
    parser = CommandParser(
        prog="trust-seg",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_common(parser, of_command=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    chosen, found = _chosen(words), None
    if chosen is not None and chosen not in COMMANDS:
        raise UsageError(parser, f"there is no command {chosen!r}{did_you_mean(chosen, COMMANDS)}")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == chosen:
            found = command
        if name == chosen or every:
            loaded = _load(module)
            loaded.add_arguments(command)
            add_common(command, of_command=True)
            command.set_defaults(module=loaded)
    return parser, found


def _chosen(words: Sequence[str]) -> str | None:
    return next((word for word in words if not word.startswith("-")), None)


def _load(name: str) -> ModuleType:
    return importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())
