"""``trust-seg completion``: a script that lets a shell complete commands, options, choices and files."""

from __future__ import annotations

import argparse

from trust_seg_ros.commands.outcome import record
from trust_seg_ros.commands.score_options import LateHelp

EPILOG = """examples:
  trust-seg completion bash > ~/.local/share/bash-completion/completions/trust-seg      for every new bash
  eval "$(trust-seg completion bash)"                                                   for this one
  trust-seg completion zsh > ~/.zfunc/_trust-seg                                        with fpath+=~/.zfunc

Write it anew after an update of this package. It needs shtab: python -m pip install shtab
"""
SHELLS = ("bash", "zsh", "fish", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=SHELLS, help=f"one of {', '.join(SHELLS)}")


def run(args: argparse.Namespace) -> int:
    """Print the script; returns the exit status."""
    import shtab

    parser = args.full_parser()
    _complete_files(parser, shtab.FILE)
    script = shtab.complete(parser, shell=args.shell)
    record(args, shell=args.shell, script=script)
    print(script)
    return 0


def _complete_files(parser: argparse.ArgumentParser, how: object) -> None:
    """Have every option that takes a path complete files and folders; help texts that load torch are left out."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, how)
            continue
        if hasattr(action, "path_check"):
            action.complete = how  # type: ignore[attr-defined]
        if isinstance(action, LateHelp):
            action.shorten()
