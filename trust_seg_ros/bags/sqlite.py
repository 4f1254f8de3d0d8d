"""SQLite storage files of rosbag2, read through the index on time.

``rosbags`` reads them, too, but ignores the write-ahead log, which holds the last messages after a recorder was killed;
it also counts by a join, and returns messages of equal time in no defined order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import apsw
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from trust_seg_ros.bags.definitions import NO_DEFINITION, as_recorded, describe_topic, full_type_name, qos_profiles
from trust_seg_ros.bags.kinds import SQLITE
from trust_seg_ros.bags.salvage import ended_early
from trust_seg_ros.bags.salvage_sqlite import DAMAGE, Rows, page_bytes, salvage_rows, tolerant_connection
from trust_seg_ros.bags.types import BagMessage, BagTopic, DamagedBag, Remarks

_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}
_COUNTS = "SELECT topic_id, count(*) FROM messages GROUP BY topic_id"
# each value uses its own index if there is one; a single query would visit the rows
_EXTENT = (
    "SELECT (SELECT count(*) FROM messages), (SELECT min(timestamp) FROM messages), "
    "(SELECT max(timestamp) FROM messages)"
)
_ROW = "SELECT timestamp, rowid, topic_id, data FROM messages WHERE rowid = ?"


@dataclass(frozen=True)
class _Table:
    """The tables other than the messages.

    Attributes:
        topics: topic id → the topic, without message counts; several ids may belong to one topic.
        indexed: whether messages can be found by their time.
        damaged: a sentence on every topic whose row is damaged; its messages cannot be read.
    """

    topics: dict[int, BagTopic]
    indexed: bool
    damaged: tuple[str, ...] = ()


class SqliteFile:
    """A :class:`~trust_seg_ros.bags.types.Storage` in SQLite; see :func:`open_sqlite`."""

    def __init__(self, path: Path, table: _Table, total: int, span: tuple[int, int]) -> None:
        self.path, self.remarks = path, Remarks()
        self._table = table
        for text in table.damaged:
            self.remarks.add(f"{path.name}: {text}")
        self._rows: Rows | None = None
        self.total, (self.start_ns, self.end_ns) = total, span
        self.declared = _merged(table.topics, {})

    @cached_property
    def topics(self) -> tuple[BagTopic, ...]:
        """The topics with message counts; visits every row, but not its data."""
        if self._rows is None:
            try:
                with closing(connection(self.path)) as storage:
                    return _merged(self._table.topics, dict(storage.execute(_COUNTS)))
            except DAMAGE as error:
                self._take(self._salvage(error), f"it is damaged ({error})")
        assert self._rows is not None  # by _take
        return _merged(self._table.topics, self._rows.counts())

    @classmethod
    def salvaged(cls, path: Path, table: _Table, rows: Rows, reason: str) -> SqliteFile:
        """A file in which only these rows can be read."""
        storage = cls(path, table, len(rows), rows.span())
        storage._take(rows, reason)
        return storage

    def messages(self, topics: Collection[tuple[str, str]], start_ns: int, stop_ns: int) -> Iterator[BagMessage]:
        """See :class:`~trust_seg_ros.bags.types.Storage`."""
        wanted = {number for number, t in self._table.topics.items() if (t.name, t.type_name) in topics}
        if not wanted:
            return
        after = (start_ns, -1)
        if self._rows is None:
            try:
                for place, message in self._by_time(wanted, start_ns, stop_ns):
                    if place <= after:
                        raise apsw.CorruptError("its index on time is out of order")
                    after = place
                    if message is not None:
                        yield message
            except DAMAGE as error:
                self._take(self._salvage(error), f"it is damaged ({error})")
            else:
                return
        yield from self._salvaged_messages(wanted, after, stop_ns)

    def _by_time(
        self, wanted: set[int], start_ns: int, stop_ns: int
    ) -> Iterator[tuple[tuple[int, int], BagMessage | None]]:
        found: Iterator[tuple[int, int, int, bytes | str | None]]
        with closing(connection(self.path)) as storage:
            if self._table.indexed:
                marks = ",".join("?" * len(wanted))
                # Index entries end with the row's id, so this is the order of the index: nothing is sorted.
                found = storage.execute(
                    f"SELECT timestamp, rowid, topic_id, data FROM messages WHERE topic_id IN ({marks}) "
                    "AND timestamp >= ? AND timestamp < ? ORDER BY timestamp, rowid",
                    (*wanted, start_ns, stop_ns),
                )
            else:
                found = self._sorted_here(storage, wanted, start_ns, stop_ns)
            for time_ns, row, number, data in found:
                yield (time_ns, row), self._message(time_ns, number, data)

    def _sorted_here(
        self, storage: apsw.Connection, wanted: set[int], start_ns: int, stop_ns: int
    ) -> Iterator[tuple[int, int, int, bytes | str | None]]:
        """Without an index: sort only the times here, since SQLite would sort the images along with them, on disk."""
        rows = Rows()
        for entry in storage.execute("SELECT timestamp, rowid, topic_id FROM messages"):
            rows.add(*entry)
        for _, row in rows.by_time(wanted, (start_ns, -1), stop_ns):
            yield from storage.execute(_ROW, (row,))

    def _salvaged_messages(self, wanted: set[int], after: tuple[int, int], stop_ns: int) -> Iterator[BagMessage]:
        assert self._rows is not None
        with closing(tolerant_connection(self.path)) as storage:
            for _, row in self._rows.by_time(wanted, after, stop_ns):
                try:
                    found = list(storage.execute(_ROW, (row,)))
                except DAMAGE as error:
                    self.remarks.add(f"{self.path.name}: row {row} is left out: {error}")
                    continue
                for time_ns, _, number, data in found:
                    message = self._message(time_ns, number, data)
                    if message is not None:
                        yield message

    def _salvage(self, error: Exception) -> Rows:
        try:
            rows = salvage_rows(self.path)
        except DAMAGE:
            rows = Rows()
        if not len(rows):
            raise DamagedBag(f"reading broke off: {error}") from error
        return rows

    def _take(self, rows: Rows, reason: str) -> None:
        start_ns, end_ns = rows.span()
        self._rows = rows
        seconds = max(end_ns - 1 - start_ns, 0) * 1e-9
        self.remarks.add(ended_early(self.path.name, reason, len(rows), seconds), "rows")

    def _message(self, time_ns: int, number: int, data: bytes | str | None) -> BagMessage | None:
        name = self._table.topics[number].name
        stored = data or b""
        try:
            if isinstance(stored, str):
                raise TypeError("string argument without an encoding")
            return BagMessage(name, time_ns, as_recorded(bytes(stored)))
        except (ValueError, TypeError) as error:
            seconds = (time_ns - self.start_ns) * 1e-9
            self.remarks.add(f"{self.path.name}: the message of {name} at {seconds:.3f} s is left out: {error}")
            return None


def open_sqlite(path: Path) -> SqliteFile:
    """Open a storage file; a damaged one is scanned row by row.

    Raises:
        DamagedBag: nothing in it can be read.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        if file.read(len(SQLITE)) != SQLITE:
            raise DamagedBag("it does not begin like an SQLite file")
    size, page = path.stat().st_size, page_bytes(path)
    try:
        if size % page:  # SQLite would read zeros for the missing part of the last page
            raise apsw.CorruptError(f"it ends after {size} bytes, inside a page of {page}")
        with closing(connection(path)) as storage:
            table = _read_tables(storage)
            ((total, first, last),) = storage.execute(_EXTENT)
            if not all(isinstance(value, int | None) for value in (first, last)):
                raise TypeError(f"it has messages from {first!r} to {last!r}, expected nanoseconds")
            return SqliteFile(path, table, total, (0, 0) if first is None else (first, last + 1))
    except DAMAGE as error:
        reason = str(error)
    try:
        with closing(tolerant_connection(path)) as storage:
            table = _read_tables(storage)
        rows = salvage_rows(path)
    except DAMAGE as error:
        raise DamagedBag(f"SQLite cannot read its tables: {error}") from error
    return SqliteFile.salvaged(path, table, rows, f"it is cut off or damaged ({reason})")


def connection(path: Path) -> apsw.Connection:
    """A read-only connection, including the write-ahead log of a recorder that did not finish."""
    log = path.with_name(path.name + "-wal")
    # "immutable" reads a file in a folder that cannot be written to, but ignores the log beside it.
    logged = log.is_file() and log.stat().st_size > 0
    uri = path.absolute().as_uri() + ("?mode=ro" if logged else "?immutable=1")
    return apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def _read_tables(storage: apsw.Connection) -> _Table:
    columns = {name: {row[1] for row in storage.execute(f"PRAGMA table_info({name})")} for name in
               ("topics", "messages", "message_definitions")}  # fmt: skip
    for name, needed in (("topics", {"id", "name", "type"}), ("messages", {"topic_id", "timestamp", "data"})):
        if not needed <= columns[name]:
            raise DamagedBag(f"its table {name} has the columns {sorted(columns[name])}, expected {sorted(needed)}")
    definitions = {}
    if {"topic_type", "encoding", "encoded_message_definition"} <= columns["message_definitions"]:
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions ORDER BY rowid DESC"
        for type_name, encoding, text in storage.execute(query):
            if isinstance(type_name, str) and isinstance(text, str):  # else as if there were none
                kind = _FORMATS.get(encoding, MessageDefinitionFormat.NONE)
                definitions[full_type_name(type_name)] = MessageDefinition(kind, text)
    optional = [
        name if name in columns["topics"] else "''" for name in ("type_description_hash", "offered_qos_profiles")
    ]
    topics, damaged = {}, []
    for number, name, type_name, digest, qos in storage.execute(
        f"SELECT id, name, type, {', '.join(optional)} FROM topics ORDER BY id"
    ):
        if not (isinstance(name, str) and isinstance(type_name, str)):
            damaged.append(f"topic {number} is left out: its name is {name!r}, its type {type_name!r}; expected texts")
            continue
        type_name = full_type_name(type_name)
        definition = definitions.get(type_name, NO_DEFINITION)
        known = digest if isinstance(digest, str) else ""
        topics[number] = describe_topic(name, type_name, 0, definition, known, qos_profiles(qos))
    return _Table(topics, _has_time_index(storage), tuple(damaged))


def _has_time_index(storage: apsw.Connection) -> bool:
    for _, name, *_ in storage.execute("PRAGMA index_list(messages)").fetchall():
        first = storage.execute(f'PRAGMA index_info("{name}")').fetchone()
        if first is not None and first[2] == "timestamp":
            return True
    return False


def _merged(topics: dict[int, BagTopic], counts: dict[int, int]) -> tuple[BagTopic, ...]:
    found: dict[tuple[str, str], BagTopic] = {}
    for number, topic in topics.items():
        earlier = found.get((topic.name, topic.type_name))
        found[topic.name, topic.type_name] = BagTopic(
            topic.name,
            topic.type_name,
            counts.get(number, 0) + (earlier.messages if earlier else 0),
            topic.definition,
            topic.digest,
            topic.qos + (earlier.qos if earlier else ()),
        )
    return tuple(found.values())
