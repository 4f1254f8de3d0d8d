"""docs/results/real.md: what the shipped files do on photographs that nobody trained or fitted on.

    python benchmarks/real_study [--part unknown|segments|flagged|sizes|pixels|flicker|worst|free|ground ...] [--write]

Measures the network and the judges as they are shipped at the time, with the node's default parameters. A part whose
result is there is not measured again as long as the package, its weights and its models stay as they are. ``--write``
puts tables and figures into docs/results/real/ and into the page; ``--before`` keeps the numbers as the ones to compare
later ones with.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # what the studies share

import flagged
import flicker
import free
import on_ground
import pixels
import sizes
import unknown
import worst
import wrong_segments
from folders import BEFORE, DATA, Places
from kept import kept
from sheets import Sheet, write
from study_line import study_parser

PARTS: dict[str, Callable[[Places], list[Sheet]]] = {
    "unknown": unknown.measure,
    "segments": wrong_segments.measure,
    "flagged": flagged.measure,
    "sizes": sizes.measure,
    "pixels": pixels.measure,
    "flicker": flicker.measure,
    "worst": worst.measure,
    "free": free.measure,
    "ground": on_ground.measure,
}


def main() -> int:
    parser = study_parser(__doc__ or "", PARTS, DATA, "runs/real", "docs/results/real")
    parser.add_argument("--before", action="store_true", help=f"keep the numbers in {BEFORE} for comparison")
    args = parser.parse_args()
    if args.write and args.before:
        parser.error("--write and --before: expected one of the two")
    places = Places(args.data, args.runs)
    for part in args.part:
        sheets = kept(part, PARTS[part], places, fresh=args.force)
        for sheet in sheets:
            print(f"\n{sheet.title}\n\n{sheet.markdown()}", flush=True)
        write(part, sheets, places, page=args.write, before=args.before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
