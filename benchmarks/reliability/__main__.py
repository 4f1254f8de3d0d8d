"""Injects every fault we know into the real node and into the real commands, and writes down what they say.

    python benchmarks/reliability [--only WORD ...] [--write]

Each row of the table: the fault, what the node or the command says, how fast, and what comes out afterwards. Status 1
if something is not as it should be. ``--write`` puts the table into docs/reliability.md. All of it takes ten minutes.
"""

# ruff: noqa: E402 - the tests' helpers are found only once their folder is on the path

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "helpers"))
os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

import command_faults
import node_faults
from scene import Seen

from trust_seg_ros.node.reference import with_table

COMMAND = "python benchmarks/reliability --write"
PAGE = ROOT / "docs" / "reliability.md"
MOST = 160


def row(name: str, seen: Seen) -> str:
    """One line of the table."""
    if seen.warn_s is None and seen.error_s is None:
        soon = "–"
    elif seen.error_s is None:
        soon = f"WARN {seen.warn_s:.1f} s"
    elif seen.warn_s is None or seen.warn_s == seen.error_s:
        soon = f"{seen.error_s:.1f} s"
    else:
        soon = f"WARN {seen.warn_s:.1f} s, ERROR {seen.error_s:.1f} s"
    says = " ".join(seen.says.split())
    says = says if len(says) <= MOST else f"{says[: MOST - 1]}…"
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (name, says, soon, seen.after)) + " |"


def table(title: str, results: dict[str, Seen]) -> str:
    """The table of one group of faults."""
    head = [f"| {title} | what is said | how fast | what comes out |", "|---|---|---|---|"]
    return "\n".join([*head, *(row(name, seen) for name, seen in results.items())]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="faults with one of these in their name")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    parser.add_argument("--part", choices=("node", "commands"), help="only these faults")
    options = parser.parse_args()
    bad = 0
    for part, title, faults in (
        ("node", "fault of a running node", node_faults.FAULTS),
        ("commands", "what is wrong with a file or an option", command_faults.FAULTS),
    ):
        if options.part not in (None, part):
            continue
        results = {}
        for fault in faults:
            if options.only and not any(word in fault.name for word in options.only):
                continue
            results[fault.name] = seen = fault.run()
            bad += bool(seen.wrong)
            print(row(fault.name, seen), *([f"WRONG: {seen.wrong}"] if seen.wrong else []), sep="\n", flush=True)
        if options.write and results:
            PAGE.write_text(with_table(PAGE.read_text(), part, table(title, results), COMMAND))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
