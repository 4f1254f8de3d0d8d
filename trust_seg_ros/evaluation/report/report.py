"""The folder of a report: report.md, one CSV file per table, PNG figures; the same input gives the same text."""

from __future__ import annotations

import platform
import re
import shlex
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.report.tabular import IN_REPORT, Table
from trust_seg_ros.version import installed_version

PAGE = "report.md"
_STANDS_ON = ("trust_seg_ros", "numpy", "scikit-learn", "torch")


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        name: file name without the suffix.
        caption: one line.
        draw: writes it to a path; returns False if there is nothing to draw.
    """

    name: str
    caption: str
    draw: Callable[[Path], bool]


@dataclass(frozen=True)
class Section:
    """Tables and figures under one heading.

    Attributes:
        title: the heading.
        text: a paragraph below it.
        tables: tables with their notes.
        pictures: shown after the tables.
        prefix: prefix of the file names.
    """

    title: str
    text: str
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...] = ()
    prefix: str = ""


@dataclass(frozen=True)
class Contents:
    """Results of a study, ready to be written.

    Attributes:
        title: title of the page.
        sections: sections in order.
        notes: what a reader must know before the numbers.
    """

    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """The whole report: the contents, and above them how they were made.

    Attributes:
        title: title of the page.
        command: the command line as typed.
        facts: what was judged: name and value.
        notes: what a reader must know before the numbers.
        sections: sections in order.
    """

    title: str
    command: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]

    @classmethod
    def of(cls, found: Contents, words: Sequence[str], facts: Mapping[str, str], notes: Sequence[str] = ()) -> Report:
        """The report of a study.

        Args:
            found: its contents.
            words: the command line after ``trust-seg``.
            facts: what was judged: name to value.
            notes: placed before the notes of the contents.
        """
        command = shlex.join(("trust-seg", *words))
        return cls(found.title, command, tuple(facts.items()), (*notes, *found.notes), found.sections)


def write(report: Report, out: Path) -> list[Path]:
    """Write a report into a folder; files of an earlier report that are not written again are removed.

    Everything is written into a hidden folder first and then moved, the page last: a failed run leaves the old report.

    Returns:
        The files, the page first.

    Raises:
        EvaluationError: the folder cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = out if out.is_dir() else out.parent  # a mounted folder is on another file system than its parent
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".part", dir=place) as draft:
            names = _fill(report, Path(draft))
            out.mkdir(exist_ok=True)
            stale = _files_of(out / PAGE) - set(names)
            for name in reversed(names):
                (Path(draft) / name).replace(out / name)
            for name in stale:
                (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise EvaluationError(f"{out}: the report cannot be written ({error})") from error
    return [out / name for name in names]


def versions() -> str:
    """Versions of this package and of the libraries its numbers depend on, in one line."""
    found = [f"{name} {installed_version(name)}" for name in _STANDS_ON]
    return ", ".join([found[0], f"Python {platform.python_version()}", *found[1:]])


def left_out(name: str, images: Iterable[str]) -> str:
    """A note on images that could not be read."""
    return f"left out of {name}, as they could not be read: {', '.join(images)}"


def _fill(report: Report, folder: Path) -> list[str]:
    """Write everything; returns the names, the page first."""
    blocks, names = _head(report), [PAGE]
    for section in report.sections:
        blocks += [f"## {section.title}", section.text]
        for table in section.tables:
            name = f"{section.prefix}{table.name}.csv"
            (folder / name).write_text(table.csv(), encoding="utf-8")
            names.append(name)
            if table.place >= IN_REPORT:
                title = "" if table.title == section.title else f"### {table.title}"
                blocks += [title, table.markdown(), f"{table.note} [{name}]({name})"]
            else:
                blocks.append(f"{table.title}, in full: [{name}]({name})")
        for picture in section.pictures:
            name = f"{section.prefix}{picture.name}.png"
            if picture.draw(folder / name):
                names.append(name)
                blocks += [f"![{picture.caption}]({name})", f"*{picture.caption}*"]
    page = "\n\n".join(block.strip() for block in blocks if block)
    (folder / PAGE).write_text(page + "\n", encoding="utf-8")
    return names


def _head(report: Report) -> list[str]:
    facts = [f"- {name}: {value}" for name, value in (*report.facts, ("versions", versions()))]
    notes = [f"- **{note}**" for note in report.notes]
    return [f"# {report.title}", f"```\n{report.command}\n```", "\n".join(facts + notes)]


def _files_of(page: Path) -> set[str]:
    """Names of the tables and figures beside a report that it links to."""
    if not page.is_file():
        return set()
    return set(re.findall(r"\]\(([^/()\s]+\.(?:csv|png))\)", page.read_text(encoding="utf-8", errors="replace")))
