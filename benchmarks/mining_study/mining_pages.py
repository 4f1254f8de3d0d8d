"""Tables of the study, as CSV files and in the page."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trust_seg_ros.node.reference import with_table


@dataclass
class Row:
    """One arm of the study.

    Attributes:
        title: its name in the table.
        values: a number per run, 0 to 1.
        images, segments: of each run.
    """

    title: str
    values: list[float] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    segments: list[float] = field(default_factory=list)

    def add(self, *, images: int, value: float, segments: float = float("nan")) -> None:
        """Add a run."""
        self.values.append(value)
        self.images.append(images)
        self.segments.append(segments)


COMMAND = "python benchmarks/mining_study --write"
HEAD = {"drives": "AUROC, %", "halves": "AUROC, %", "meta": "AUROC, %", "last_layer": "mIoU, %", "training": "mIoU, %"}


def write(part: str, rows: list[Row], results: Path) -> None:
    """Put a part's table into mining/PART.csv and mining.md."""
    folder = results / "mining"
    folder.mkdir(exist_ok=True)
    with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["chosen", "run", "images", "segments", HEAD[part].split(",")[0]])
        for row in rows:
            for run, found in enumerate(zip(row.images, row.segments, row.values, strict=True)):
                images, segments, value = found
                writer.writerow([row.title, run, images, "" if np.isnan(segments) else int(segments), f"{value:.6f}"])
    page = results / "mining.md"
    page.write_text(with_table(page.read_text(encoding="utf-8"), part, table(part, rows), COMMAND), encoding="utf-8")


def table(part: str, rows: list[Row]) -> str:
    """Markdown: mean, standard deviation, and every run where there are few."""
    lines = [f"| chosen | images | segments | {HEAD[part]} | runs |", "|---|---:|---:|---:|---|"]
    for row in rows:
        values = 100 * np.array(row.values)
        spread = f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else ""
        runs = ", ".join(f"{value:.2f}" for value in values) if len(values) <= 5 else f"{len(values)}"
        images = _range(row.images)
        segments = "" if np.isnan(row.segments).any() else f"{np.mean(row.segments):,.0f}"
        lines.append(f"| {row.title} | {images} | {segments} | {values.mean():.2f}{spread} | {runs} |")
    return "\n".join(lines) + "\n"


def _range(numbers: list[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else f"{min(numbers)} to {max(numbers)}"
