"""docs/results/features.md: feature scores before and after entropy maximisation, of the shipped and a foreign network.

    python benchmarks/feature_study [--part before after foreign] --write

Statistics are of the images that belong to each judge: CamVid train for photographs, scenes of other seeds without
unknown objects for the synthetic drive. Nothing is chosen by the data sets that are judged. What was measured with the
same weights is not measured again, so it can be stopped and started again; a network takes a few minutes. ``foreign``
also trains: half an hour on one thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from chain import foreign
from pages import DATA, Sheet, score_sheet
from scores import Places, scores_of

NETWORKS = {"before": "embedded:compact_camvid11", "after": "embedded"}


def shipped(when: str) -> Callable[[Places], list[Sheet]]:
    """The part that measures one of the shipped networks."""
    return lambda places: [score_sheet(when, scores_of(NETWORKS[when], places))]


PARTS: dict[str, Callable[[Places], list[Sheet]]] = {**{when: shipped(when) for when in NETWORKS}, "foreign": foreign}


def main() -> None:
    """Every part that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), help="only these (default: all)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets (default: %(default)s)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/features"), help="what is kept and trained (default: %(default)s)"
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what was measured; nothing is trained anew")
    parser.add_argument("--write", action="store_true", help="into docs/results/features.md and docs/results/features/")
    args = parser.parse_args()
    args.runs.mkdir(parents=True, exist_ok=True)
    for part in args.part:
        for sheet in PARTS[part](Places(args.data, args.runs, args.fresh)):
            print(f"\n{sheet.name}\n\n{sheet.markdown()}", flush=True)
            if args.write:
                sheet.write()


if __name__ == "__main__":
    main()
