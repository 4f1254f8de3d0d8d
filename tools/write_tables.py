"""Write the tables of the documentation that are made from rows: ``python tools/write_tables.py``; a test compares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trust_seg_ros.cli import command_table
from trust_seg_ros.datasets.layouts import layout_table
from trust_seg_ros.datasets.ood_layouts import ood_layout_table
from trust_seg_ros.exporting.targets import target_table
from trust_seg_ros.messages.ground import ground_topic_table
from trust_seg_ros.messages.outputs import topic_table
from trust_seg_ros.mining.exports import export_table
from trust_seg_ros.mining.returns import return_table
from trust_seg_ros.node.reference import with_table
from trust_seg_ros.segmentation.loaders import network_table
from trust_seg_ros.segments.tables import metric_table, set_table
from trust_seg_ros.trust_state.reasons import reason_table

COMMAND = "python tools/write_tables.py"
TABLES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("docs/command_line.md", "commands", command_table),
    ("docs/methods/segments.md", "metrics", metric_table),
    ("docs/methods/segments.md", "feature sets", set_table),
    ("docs/topics.md", "topics", topic_table),
    ("docs/caution.md", "ground topics", ground_topic_table),
    ("docs/networks.md", "networks", network_table),
    ("docs/export.md", "targets", target_table),
    ("docs/datasets.md", "layouts", layout_table),
    ("docs/benchmark_ood.md", "layouts", ood_layout_table),
    ("docs/labels.md", "label forms", export_table),
    ("docs/labels.md", "overlaps", return_table),
    ("docs/trust_state.md", "reasons", reason_table),
)
"""Page, name of the table on it, and what makes it."""


def write(root: Path) -> None:
    """Make every table anew, below the repository's root."""
    for page, name, table in TABLES:
        path = root / page
        path.write_text(with_table(path.read_text("utf-8"), name, table(), COMMAND), "utf-8")


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[1])
