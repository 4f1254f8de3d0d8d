"""One replay at a time in an output folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trust_seg_ros.recordings.replay.errors import OutputExistsError, explained
from trust_seg_ros.support.resumable import FolderInUseError, FolderLock


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Lock an output folder against other replays while the context lasts or this process lives; makes the folder.

    Raises:
        OutputExistsError: another process is writing to it.
        ReplayError: the folder cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        yield  # the code that writes there explains the error
        return
    try:
        with explained(folder):
            lock = FolderLock(folder)
    except FolderInUseError as error:
        raise OutputExistsError(
            f"another process is replaying into {folder}: wait for it to end, or choose another --out"
        ) from error
    with lock:
        yield
