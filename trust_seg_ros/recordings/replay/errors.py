"""What can go wrong with a replay."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trust_seg_ros.errors import TrustSegError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ReplayError(TrustSegError):
    """A replay cannot begin, or cannot go on."""


class OutputExistsError(ReplayError):
    """The output folder holds something else."""


class NoRoomError(ReplayError):
    """The disk is full; finished chunks are kept, and the same command goes on from there."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of the file system while writing to ``path``, in words."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise NoRoomError(
                f"no room left for {path} ({error.strerror}); finished chunks are kept: make room, then run the same "
                "command again to go on, or write less (--topics, --keep none, --compression zstd)"
            ) from error
        raise ReplayError(f"{path} cannot be written: {error.strerror or error}") from error
