"""Refuses an --out that cannot be written, before the work and not after it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from trust_seg_ros.errors import TrustSegError


def check_out_file(path: Path, example: str, error: type[TrustSegError]) -> None:
    """Refuse a file that cannot be made.

    Args:
        path: of the option.
        example: a name for such a file.
        error: what is raised.
    """
    if path.is_dir():
        raise error(f"--out {path} is a folder; expected a file, for example {path / example}")
    if not path.parent.is_dir():
        raise error(f"--out {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise error(f"--out {path}: the folder {path.parent} cannot be written to")


def check_out_folder(out: Path, error: type[TrustSegError]) -> None:
    """Refuse a folder that cannot be made or written to; leaves nothing behind.

    Args:
        out: of the option.
        error: what is raised.
    """
    if os.path.lexists(out) and not out.is_dir():
        raise error(f"--out {out} is a file; expected a folder, for example {out.parent / 'out'}")
    there = next(path for path in (out, *out.parents, Path()) if os.path.lexists(path))
    try:  # rights alone do not tell: file systems may refuse folders even from root
        tempfile.TemporaryDirectory(prefix=".trust-seg.", dir=there).cleanup()
    except OSError as refused:
        reason = f"{there}: {refused.strerror or refused}"
        raise error(f"--out {out} cannot be written ({reason}); expected a folder of yours") from refused
