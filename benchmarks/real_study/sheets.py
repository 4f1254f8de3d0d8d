"""Tables of the study: a CSV file each, and Markdown with what was measured before beside it."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import asdict, dataclass
from typing import Any

from folders import BEFORE, COMMAND, PAGE, RESULTS, Places

from trust_seg_ros.node.reference import with_table

Numbers = dict[str, float]
"""Measure -> value: a share if its name ends in " %" (shown in per cent), else a count or a number."""


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        name: of its CSV file, and of its marks in the page.
        title: for the screen.
        head: title of the first column.
        rows: name of the row -> its numbers; NaN where there is none.
        note: one paragraph below it.
    """

    name: str
    title: str
    head: str
    rows: dict[str, Numbers]
    note: str = ""

    @property
    def measures(self) -> list[str]:
        """Titles of the other columns, in order of appearance."""
        return list(dict.fromkeys(measure for numbers in self.rows.values() for measure in numbers))

    def csv(self) -> str:
        """Shares stay shares; six digits."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([self.head, *self.measures])
        for row, numbers in self.rows.items():
            writer.writerow([row, *(f"{numbers.get(measure, math.nan):.6g}" for measure in self.measures)])
        return out.getvalue()

    def markdown(self, before: dict[str, Numbers] | None = None) -> str:
        """A Markdown table; ``before → now`` where a number was another one before."""
        lines = [[self.head, *self.measures], [":---", *["---:"] * len(self.measures)]]
        for row, numbers in self.rows.items():
            then = (before or {}).get(row, {})
            lines.append([row, *(self._cell(m, numbers.get(m, math.nan), then.get(m)) for m in self.measures)])
        table = "".join("| " + " | ".join(line) + " |\n" for line in lines)
        return f"{table}\n{self.note}\n" if self.note else table

    def _cell(self, measure: str, now: float, then: float | None) -> str:
        new, old = shown(measure, now), "–" if then is None else shown(measure, then)
        return new if old in (new, "–") else f"{old} → **{new}**"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Sheet:
        """The sheet of :meth:`to_json`."""
        return cls(**plain)


def shown(measure: str, value: float) -> str:
    """A number as text: shares in per cent, whole numbers without a point."""
    if math.isnan(value):
        return "–"
    if measure.endswith("%"):
        return f"{100 * value:.1f}"
    return f"{value:,.0f}" if value == round(value) else f"{value:.3g}"


def read_before(name: str) -> dict[str, Numbers] | None:
    """Rows of a sheet as measured before; None if it was not."""
    path = BEFORE / f"{name}.csv"
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    return {row[0]: {m: float(v) for m, v in zip(head[1:], row[1:], strict=True)} for row in rows}


def write(part: str, sheets: list[Sheet], places: Places, *, page: bool, before: bool) -> None:
    """CSV files into ``places.runs``; with ``page`` also into the documentation, with ``before`` as those before."""
    folders = [places.runs / part, *[RESULTS] * page, *[BEFORE] * before]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for sheet in sheets:
            (folder / f"{sheet.name}.csv").write_text(sheet.csv(), "utf-8")
    if page:
        text = PAGE.read_text("utf-8")
        for sheet in sheets:
            text = with_table(text, sheet.name, sheet.markdown(read_before(sheet.name)), COMMAND)
        PAGE.write_text(text, "utf-8")
