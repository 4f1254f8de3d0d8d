"""Removes shared memory that killed processes have left behind; Fast DDS does not do so by itself.

Each participant of Fast DDS has a segment in /dev/shm, 70 MB with config/fastdds_shm.xml, and beside it a lock file
that is locked as long as its process lives. After ``kill -9`` both stay, and every restart adds another pair.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from pathlib import Path

FOLDER = Path("/dev/shm")
YOUNG_S = 2.0
"""A lock file younger than this is left alone: its process may have made it, and be about to lock it."""

_LOCK_FILE = re.compile(r"fast(?:dds|rtps)_[0-9a-f]{16}_el")


def remove_dead_segments(folder: Path = FOLDER, young_s: float = YOUNG_S) -> int:
    """Remove the segments of this user whose processes have ended, this package's or others.

    Only files that nobody holds a lock on are removed, so processes that start, run or clean up at the same time keep
    what is theirs. Nothing is an error: what cannot be removed stays.

    Returns:
        Bytes that were removed.
    """
    try:
        found = [entry for entry in folder.iterdir() if _LOCK_FILE.fullmatch(entry.name)]
    except OSError:  # no shared memory, or not that of Linux
        return 0
    return sum(_remove_if_dead(lock, young_s) for lock in found)


def _remove_if_dead(lock: Path, young_s: float) -> int:
    try:
        file = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # removed meanwhile, or another user's
        return 0
    try:
        status = os.fstat(file)
        ours = status.st_uid == os.getuid() and stat.S_ISREG(status.st_mode)
        if not ours or time.time() - status.st_mtime < young_s:
            return 0
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(status, os.stat(lock)):  # noqa: PTH116 - of the same kind as the other
            return 0
        size = _remove(lock.with_name(lock.name.removesuffix("_el")))
        lock.unlink()  # last, so that an interrupted removal is finished next time
        return size
    except OSError:  # locked: its process is alive
        return 0
    finally:
        os.close(file)


def _remove(segment: Path) -> int:
    try:
        status = segment.lstat()
        segment.unlink()
    except FileNotFoundError:
        return 0
    return status.st_blocks * 512
