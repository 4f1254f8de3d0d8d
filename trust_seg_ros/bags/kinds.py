"""What a file is, by its first bytes: names are changed by hand, file managers and downloads."""

from __future__ import annotations

from pathlib import Path

MCAP = b"\x89MCAP0\r\n"
SQLITE = b"SQLite format 3\0"
ROS1 = b"#ROSBAG V2.0\n"
ZSTD = b"\x28\xb5\x2f\xfd"
"""A storage file compressed as a whole; its content decides what it is."""

STORAGE_SUFFIXES = (".db3", ".mcap", ".db3.zstd", ".mcap.zstd")
_SUFFIXES = (*STORAGE_SUFFIXES, ".bag", ".bag.active")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_TABLE = b"CREATE TABLE messages"
_LOOK_BYTES = 1 << 16


def is_storage_file(path: Path) -> bool:
    """Whether a file in a folder belongs to a rosbag2 bag, by its name or its content.

    Programs for pictures keep SQLite files beside them; one under another name than a bag's counts only if it has the
    table of a bag.
    """
    if not path.is_file():
        return False
    name = path.name.lower()
    if name.endswith(STORAGE_SUFFIXES):
        return True
    if name.endswith(_PICTURES):
        return False
    begin = _begin(path)
    return begin.startswith(MCAP) or (begin.startswith(SQLITE) and _TABLE in begin)


def is_bag_file(path: Path) -> bool:
    """Whether a file is a bag, whole or damaged: by its content, or by its name where the content says nothing."""
    return _begin(path).startswith((MCAP, SQLITE, ROS1, ZSTD)) or path.name.lower().endswith(_SUFFIXES)


def _begin(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LOOK_BYTES)
    except OSError:  # whoever opens it says why
        return b""
