"""Files of compiled kernels, each with a digest: numba's own are unpickled and run as they are, whatever they hold."""

from __future__ import annotations

import hashlib
import importlib
import logging
import pickle
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba

_MAGIC = b"trust_seg_ros kernel 1\n"
_SIZE = hashlib.sha256().digest_size
_log = logging.getLogger(__name__)


def packed(name: str, content: bytes) -> bytes:
    """The bytes of a file called ``name``: a first line, a digest of name and content, the content."""
    return _MAGIC + _digest(name, content) + content


def unpacked(path: Path) -> bytes | None:
    """The content of a file of :func:`packed`; None if it is missing, damaged, or another file under this name.

    Raises:
        OSError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    head, digest, content = data[: len(_MAGIC)], data[len(_MAGIC) : len(_MAGIC) + _SIZE], data[len(_MAGIC) + _SIZE :]
    if head == _MAGIC and digest == _digest(path.name, content):
        return content
    if head == _MAGIC:  # else it was written by an earlier version
        _log.warning("%s: damaged; the kernel is compiled anew", path)
    return None


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.sha256(f"{numba.__version__} {name}\n".encode() + content).digest()


@lru_cache(maxsize=1)
def checked_files() -> type:
    """The subclass of numba's index and data files that checks digests; made on demand, as numba may be unknown."""
    caching: Any = importlib.import_module("numba.core.caching")  # without types, like all of numba

    class CheckedFiles(caching.IndexDataCacheFile):  # type: ignore[misc] # Any
        """An index that is missing or damaged is empty; data that are missing or damaged are None."""

        def _load_index(self) -> dict[Any, str]:
            content = unpacked(Path(self._index_path))
            if content is None:
                return {}
            stamp, overloads = pickle.loads(content)
            found: dict[Any, str] = overloads if stamp == self._source_stamp else {}
            return found

        def _save_index(self, overloads: dict[Any, str]) -> None:
            self._write(Path(self._index_path), (self._source_stamp, overloads))

        def _load_data(self, name: str) -> Any:
            content = unpacked(Path(self._data_path(name)))
            return None if content is None else pickle.loads(content)

        def _save_data(self, name: str, data: Any) -> None:
            self._write(Path(self._data_path(name)), data)

        def _write(self, path: Path, data: Any) -> None:
            with self._open_for_write(str(path)) as file:  # replaced whole: another process may be reading
                file.write(packed(path.name, self._dump(data)))

    return CheckedFiles
