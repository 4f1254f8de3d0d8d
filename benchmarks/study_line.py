"""The command line that the studies of this folder share."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path


def study_parser(text: str, parts: Collection[str], data: Path, runs: str, page: str) -> argparse.ArgumentParser:
    """A parser with --part, --data, --runs, --force and --write.

    Args:
        text: what the study does.
        parts: its parts, all of which are done by default.
        data: default folder of the data sets.
        runs: default folder of what is kept.
        page: the page that --write puts tables and figures into, without .md; figures go into the folder of that name.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=parts, default=list(parts), help="only these (default: all)")
    parser.add_argument("--data", type=Path, default=data, help="folder of the data sets (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path(runs), help="where results are kept (default: %(default)s)")
    parser.add_argument("--force", "--fresh", action="store_true", help="measure again what is kept")
    parser.add_argument("--write", action="store_true", help=f"into {page}.md and {page}/")
    return parser
