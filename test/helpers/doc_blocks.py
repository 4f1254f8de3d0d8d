"""The code blocks of README.md, CONTRIBUTING.md and docs/, and what says that one is not looked at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from places import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^( *)(```+)(\w*)[^`\n]*$")
_MARK = re.compile(r"<!-- not run: (\S.*?) *-->")


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        page: path from the repository's root.
        line: of its opening fence, from 1.
        language: what stands behind the fence; "" for none.
        text: without the indentation of its fence.
        mark: reason of a ``<!-- not run: REASON -->`` on the line before; "" for none.
    """

    page: str
    line: int
    language: str
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(text: str, page: str) -> list[Block]:
    """Every block of a page; a fence that is never closed is an error."""
    lines, found, at = text.splitlines(), [], 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            at += 1
            continue
        indent, ticks, language = fence.groups()
        end = next((k for k in range(at + 1, len(lines)) if lines[k].strip() == ticks), None)
        assert end is not None, f"{page}:{at + 1}: this block has no end"
        inside = [line.removeprefix(indent) for line in lines[at + 1 : end]]
        before = next((line for line in reversed(lines[:at]) if line.strip()), "")
        mark = _MARK.search(before)
        found.append(Block(page, at + 1, language, "\n".join(inside) + "\n", mark[1] if mark else ""))
        at = end + 1
    return found


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in PAGES for block in blocks_of(page.read_text("utf-8"), _place(page))]


def _place(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()
