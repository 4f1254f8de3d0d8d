"""Tables: columns and rows of values, and their form in a terminal, in Markdown and in a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table as RichTable

from trust_seg_ros.evaluation.meta.study import Spread

Value = str | int | float | Spread
IN_FILE, IN_REPORT, ON_SCREEN = range(3)
NOTHING = "-"
"""Shown for undefined values: one kind of segment only, a metric that does not vary, a single run's deviation."""

_FORMATS: dict[str, Callable[[Any], str]] = {
    "text": str,
    "count": "{:,}".format,
    "percent": lambda share: f"{100 * share:.2f}",
    "number": "{:.3f}".format,
    "power": "{:.1e}".format,
}


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: title with the unit.
        form: "text", "count", "percent" (values are shares), "number" or "power" (of ten).
    """

    title: str
    form: str = "percent"

    def text(self, value: Value) -> str:
        """A value as text for readers."""
        if isinstance(value, Spread):
            mean = self.text(value.mean)
            return mean if np.isnan(value.std) else f"{mean} ± {self.text(value.std)}"
        if isinstance(value, float) and not np.isfinite(value):
            return NOTHING
        shown = _FORMATS[self.form](value)
        return shown[1:] if shown.startswith("-") and not any(c in "123456789" for c in shown) else shown


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: name of its CSV file, without the suffix.
        title: title above it.
        columns: columns; the first names the row.
        rows: one value per column.
        note: how to read it, a sentence or two.
        place: where it is shown besides its CSV file: on screen and in the report (``ON_SCREEN``), only in the report
            (``IN_REPORT``), or nowhere else (``IN_FILE``).
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""
    place: int = ON_SCREEN

    def rich(self) -> RichTable:
        """For the terminal."""
        table = RichTable(title=self.title, title_justify="left")
        for column in self.columns:
            table.add_column(column.title, justify="left" if column.form == "text" else "right")
        for row in self._texts():
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """A Markdown table without its title."""
        titles = [column.title for column in self.columns]
        rulers = [":---" if column.form == "text" else "---:" for column in self.columns]
        lines = [titles, rulers, *self._texts()]
        return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)

    def to_json(self) -> dict[str, Any]:
        """Name, title, columns and rows; a mean over runs is an object with ``mean`` and ``std``."""

        def plain(value: Value) -> object:
            return {"mean": value.mean, "std": value.std} if isinstance(value, Spread) else value

        return {
            "name": self.name,
            "title": self.title,
            "columns": [{"title": column.title, "form": column.form} for column in self.columns],
            "rows": [[plain(value) for value in row] for row in self.rows],
        }

    def csv(self) -> str:
        """Comma-separated: shares stay shares; a mean over runs has a second column for its standard deviation.

        Six digits: more would be noise, and the last bits differ from machine to machine.
        """
        spreads = [any(isinstance(row[k], Spread) for row in self.rows) for k in range(len(self.columns))]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        header = []
        for column, spread in zip(self.columns, spreads, strict=True):
            title = column.title.removesuffix(", %").removesuffix(", points")
            header += [title, f"{title} std"] if spread else [title]
        writer.writerow(header)
        for row in self.rows:
            cells = []
            for value, spread in zip(row, spreads, strict=True):
                mean, std = value if isinstance(value, Spread) else (value, np.nan)
                cells += [_plain(mean), _plain(std)] if spread else [_plain(mean)]
            writer.writerow(cells)
        return out.getvalue()

    def _texts(self) -> list[list[str]]:
        return [[column.text(value) for column, value in zip(self.columns, row, strict=True)] for row in self.rows]


def _plain(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if np.isfinite(value) else NOTHING
    return str(value)
