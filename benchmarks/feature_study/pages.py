"""Tables of the study: a CSV file each, and Markdown between the marks of the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scores import MEASURES, Found

from trust_seg_ros.node.reference import with_table

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "results" / "features.md"
RESULTS = PAGE.with_suffix("")
COMMAND = "python benchmarks/feature_study --write"


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        name: of its CSV file, and of its marks in the page.
        head: titles of the columns, of Markdown.
        rows: cells as text, of Markdown.
        plain: title and rows of the CSV file.
    """

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    plain: Sequence[Sequence[object]]

    def markdown(self) -> str:
        """The table."""
        lines = [self.head, [":---", *["---:"] * (len(self.head) - 1)], *self.rows]
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)

    def write(self) -> None:
        """Into the page, and as CSV beside it."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(self.plain)
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{self.name}.csv").write_text(out.getvalue(), "utf-8")
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), self.name, self.markdown(), COMMAND), "utf-8")


def score_sheet(name: str, found: Mapping[str, Found]) -> Sheet:
    """AuPRC / AUROC / FPR95 in %, the best of each printed bold.

    Args:
        name: of the sheet.
        found: title of the column -> score -> measure.
    """
    scores = list(next(iter(found.values())))
    rows = [[score, *(_cell(column, score) for column in found.values())] for score in scores]
    plain = [
        [title, score, *(f"{column[score][measure]:.5f}" for measure in MEASURES)]
        for title, column in found.items()
        for score in scores
    ]
    return Sheet(name, ["score", *found], rows, [["judged on", "score", *MEASURES], *plain])


def _cell(column: Found, score: str) -> str:
    texts = []
    for measure in MEASURES:
        every = [numbers[measure] for numbers in column.values()]
        best = min(every) if measure == "FPR95" else max(every)
        text = f"{100 * column[score][measure]:.1f}"
        texts.append(f"**{text}**" if column[score][measure] == best else text)
    return " / ".join(texts)
