"""``trust-seg params``: the table of the node's parameters."""

from __future__ import annotations

import argparse

from trust_seg_ros.commands.outcome import record

EPILOG = """examples:
  trust-seg params
  trust-seg params thresholds          only names that contain "thresholds"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("pattern", nargs="?", default="", help="part of a name (default: all parameters)")


def run(args: argparse.Namespace) -> int:
    """Print the table; returns the exit status."""
    from rich.console import Console
    from rich.table import Table

    from trust_seg_ros.errors import TrustSegError
    from trust_seg_ros.node.parameters import TABLE

    rows = [p for p in TABLE if args.pattern in p.name]
    if not rows:
        raise TrustSegError(f"no parameter has {args.pattern!r} in its name; trust-seg params lists all names")
    names = ("name", "type", "default", "expects", "acts_at", "meaning")
    values = [(p.name, p.kind, p.default, p.expectation, p.applies, p.description) for p in rows]
    record(args, parameters=[dict(zip(names, row, strict=True)) for row in values])
    table = Table("parameter", "type", "default", "expects", "acts at", "meaning", show_lines=False)
    for p in rows:
        table.add_row(p.name, p.kind, str(p.default), p.expectation, p.applies, p.description)
    console = Console()
    console.print(table)
    return 0
