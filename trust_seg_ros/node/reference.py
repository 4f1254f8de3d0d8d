"""``config/trust_seg.yaml`` and ``docs/parameters.md`` from the parameter table.

``python -m trust_seg_ros.node.reference`` writes both; a test compares them.
"""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import wrap

from trust_seg_ros.node.parameter import AT_ACTIVATE, AT_CONFIGURE, AT_START, NEXT_FRAME, Parameter, Value
from trust_seg_ros.node.parameters import TABLE

COMMAND = "python -m trust_seg_ros.node.reference"

_WHEN = {
    AT_START: "fixed at start",
    AT_CONFIGURE: "next configure",
    AT_ACTIVATE: "next activate",
    NEXT_FRAME: "next frame",
}


def yaml_text() -> str:
    """The parameter file with every default, its meaning and its range as comments."""
    lines = [
        f"# Every parameter with its default. Made by `{COMMAND}`; see docs/parameters.md.",
        "/**:",
        "  ros__parameters:",
    ]
    group = ""
    for parameter in TABLE:
        prefix, _, leaf = parameter.name.rpartition(".")
        if prefix != group and prefix:
            lines.append(f"    {prefix}:")
        group = prefix
        indent = "      " if prefix else "    "
        comment = f"{parameter.description} {_range(parameter)}".strip().replace("`", "")
        lines += [f"{indent}# {line}" for line in wrap(comment, 100)]
        lines.append(f"{indent}{leaf}: {_yaml(parameter.default)}")
    return "\n".join(lines) + "\n"


def markdown_table() -> str:
    """The table alone, for other documents to embed."""
    rows = ["| parameter | type | default | range | takes effect | meaning |", "|---|---|---|---|---|---|"]
    for p in TABLE:
        span = p.expectation if p.low is not None or p.choices else ""
        span = span.replace("one of ", "").removeprefix("a number from ").removeprefix("an integer from ")
        cells = (f"`{p.name}`", p.kind, f"`{_yaml(p.default)}`", span, _WHEN[p.applies], p.description)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def markdown_text() -> str:
    """The whole page."""
    return (
        "# Parameters\n\n"
        f"Made from the table in `trust_seg_ros/node/parameters.py` by `{COMMAND}`; do not edit.\n\n"
        "Every parameter but those fixed at start can be set at any time. A value out of range or of the wrong type\n"
        "is refused with a reason and the old one stays. *Takes effect* says when a new value is first looked at:\n"
        "*next configure* means `cleanup` and `configure` of the lifecycle, *next activate* `deactivate` and\n"
        "`activate`.\n\n"
        f"{markdown_table()}\n"
        "## Quality of service\n\n"
        "`qos_overrides.<topic>.subscription.reliability` (wins over `image_reliability`), `.durability` and `.depth`\n"
        "for the camera, and `qos_overrides.<topic>.publisher.reliability`, `.history` and `.depth` for every output\n"
        "except `~/label_info`, are fixed at start. `<topic>` is the name after remapping. A value that cannot be is\n"
        "named in the log and in `/diagnostics`, and the node stays in its state.\n"
    )


def write(root: Path) -> None:
    """Write both below the repository's root."""
    (root / "config" / "trust_seg.yaml").write_text(yaml_text(), "utf-8")
    (root / "docs" / "parameters.md").write_text(markdown_text(), "utf-8")


def _range(parameter: Parameter) -> str:
    if parameter.choices or parameter.low is not None:
        return f"[{parameter.expectation}]"
    return ""


def _yaml(value: Value) -> str:
    return json.dumps(value)


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[2])
