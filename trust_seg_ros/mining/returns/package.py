"""What a labelling tool exported: a folder, a zip or a single file. Nothing is unpacked to the disk."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from trust_seg_ros.datasets.names import listed
from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.support.reading import reading, shown

_MOST_BYTES = 1 << 30
"""Largest file that is read; a zip may state any size, and hold it in a few bytes."""
_MOST_FILES = 1_000_000


class Package:
    """Files by their names, with ``/`` between folders.

    Attributes:
        path: the folder, zip or file.
        names: of the files, in order.
    """

    def __init__(self, path: Path, names: tuple[str, ...], archive: zipfile.ZipFile | None = None) -> None:
        self.path, self.names, self._archive = path, names, archive

    def named(self, *endings: str) -> list[str]:
        """Names with one of these endings, whatever their case."""
        return [name for name in self.names if name.lower().endswith(endings)]

    @contextmanager
    def open(self, name: str, what: str) -> Iterator[IO[bytes]]:
        """A file of it.

        Args:
            name: one of ``names``.
            what: kind of file, for error texts.

        Raises:
            ReturnedError: it cannot be read, or is too large; also where that shows while the block reads it.
        """
        with reading(self.where(name), what, ReturnedError):
            size = self._place(name).stat().st_size if self._archive is None else self._archive.getinfo(name).file_size
            if size > _MOST_BYTES:
                raise ReturnedError(
                    f"{self.where(name)}: {what} of {size / 2**30:.1f} GiB; expected at most {_MOST_BYTES >> 30}: "
                    "export fewer images at once"
                )
            with self._place(name).open("rb") if self._archive is None else self._archive.open(name) as file:
                yield file

    def read(self, name: str, what: str) -> bytes:
        """The content of a file; raises ReturnedError as :meth:`open`."""
        with self.open(name, what) as file:
            return file.read(_MOST_BYTES + 1)

    def json(self, name: str) -> Any:
        """The content of a JSON file; raises ReturnedError as :meth:`open`, or where it is damaged."""
        data = self.read(name, "JSON file")
        with reading(self.where(name), "JSON file", ReturnedError):
            return json.loads(data)

    def where(self, name: str) -> Path:
        """The file as error texts name it."""
        return self.path if len(self.names) == 1 and self.path.name == name else self.path / name

    def _place(self, name: str) -> Path:
        return self.path if self.path.is_file() else self.path / name


@contextmanager
def opened(path: Path) -> Iterator[Package]:
    """A folder, zip or file.

    Raises:
        ReturnedError: there is none, it cannot be listed, or a zip is damaged or names files outside of itself.
    """
    if path.is_dir():
        yield Package(path, tuple(name.as_posix() for name in listed(path)))
    elif path.suffix.lower() == ".zip":
        with reading(path, "zip", ReturnedError), zipfile.ZipFile(path) as archive:
            yield Package(path, _members(path, archive), archive)
    elif path.is_file():
        yield Package(path, (path.name,))
    else:
        raise ReturnedError(f"{path}: no such file or folder; expected what the labelling tool exported")


def _members(path: Path, archive: zipfile.ZipFile) -> tuple[str, ...]:
    """Names of the files of a zip."""
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if len(names) > _MOST_FILES:
        raise ReturnedError(f"{path}: {len(names):,} files; expected at most {_MOST_FILES:,}")
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in (parts.parts or ("",))[0]:
            raise ReturnedError(
                f"{path}: it holds {shown(name)}, a path that leads out of it; no labelling tool writes that: get the "
                "file anew from where you trust it"
            )
    return tuple(name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts))
