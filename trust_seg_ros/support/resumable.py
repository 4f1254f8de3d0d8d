"""What a run needs that may be killed and called again: a folder of its own, whole files, and proof of the same job.

Segment tables, replays, the counts of a study and checkpoints stand on it. Three things each:

- one run at a time writes into a folder: :class:`FolderLock`;
- a file or folder gets its name when it is whole: :func:`whole_file`, :func:`whole_folder`;
- what was made is used again only if everything that decides its content is the same: :func:`fingerprint` and
  :func:`fingerprint_of_files` tell whether it is, :func:`changes` names what is not.

A process may be killed at any instruction. Power that fails is another matter: nothing is flushed to the disk here.
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
    """Another run holds the folder."""


class FolderLock:
    """Holds a folder for one run, until it is closed or its process ends, however that happens.

    On file systems without locks nothing is held, and nothing refused.

    Example:
        >>> with FolderLock(Path("out")):
        ...     ...
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made if need be.

        Raises:
            FolderInUseError: another run holds it, in this process or another.
            OSError: it cannot be made or opened.
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
        """Let go of the folder; a second call does nothing."""
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
    """A place to write a file at. The file takes its name when the block ends; an error leaves what was there.

    Args:
        path: the file.
        draft: the place, on the same file system (default: ``NAME.part`` beside the file).

    Raises:
        OSError: the file cannot take its name.
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
    """Write a UTF-8 text file that is there as a whole or not at all, see :func:`whole_file`."""
    with whole_file(path, draft) as place:
        place.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(path: Path, draft: Path) -> Iterator[Path]:
    """A new folder to fill. It takes the place of ``path`` when the block ends; an error leaves what was there.

    Args:
        path: the folder.
        draft: where it is filled, on the same file system; what lies there is removed.

    Raises:
        OSError: a folder cannot be made or removed.
    """
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        shutil.rmtree(path, ignore_errors=True)
        draft.rename(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def fingerprint(content: object) -> str:
    """64 hexadecimal digits that differ where plain JSON values do; the order of keys does not count."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def fingerprint_of_files(path: Path) -> str:
    """64 hexadecimal digits of a file, or of the files in a folder: names, sizes, beginnings and ends.

    A copy elsewhere has the same. Reads at most 128 KiB of each file; a change in the middle of a large one that
    leaves its size is not seen.

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
    """One entry of two descriptions that differs: its name, ``a.b`` where maps are nested, and both values."""

    name: str
    before: object
    now: object


def changes(before: Mapping[str, object], now: Mapping[str, object]) -> list[Change]:
    """Where two descriptions of a job differ, by name; an entry that is missing counts as None."""
    found: list[Change] = []
    for key in sorted(before.keys() | now.keys()):
        one, other = before.get(key), now.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += [Change(f"{key}.{name}".lstrip("."), *values) for name, *values in changes(one, other)]
        elif one != other:
            found.append(Change(key, one, other))
    return found
