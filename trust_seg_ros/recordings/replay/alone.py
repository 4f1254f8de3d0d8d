"""One replay at a time in an output folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trust_seg_ros.recordings.replay.errors import OutputExistsError, explained


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other replays from an output folder, as long as this lasts or this process lives; makes the folder.

    Raises:
        OutputExistsError: another process is writing to it.
        ReplayError: it cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        yield  # whoever wants to write there says what is wrong with it
        return
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputExistsError(
            f"another process is replaying into {folder}: wait for it to end, or choose another --out"
        ) from error
    except OSError:
        return  # a file system without locks
