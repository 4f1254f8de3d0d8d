"""Scan of an SQLite storage file that is cut off or damaged: each row is read once; readable ones are noted."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import numpy as np

_PAGE_SIZE_AT = 16
_LARGEST_GAP, _STEPS = 1 << 16, 40
"""Gaps below this many rows are tried row by row; doublings of the step in the search for the next readable row."""

DAMAGE = (apsw.Error, ValueError, TypeError, OverflowError)
"""Raised for a damaged file by SQLite itself, or by texts and numbers of the wrong kind."""

_NEXT_ROW = "SELECT rowid FROM messages NOT INDEXED WHERE rowid >= ? ORDER BY rowid LIMIT 1"
_QUERY = "SELECT timestamp, rowid, topic_id, length(data), data FROM messages NOT INDEXED WHERE rowid {} ORDER BY rowid"


class Rows:
    """Times, row numbers and topics of the readable messages."""

    def __init__(self) -> None:
        self._times, self._rows, self._topics = array("q"), array("q"), array("q")

    def add(self, time_ns: int, row: int, topic: int) -> None:
        """Add a row."""
        self._times.append(time_ns)
        self._rows.append(row)
        self._topics.append(topic)

    def __len__(self) -> int:
        return len(self._times)

    def counts(self) -> dict[int, int]:
        """Topic id → number of its rows."""
        return dict(Counter(self._topics))

    def span(self) -> tuple[int, int]:
        """Time of the first message, and of the last + 1; zeros without any."""
        return (min(self._times), max(self._times) + 1) if self._times else (0, 0)

    def by_time(self, topics: Collection[int], after: tuple[int, int], stop_ns: int) -> Iterator[tuple[int, int]]:
        """(time, row) of these topics above ``after`` and before ``stop_ns``, in order."""
        times, rows = np.frombuffer(self._times, np.int64), np.frombuffer(self._rows, np.int64)
        later = (times > after[0]) | ((times == after[0]) & (rows > after[1]))
        chosen = np.flatnonzero(
            later & (times < stop_ns) & np.isin(np.frombuffer(self._topics, np.int64), list(topics))
        )
        for index in chosen[np.lexsort((rows[chosen], times[chosen]))]:
            yield int(times[index]), int(rows[index])


def page_bytes(path: Path) -> int:
    """Page size according to the file's header; 1 if the file is too short for a header."""
    with path.open("rb") as file:
        file.seek(_PAGE_SIZE_AT)
        stated = int.from_bytes(file.read(2), "big")
    return 1 << 16 if stated == 1 else max(stated, 1)


class _WholePages(apsw.VFS):
    """Hides an incomplete last page of a file, which SQLite would fill up with zeros."""

    NAME = "trust_seg_whole_pages"

    def __init__(self) -> None:
        super().__init__(self.NAME, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _WholePagesFile(name, flags)


class _WholePagesFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._page = page_bytes(Path(name.filename() if isinstance(name, apsw.URIFilename) else name)) if name else 1

    def xFileSize(self) -> int:  # noqa: N802
        size = super().xFileSize()
        return size - size % self._page


_vfs: list[_WholePages] = []


def tolerant_connection(path: Path) -> apsw.Connection:
    """A connection to a file that may end early: only reads of the missing pages fail."""
    if not _vfs:
        _vfs.append(_WholePages())  # registered with SQLite by name as long as the object lives
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    storage = apsw.Connection(path.absolute().as_uri() + "?immutable=1", flags=flags, vfs=_WholePages.NAME)
    storage.execute("PRAGMA writable_schema = ON")  # else a file shorter than its header states is refused
    return storage


def salvage_rows(path: Path) -> Rows:
    """The rows of the messages table whose data can be read; flat memory, one pass.

    Raises:
        apsw.Error, ValueError, TypeError: the tables cannot be read.
    """
    rows, reached, ended = Rows(), -1, False
    with closing(tolerant_connection(path)) as storage:
        known = {number for (number,) in storage.execute("SELECT id FROM topics")}
        while not ended:
            reached, ended = _follow(storage, f"> {reached}", reached, known, rows)
            if not ended:
                beyond, ended = _readable_beyond(storage, reached)
                first = reached + 1 if beyond - reached < _LARGEST_GAP else beyond
                for row in range(first, beyond + 1):
                    _follow(storage, f"= {row}", row - 1, known, rows)
                reached = beyond
    return rows


def _readable_beyond(storage: apsw.Connection, reached: int) -> tuple[int, bool]:
    """A readable row above ``reached``, searched with growing steps; and whether the table ends before it."""
    for power in range(_STEPS):
        row = reached + (1 << power)
        try:
            found = storage.execute(_NEXT_ROW, (row,)).fetchone()
        except DAMAGE:
            continue
        return (row, True) if found is None else (max(found[0], row), False)
    return reached, True


def _follow(
    storage: apsw.Connection, condition: str, reached: int, known: Collection[int], rows: Rows
) -> tuple[int, bool]:
    """Add rows above ``reached`` up to damage; returns the last row seen, and whether the table ended there."""
    try:
        for time_ns, row, topic, size, data in storage.execute(_QUERY.format(condition)):
            if row <= reached:
                return reached, False
            reached = row
            if topic in known and isinstance(time_ns, int) and isinstance(data, bytes) and len(data) == size:
                rows.add(time_ns, row, topic)
    except DAMAGE:
        return reached, False
    return reached, True
