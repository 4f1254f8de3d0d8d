"""docs/results/real.md: what the shipped files do on photographs that nobody trained or fitted on.

    python benchmarks/real_study [--part unknown|segments|sizes|pixels|flicker|worst ...] [--write]

Measures the network and the judges as they are shipped at the time, with the node's default parameters. A part whose
result is there is not measured again as long as the package, its weights and its models stay as they are. ``--write``
puts tables and figures into docs/results/real/ and into the page; ``--before`` keeps the numbers as the ones to compare
later ones with.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import flicker
import pixels
import sizes
import unknown
import worst
import wrong_segments
from folders import BEFORE, DATA, Places
from kept import kept
from sheets import Sheet, write

PARTS: dict[str, Callable[[Places], list[Sheet]]] = {
    "unknown": unknown.measure,
    "segments": wrong_segments.measure,
    "sizes": sizes.measure,
    "pixels": pixels.measure,
    "flicker": flicker.measure,
    "worst": worst.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), help="only these (default: all)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets (default: %(default)s)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/real"), help="where results are kept (default: %(default)s)"
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    goes = parser.add_mutually_exclusive_group()
    goes.add_argument("--write", action="store_true", help="into docs/results/real.md and docs/results/real/")
    goes.add_argument("--before", action="store_true", help=f"keep the numbers in {BEFORE} for comparison")
    args = parser.parse_args()
    places = Places(args.data, args.runs)
    for part in args.part:
        sheets = kept(part, PARTS[part], places, fresh=args.fresh)
        for sheet in sheets:
            print(f"\n{sheet.title}\n\n{sheet.markdown()}", flush=True)
        write(part, sheets, places, page=args.write, before=args.before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
