"""The door for files of others: every exception of a reader becomes an error of this package, short, with the file."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trust_seg_ros.errors import TrustSegError

LONGEST_TEXT = 300
"""Characters of a foreign error that are quoted."""
_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_SIZE = 1024  # the format's own limit; a longer file is no pointer, whatever it begins with


def shown(value: object, longest: int = 100) -> str:
    """A value as errors quote it: its ``repr``, at most ``longest`` characters, cut in the middle of a long one."""
    brief = reprlib.Repr()
    brief.maxlevel, brief.maxstring, brief.maxother = 4, longest, longest
    brief.maxdict = brief.maxlist = brief.maxtuple = brief.maxset = 12
    try:
        return cut(brief.repr(value), longest)
    except Exception as error:  # integers of more than 4,300 digits have no text
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text on one line and of at most ``longest`` characters; a long one keeps its beginning and its end."""
    line = " ".join(text.split()) if len(text) < 100 * longest else text[:longest] + text[-longest:]
    half = (longest - 3) // 2
    return line if len(line) <= longest else f"{line[:half]} … {line[-half:]}"


def reason(error: BaseException) -> str:
    """Why something could not be read, in a few words."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, UnicodeDecodeError):
        return f"it is no {error.encoding} text: {error.reason} at byte {error.start}"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return cut(text) or type(error).__name__


def lfs_pointer(source: Path | bytes) -> str:
    """Why a file is not the one it stands for: Git LFS left its pointer there; "" for every other file.

    Args:
        source: a file, or its content or first bytes; a folder or missing file is no pointer.
    """
    try:
        if isinstance(source, bytes):
            head = source[: _POINTER_SIZE + 1]
        else:
            with source.open("rb") as file:
                head = file.read(_POINTER_SIZE + 1)
    except OSError:
        return ""
    if not head.startswith(_POINTER) or len(head) > _POINTER_SIZE:
        return ""
    return "it is a Git LFS pointer, not the file itself; run `git lfs pull` to get it"


@contextmanager
def reading(path: Path, what: str, kind: Callable[[str], TrustSegError]) -> Iterator[None]:
    """Turn whatever a reader raises into an error of this package.

    Args:
        path: the file, for the text.
        what: kind of file, for the text, such as "YAML file".
        kind: class of the error.

    Raises:
        TrustSegError: of that kind; errors of this package pass unchanged.
    """
    try:
        yield
    except TrustSegError:
        raise
    except FileNotFoundError as error:
        raise kind(f"{path}: no such {what}") from error
    except Exception as error:  # readers of damaged files raise nearly everything
        pointer = lfs_pointer(path)
        raise kind(f"{path}: {pointer or f'not a readable {what} ({reason(error)})'}") from error


def read_json_file(path: Path, what: str, kind: Callable[[str], TrustSegError]) -> Any:
    """The content of a JSON file.

    Args:
        path, what, kind: see :func:`reading`.

    Raises:
        TrustSegError: of that kind: missing, not UTF-8, not JSON, nested too deeply, or a Git LFS pointer.
    """
    with reading(path, what, kind):
        return json.loads(path.read_bytes())
