"""What evaluate, benchmark and trust have in common: writing a study into a folder and printing its main tables.

Each command checks its options, runs its passes under progress bars (``support.bars``), judges (``evaluation.*.study``)
and makes the contents (``evaluation.*.contents``); the rest is here.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import say
from trust_seg_ros.commands.outcome import record

if TYPE_CHECKING:
    from trust_seg_ros.evaluation.report.report import Contents


def add_out_argument(parser: argparse.ArgumentParser) -> None:
    """--out, the folder that :func:`finish` writes to."""
    out = parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the report")
    given.expects(out, given.new_folder)


def finish(
    args: argparse.Namespace,
    console: Console,
    found: Contents,
    facts: Mapping[str, str],
    notes: Sequence[str] = (),
    *,
    rules: bool = False,
    below: RenderableType | None = None,
) -> None:
    """Write report.md, tables and figures into ``args.out``, and print the main tables and the notes.

    Args:
        args: options of the command, with ``words``, the command line.
        console: where to print.
        found: contents of the report.
        facts: what was judged, for the top of the report: name to value.
        notes: placed before the notes of the contents.
        rules: print a line with the title above every section.
        below: printed after the notes.

    Raises:
        EvaluationError: the folder cannot be written.
    """
    from trust_seg_ros.evaluation.report.report import Report, write
    from trust_seg_ros.evaluation.report.tabular import ON_SCREEN

    report = Report.of(found, args.words, facts, notes)
    files = write(report, args.out.expanduser())
    record(
        args,
        title=report.title,
        out=args.out,
        files=files,
        facts=dict(report.facts),
        notes=list(report.notes),
        tables=[table.to_json() for section in report.sections for table in section.tables],
    )
    for section in report.sections:
        if rules:
            console.rule(section.title, align="left")
        for table in section.tables:
            if table.place >= ON_SCREEN:
                console.print(table.rich())
    for note in report.notes:
        console.print(f"note: {note}", highlight=False)
    if below is not None:
        console.print(below)
    say(console, f"wrote {files[0]} and {len(files) - 1} tables and figures beside it")
