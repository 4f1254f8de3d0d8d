"""Parquet tables of a replay: written row by row and joined from parts, with constant memory.

The same rows give the same bytes, however they are split among calls, since row groups always have ``GROUP_ROWS`` rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trust_seg_ros.errors import TrustSegError

GROUP_ROWS = 16384
"""Rows of every row group except the last; memory holds one group and the rows of one frame."""
_TEXT = pa.dictionary(pa.int32(), pa.string())


class TableError(TrustSegError):
    """A table cannot be written, or rows do not match earlier ones."""


class SegmentTableWriter:
    """Writes rows to a Parquet file, which gets its name only when it is complete.

    As a context manager, it closes the file at the end of the block, and leaves no file if the block fails.

    Args:
        path: the file; its folder is made if missing.
        metadata: texts stored in the file, read by ``pyarrow.parquet.read_schema(path).metadata``.

    Raises:
        TableError: the file cannot be written there.

    Example:
        >>> with SegmentTableWriter(Path("segments.parquet"), {"network": "embedded"}) as table:
        ...     table.add(segment_rows(result, names, "/camera/image", recorded_ns))
    """

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        self._file = _GroupFile(Path(path), dict(sorted(metadata.items())))
        self._rows: list[Mapping[str, np.ndarray]] = []
        self._count = 0

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """Append rows; the first call, which may have no rows, fixes the columns.

        Args:
            rows: column -> (n,) array of bool, integers, floats or text (object or str); not copied, so do not
                change them afterwards.

        Raises:
            TableError: other columns than before, or columns of different lengths.
        """
        lengths = {len(values) for values in rows.values()}
        if len(lengths) > 1:
            raise TableError(f"{self._file.path}: columns of different lengths, {sorted(lengths)}; expected one length")
        if self._file.schema is None:
            self._file.schema = _schema_of(rows)
        elif rows.keys() != set(self._file.schema.names):
            raise TableError(f"{self._file.path}: {_difference(self._file.schema.names, list(rows))}")
        count = max(lengths, default=0)
        if count:
            self._rows.append(rows)
            self._count += count
        if self._count >= GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left, and give the file its name.

        Raises:
            TableError: it cannot be written.
        """
        try:
            self._flush()
        except BaseException:
            self.discard()
            raise
        self._file.close()

    def discard(self) -> None:
        """Leave no file."""
        self._file.discard()

    def __enter__(self) -> SegmentTableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _flush(self) -> None:
        schema = self._file.schema
        if schema is None or not self._rows:
            return
        arrays = [self._column([rows[field.name] for rows in self._rows], field) for field in schema]
        self._rows, self._count = [], 0
        self._file.write(pa.Table.from_arrays(arrays, schema=schema))

    def _column(self, pieces: list[np.ndarray], field: pa.Field) -> pa.Array:
        values = np.concatenate(pieces)
        try:
            return (
                pa.array(values, pa.string()).dictionary_encode()
                if field.type == _TEXT
                else pa.array(values, field.type)
            )
        except pa.ArrowException as error:
            raise TableError(
                f"{self._file.path}: column {field.name} holds {values.dtype}, before it was {field.type} ({error})"
            ) from error


def merge_tables(parts: Sequence[Path], out: Path) -> None:
    """Join tables in order into one file, equal to the file a single writer would have made of all the rows.

    Parts without any rows added have no columns, and are skipped unless all parts are like that. The stored texts are
    taken from the first part.

    Args:
        parts: files of :class:`SegmentTableWriter`, one at least, with the same columns.
        out: the file; must not be one of the parts.

    Raises:
        TableError: no parts, one that cannot be read, or columns that differ; the text names the part.
    """
    if not parts:
        raise TableError(f"{out}: there are no parts to join; expected at least one table")
    file = _GroupFile(Path(out), _texts(_open(parts[0])))
    try:
        for part in parts:
            table = _open(part)
            schema = table.schema_arrow.remove_metadata()
            if not schema.names:
                continue
            if file.schema is None:
                file.schema = schema
            elif schema.names != file.schema.names:
                raise TableError(f"{part}: {_difference(file.schema.names, schema.names)}")
            elif schema != file.schema:
                raise TableError(f"{part}: columns have other types than in the first part")
            _copy(table, file, part)
    except BaseException:
        file.discard()
        raise
    file.close()


class _GroupFile:
    """A Parquet file written in row groups of ``GROUP_ROWS``, whatever the sizes of the tables added."""

    def __init__(self, path: Path, metadata: dict[str, str]) -> None:
        self.path, self._metadata = path, metadata
        self.schema: pa.Schema | None = None
        self._part = path.with_name(f".{path.name}.part")
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part.touch()
        except OSError as error:  # fail before the work, not after it
            raise TableError(f"{path}: the table cannot be written there ({error.strerror})") from error

    def write(self, table: pa.Table) -> None:
        """Append rows of ``schema``."""
        self._waiting.append(table)
        if sum(len(waiting) for waiting in self._waiting) < GROUP_ROWS:
            return
        rows, at = pa.concat_tables(self._waiting), 0
        while len(rows) - at >= GROUP_ROWS:
            self._group(rows.slice(at, GROUP_ROWS))
            at += GROUP_ROWS
        self._waiting = [rows.slice(at)] if at < len(rows) else []

    def close(self) -> None:
        """Write what is left, and give the file its name."""
        try:
            if self._waiting:
                self._group(pa.concat_tables(self._waiting))
            self._open().close()
            self._part.replace(self.path)
        except (OSError, pa.ArrowException) as error:
            self.discard()
            raise TableError(f"{self.path}: the table cannot be written there ({error})") from error
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave no file."""
        self._waiting = []
        if self._writer is not None:
            with suppress(OSError, pa.ArrowException):  # closing writes the footer, which may fail, too
                self._writer.close()
        self._part.unlink(missing_ok=True)

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            schema = (self.schema or pa.schema([])).with_metadata(self._metadata)
            texts = [f.name for f in schema if f.type == _TEXT]
            self._writer = pq.ParquetWriter(
                self._part, schema, compression="zstd", use_dictionary=texts, write_page_index=True
            )
        return self._writer

    def _group(self, rows: pa.Table) -> None:
        """Number the words anew in each row group, so that its bytes do not depend on earlier rows."""
        arrays = [column.combine_chunks() for column in rows.columns]
        arrays = [a.cast(pa.string()).dictionary_encode() if a.type == _TEXT else a for a in arrays]
        try:
            writer = self._open()
            writer.write_table(pa.Table.from_arrays(arrays, schema=writer.schema), row_group_size=GROUP_ROWS)
        except (OSError, pa.ArrowException) as error:
            self.discard()
            raise TableError(f"{self.path}: the table cannot be written there ({error})") from error


def _copy(table: pq.ParquetFile, file: _GroupFile, part: Path) -> None:
    for group in range(table.num_row_groups):
        try:
            rows = table.read_row_group(group, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise TableError(f"{part}: row group {group} of the table cannot be read ({error})") from error
        file.write(rows.replace_schema_metadata(None))


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{path}: cannot be read as a Parquet table ({error})") from error


def _texts(table: pq.ParquetFile) -> dict[str, str]:
    own = table.schema_arrow.metadata or {}
    return {key.decode(): value.decode() for key, value in sorted(own.items())}


def _schema_of(rows: Mapping[str, np.ndarray]) -> pa.Schema:
    return pa.schema([(name, _type_of(np.asarray(values))) for name, values in rows.items()])


def _type_of(values: np.ndarray) -> pa.DataType:
    return _TEXT if values.dtype.kind in "OU" else pa.from_numpy_dtype(values.dtype)


def _difference(expected: Sequence[str], got: Sequence[str]) -> str:
    missing = [name for name in expected if name not in got]
    new = [name for name in got if name not in expected]
    if not missing and not new:
        return f"columns in the order {', '.join(got)}; expected {', '.join(expected)}"
    words = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(new)} more"] * bool(new)
    return f"other columns than the rows before: {' and '.join(words)}; one table holds frames of one pipeline"


def refusals(path: Path) -> list[str]:
    """Why each frame of a written frame table was refused, in its order; "" for frames that were judged."""
    reasons: list[str] = pq.read_table(path, columns=["refused"])["refused"].to_pylist()
    return reasons
