"""Refuses an --out that cannot be written, before the work starts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from trust_seg_ros.errors import TrustSegError


def check_out_file(path: Path, example: str, error: type[TrustSegError], name: str = "--out") -> None:
    """Refuse a file that cannot be made.

    Args:
        path: value of the option.
        example: a file name to suggest.
        error: type of the exception raised.
        name: of the option.
    """
    if path.is_dir():
        raise error(f"{name} {path} is a folder; expected a file, for example {path / example}")
    if not path.parent.is_dir():
        raise error(f"{name} {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise error(f"{name} {path}: the folder {path.parent} cannot be written to")


def check_out_folder(out: Path, error: type[TrustSegError], name: str = "--out") -> None:
    """Refuse a folder that cannot be made or written to; leaves nothing behind.

    Args:
        out: value of the option.
        error: type of the exception raised.
        name: of the option.
    """
    if os.path.lexists(out) and not out.is_dir():
        raise error(f"{name} {out} is a file; expected a folder, for example {out.parent / 'out'}")
    there = next(path for path in (out, *out.parents, Path()) if os.path.lexists(path))
    try:  # checking permissions is not enough: a file system may refuse folders even to root
        tempfile.TemporaryDirectory(prefix=".trust-seg.", dir=there).cleanup()
    except OSError as refused:
        reason = f"{there}: {refused.strerror or refused}"
        raise error(f"{name} {out} cannot be written ({reason}); expected a folder you may write to") from refused
