"""The folder of a segment table: one writer at a time, and nothing removed that is not ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trust_seg_ros.fitting.store import DRAFT, MANIFEST, WORK
from trust_seg_ros.fitting.store_rows import remove_quietly
from trust_seg_ros.meta.errors import StoreError
from trust_seg_ros.support.resumable import FolderInUseError, FolderLock


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a table's folder (made if need be) for one writer; a process that dies lets go of it.

    Raises:
        StoreError: another process writes into it, or it cannot be made or written to.
    """
    try:
        lock = FolderLock(path)
    except FolderInUseError:
        raise StoreError(f"{path}: another run writes into this segment table; wait for it, or name another") from None
    except OSError as error:
        raise StoreError(f"{path}: no folder can be made there for the segment table ({error.strerror})") from error
    with lock, writing(path):
        yield


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the disk refuses inside is raised as StoreError: it is full, or not ours to write to."""
    try:
        yield
    except ConnectionError:  # a pipe that has gone, not a file
        raise
    except OSError as error:
        raise StoreError(f"{path}: the segment table cannot be written ({error}); what is done is kept") from error


def discard(path: str | Path) -> None:
    """Remove a segment table, and nothing else that may lie in its folder; where none is, nothing is done.

    Raises:
        StoreError: the folder holds something, but no segment table; or another run writes into it.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        return
    with locked(path):
        check_ours(path)
        for folder in path.glob("split=*"):
            remove_parts(folder)
        shutil.rmtree(path / WORK, ignore_errors=True)
        remove_quietly(path / MANIFEST)
    remove_quietly(path)


def remove_parts(folder: Path) -> None:
    """Remove the Parquet files of a split, and its folder if nothing else is in it."""
    for part in folder.glob("part-*.parquet"):
        part.unlink()
    remove_quietly(folder)


def check_ours(path: Path) -> None:
    """Refuse a folder that holds something else; an empty one is fine.

    Raises:
        StoreError: it does.
    """
    if not (path / MANIFEST).is_file() and any(file.name != DRAFT for file in path.iterdir()):
        raise StoreError(f"{path}: this folder is not empty, and not a segment table; name another with --table")
