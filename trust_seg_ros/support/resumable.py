"""Tools for runs that can be killed and resumed: locked folders, complete files, and a check that the job is the same.

Used for segment tables, replays, the counts of a study and checkpoints:

- only one run at a time writes into a folder: :class:`FolderLock`;
- a file or folder gets its name only once it is complete: :func:`whole_file`, :func:`whole_folder`;
- earlier results are used again only if everything that decides their content is the same: :func:`fingerprint` and
  :func:`fingerprint_of_files` show whether it is, :func:`changes` names the differences.

The process may be killed at any instruction. A power failure is not covered: nothing is flushed to the disk here.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from trust_seg_ros.errors import TrustSegError

PART = ".part"
_SAMPLE = 1 << 16


class FolderInUseError(TrustSegError):
    """Another run has locked the folder."""


class FolderLock:
    """Locks a folder for one run, until the lock is closed or its process ends in any way.

    On file systems without locks it has no effect.

    Example:
        >>> with FolderLock(Path("out")):
        ...     ...
    """

    def __init__(self, folder: Path) -> None:
        """Lock the folder; it is created if it does not exist.

        Raises:
            FolderInUseError: another run has locked it, in this process or another.
            OSError: it cannot be created or opened.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise FolderInUseError(f"{folder}: another run writes into this folder; wait for it to end") from error
        except OSError:  # a file system without locks
            pass

    def close(self) -> None:
        """Unlock the folder; a second call does nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def whole_file(path: Path, draft: Path | None = None) -> Iterator[Path]:
    """Yields a path to write to, which is renamed to ``path`` when the block ends; an error keeps the old file.

    Args:
        path: the file.
        draft: the path to write to, on the same file system (default: ``NAME.part`` beside the file).

    Raises:
        OSError: the file cannot be renamed.
    """
    draft = path.with_name(path.name + PART) if draft is None else draft
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def write_text(path: Path, text: str, draft: Path | None = None) -> None:
    """Write a UTF-8 text file completely or not at all, see :func:`whole_file`."""
    with whole_file(path, draft) as place:
        place.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(path: Path, draft: Path) -> Iterator[Path]:
    """Yields a new folder to fill, which replaces ``path`` when the block ends; an error keeps the old folder.

    Args:
        path: the folder.
        draft: the new folder, on the same file system; an existing one is removed first.

    Raises:
        OSError: a folder cannot be created or removed.
    """
    remove_folder(draft)
    draft.mkdir(parents=True)
    try:
        yield draft
        remove_folder(path)
        draft.rename(path)
    except BaseException:
        remove_folder(draft)
        raise


def remove_folder(path: Path) -> None:
    """Remove a folder with its content as far as possible; of symbolic links, itself included, only the link."""
    if path.is_symlink():
        with suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def fingerprint(content: object) -> str:
    """64 hexadecimal digits that differ if plain JSON values differ; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def fingerprint_of_files(path: Path) -> str:
    """64 hexadecimal digits of a file, or of the files in a folder: names, sizes, beginnings and ends.

    A copy elsewhere has the same fingerprint. Reads at most 128 KiB of each file; a change in the middle of a large
    file that keeps its size is not noticed.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file()):
        size = file.stat().st_size
        digest.update(os.fsencode(file.name) + f"\0{size}\0".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(_SAMPLE))
            stream.seek(max(0, size - _SAMPLE))
            digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()


class Change(NamedTuple):
    """An entry that differs between two descriptions: its name, ``a.b`` in nested maps, and both values."""

    name: str
    before: object
    now: object


def changes(before: Mapping[str, object], now: Mapping[str, object]) -> list[Change]:
    """The entries that differ between two descriptions of a job, by name; a missing entry counts as None."""
    found: list[Change] = []
    for key in sorted(before.keys() | now.keys()):
        one, other = before.get(key), now.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += [Change(f"{key}.{name}".lstrip("."), *values) for name, *values in changes(one, other)]
        elif one != other:
            found.append(Change(key, one, other))
    return found
