"""docs/results/features.md: feature scores before and after entropy maximisation, of the shipped and a foreign network.

    python benchmarks/feature_study [--part before after foreign] --write

Statistics are of the images that belong to each judge: CamVid train for photographs, scenes of other seeds without
unknown objects for the synthetic drive. Nothing is chosen by the data sets that are judged. What was measured with the
same weights is not measured again, so it can be stopped and started again; a network takes a few minutes. ``foreign``
also trains: half an hour on one thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # what the studies share

from chain import foreign
from pages import DATA, Sheet, score_sheet
from scores import Places, scores_of
from study_line import study_parser

NETWORKS = {"before": "embedded:compact_camvid11", "after": "embedded"}


def shipped(when: str) -> Callable[[Places], list[Sheet]]:
    """The part that measures one of the shipped networks."""
    return lambda places: [score_sheet(when, scores_of(NETWORKS[when], places))]


PARTS: dict[str, Callable[[Places], list[Sheet]]] = {**{when: shipped(when) for when in NETWORKS}, "foreign": foreign}


def main() -> None:
    """Every part that was asked for."""
    parser = study_parser(__doc__ or "", PARTS, DATA, "runs/features", "docs/results/features")
    args = parser.parse_args()
    args.runs.mkdir(parents=True, exist_ok=True)
    for part in args.part:
        for sheet in PARTS[part](Places(args.data, args.runs, args.force)):
            print(f"\n{sheet.name}\n\n{sheet.markdown()}", flush=True)
            if args.write:
                sheet.write()


if __name__ == "__main__":
    main()
