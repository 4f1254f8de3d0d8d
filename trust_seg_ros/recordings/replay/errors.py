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


class NoMemoryError(ReplayError):
    """A frame does not fit into what memory is free; it says nothing of the frame, which another time may fit."""


_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "Insufficient memory", "bad_alloc")


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was what a frame lacked; torch and OpenCV say so in the texts of their errors only."""
    return isinstance(error, MemoryError) or any(text in str(error) for text in _NO_MEMORY)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of the file system while writing to ``path``, in words; those that another error was made of, too."""
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
