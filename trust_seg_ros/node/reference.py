"""Generates ``config/trust_seg.yaml``, ``docs/parameters.md``, and tables of scores and policies in other documents.

``python -m trust_seg_ros.node.reference`` writes all of them; tests compare.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from textwrap import wrap

from trust_seg_ros.node.parameter import AT_ACTIVATE, AT_CONFIGURE, AT_START, NEXT_FRAME, Parameter, Value
from trust_seg_ros.node.parameters import TABLE
from trust_seg_ros.thresholds.policies.registry import POLICIES, TARGET_POLICIES, parameters_of
from trust_seg_ros.thresholds.targets import TARGETS
from trust_seg_ros.uncertainty.pixel_score import Need, PixelScore
from trust_seg_ros.uncertainty.registry import SCORE_ROWS
from trust_seg_ros.uncertainty.score_names import IN_LOGARITHMS

COMMAND = "python -m trust_seg_ros.node.reference"

_CLASSES = 19
_NEEDS: dict[Need, str] = {
    "raw logits": "raw logits",
    "last layer": "features: a network whose last layer is a plain convolution",
    "class sums": "a mask network",
    "mask queries": "a mask network, with its masks",
    "features": "a last 1×1 convolution or a named layer (`features_layer`)",
    "calibration": "a `calibration` file",
    "feature statistics": "a `calibration` file with statistics of the features",
    "passes": "K further passes of the network; for pixel flags only",
}
_WHEN = {
    AT_START: "fixed at start",
    AT_CONFIGURE: "next configure",
    AT_ACTIVATE: "next activate",
    NEXT_FRAME: "next frame",
}


def yaml_text() -> str:
    """The parameter file: every default, with its meaning and range as comments."""
    lines = [
        f"# Every parameter with its default. Made by `{COMMAND}`; see docs/parameters.md.",
        "/**:",
        "  ros__parameters:",
    ]
    group, names = "", {parameter.name for parameter in TABLE}
    for parameter in TABLE:
        prefix, _, leaf = parameter.name.rpartition(".")
        if prefix in names:  # YAML has no group of the name of a value: such names are written with their dot
            prefix, leaf = "", parameter.name
        if prefix != group and prefix:
            lines.append(f"    {prefix}:")
        group = prefix
        indent = "      " if prefix else "    "
        comment = f"{parameter.description} {_range(parameter)}".strip().replace("`", "")
        lines += [f"{indent}# {line}" for line in wrap(comment, 100)]
        lines.append(f"{indent}{leaf}: {_yaml(parameter.default)}")
    return "\n".join(lines) + "\n"


def markdown_table() -> str:
    """The table of parameters alone, for use in other documents."""
    rows = ["| parameter | type | default | range | takes effect | meaning |", "|---|---|---|---|---|---|"]
    for p in TABLE:
        span = p.expectation if p.low is not None or p.choices else ""
        span = span.replace("one of ", "").removeprefix("a number from ").removeprefix("an integer from ")
        cells = (f"`{p.name}`", p.kind, f"`{_yaml(p.default)}`", span, _WHEN[p.applies], p.description)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def markdown_text() -> str:
    """The whole page ``docs/parameters.md``."""
    return (
        "# Parameters\n\n"
        f"Generated from the table in `trust_seg_ros/node/parameters.py` by `{COMMAND}`; do not edit.\n\n"
        "Every parameter not fixed at start can be set at any time. A value out of range or of the wrong type is\n"
        "refused with a reason and the old one stays. *Takes effect* says when a new value is first used: *next\n"
        "configure* means `cleanup` and `configure` of the lifecycle, *next activate* `deactivate` and `activate`.\n\n"
        f"{markdown_table()}\n"
        "## Parameter files and settings without effect\n\n"
        "A section of a parameter file reaches the node if its key matches the node's name with namespace:\n"
        "`trust_seg` (only without a namespace), `/front/trust_seg`, `/*/trust_seg`, `/**`. Sections are applied\n"
        "in the order of the file, and `-p` counts to `/**`: a section after that one wins over `-p`. An integer\n"
        "for a double is converted.\n\n"
        "The node says what has no effect, as warnings at start and in the status `parameters` of `/diagnostics`:\n"
        "names it does not have (with the nearest ones), files without a section for it, `-p` that a file\n"
        "overrides. Names under `/**` that resemble none of the node's belong to other nodes and are only listed.\n"
        "`trust_seg.launch.py`, `multi_camera.launch.py`, `replay.launch.py`, `trust-seg demo` and `trust-seg\n"
        "replay` do not start with a file that says nothing to the node; demo and replay also refuse unknown\n"
        "names and values out of range. They read files and `-p` by the rules of ROS (`model:=007` is an integer,\n"
        "`labels:=\"'off'\"` a text, a list has one type, aliases are refused), and beyond these refuse keys given\n"
        "twice, lists in lists, empty groups, and groups with a dot inside other groups, which ROS reads in ways\n"
        "that no one expects.\n\n"
        "## Quality of service\n\n"
        "`qos_overrides.<topic>.subscription.reliability` (wins over `image_reliability`), `.durability` and `.depth`\n"
        "for the camera, and `qos_overrides.<topic>.publisher.reliability`, `.history` and `.depth` for every output\n"
        "except `~/label_info`, are fixed at start. `<topic>` is the name after remapping. An invalid value is named\n"
        "in the log and in `/diagnostics`, and the node stays in its state.\n"
    )


def score_table() -> str:
    """The table of pixel scores: meaning, range as the node computes it, and requirements."""
    rows = ["| score | what it is | range | needs |", "|---|---|---|---|"]
    for score in SCORE_ROWS:
        needs = " and ".join(_NEEDS[need] for need in score.needs)
        rows.append(f"| `{score.name}` | {score.text} | {_span(score)} | {needs} |")
    return "\n".join(rows) + "\n"


def scores_text(text: str) -> str:
    """The text of docs/topics.md with its table of scores generated anew."""
    return with_table(text, "scores", score_table())


def policies_table() -> str:
    """The table of threshold policies: parameters, what the threshold is, when to choose it, what to beware of."""
    rows = ["| policy | parameter | the threshold is | choose it when | beware |", "|---|---|---|---|---|"]
    for name, policy in POLICIES.items():
        numbers = [f"`{field}`, {d.default:g}" for field, d in policy.declared().items() if d.number]
        about = policy.about
        rows.append(
            f"| `{name}` | {', '.join(numbers) or 'none'} | {about.threshold} | {about.choose} | {about.beware} |"
        )
    return "\n".join(rows) + "\n"


def served_table() -> str:
    """The table of thresholds: which policies each can have, and the node parameters for them."""
    rows = ["| threshold on | policy | its parameters |", "|---|---|---|"]
    for target, policies in TARGET_POLICIES.items():
        name = TARGETS[target].parameter
        choices = ", ".join(f"`{policy}`" for policy in policies)
        parameters = ", ".join(f"`{name(field)}`" for field in parameters_of(target))
        rows.append(f"| {TARGETS[target].flagged} | `{name('policy')}`: {choices} | {parameters} |")
    return "\n".join(rows) + "\n"


def thresholds_text(text: str) -> str:
    """The text of docs/thresholds.md with both tables of policies generated anew."""
    text = with_table(text, "policies", policies_table())
    return with_table(text, "policies of thresholds", served_table())


def write(root: Path) -> None:
    """Write all files and tables below the repository's root."""
    topics = root / "docs" / "topics.md"
    topics.write_text(scores_text(topics.read_text("utf-8")), "utf-8")
    thresholds = root / "docs" / "thresholds.md"
    thresholds.write_text(thresholds_text(thresholds.read_text("utf-8")), "utf-8")
    (root / "config" / "trust_seg.yaml").write_text(yaml_text(), "utf-8")
    (root / "docs" / "parameters.md").write_text(markdown_text(), "utf-8")


def with_table(page: str, name: str, table: str, command: str = COMMAND) -> str:
    """The page with the table between its two marks generated anew.

    Args:
        page: text of the page.
        name: of the table, as the marks have it.
        table: its rows.
        command: generates the table, as the first mark says.

    Raises:
        ValueError: the marks are missing.
    """
    begin, end = f"<!-- {name}: made by `{command}` -->\n", f"<!-- end of {name} -->"
    before, mark, rest = page.partition(begin)
    _, closing, after = rest.partition(end)
    if not (mark and closing):
        raise ValueError(f"no marks {begin.strip()} and {end}")
    return f"{before}{begin}{table}{end}{after}"


def _span(score: PixelScore) -> str:
    """The range in words, and the unit."""
    low, high = score.range(_CLASSES, IN_LOGARITHMS)
    if math.isfinite(low) and math.isfinite(high):
        span = f"{low:.3g} to {high:.3g}"
    elif math.isfinite(low) or math.isfinite(high):
        span = f"{low:.3g} and more" if math.isfinite(low) else f"{high:.3g} and less"
    else:
        span = "any number"
    if (low, high) != score.range(2, IN_LOGARITHMS):
        span += f" with {_CLASSES} classes"
    return f"{span} ({score.unit})" if score.unit else span


def _range(parameter: Parameter) -> str:
    if parameter.choices or parameter.low is not None:
        return f"[{parameter.expectation}]"
    return ""


def _yaml(value: Value) -> str:
    return json.dumps(value)


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[2])
