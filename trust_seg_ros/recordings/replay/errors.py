"""Errors of a replay."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trust_seg_ros.errors import TrustSegError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ReplayError(TrustSegError):
    """A replay cannot start or continue."""


class OutputExistsError(ReplayError):
    """The output folder holds something other than this replay."""


class NoRoomError(ReplayError):
    """The disk is full; finished chunks are kept, and the same command continues from there."""


class NoMemoryError(ReplayError):
    """Not enough free memory for a frame; this is no fault of the frame, which may fit at another time."""


_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "Insufficient memory", "bad_alloc")


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that memory ran out; torch and OpenCV say so only in the texts of their errors."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in _NO_MEMORY)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Explain errors of the file system while writing to ``path``, also if they are the cause of another error."""
    try:
        yield
    except OSError as error:
        _full(path, error)
        raise ReplayError(
            f"{path} cannot be written: {error.strerror or error}; expected a folder that can be: choose another "
            "--out, or mend this one and run the same command again (finished chunks are kept)"
        ) from error
    except TrustSegError as error:
        if isinstance(error.__cause__, OSError) and not isinstance(error, NoRoomError):
            _full(path, error.__cause__)
        raise


def _full(path: Path, error: OSError) -> None:
    if error.errno in _NO_ROOM:
        raise NoRoomError(
            f"no room left for {path} ({error.strerror or error}); finished chunks are kept: make room, then run the "
            "same command again to go on, or write less (--topics, --keep none, --compression zstd)"
        ) from error
