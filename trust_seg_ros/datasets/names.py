"""Finds files by name, whatever the case of their suffix and the Unicode form of their letters.

Cameras and Windows write ``.JPG`` and ``.PNG``; macOS writes an ä as a and a combining diaeresis (NFD), Linux as one
letter (NFC). Two such names look alike, and belong to the same image.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePath

from trust_seg_ros.datasets.errors import DatasetError


def plain(path: PurePath | str) -> str:
    """The name under which a file is known: letters in composed form (NFC), suffix in lower case, ``/`` between."""
    path = PurePath(path)
    return unicodedata.normalize("NFC", path.with_suffix(path.suffix.lower()).as_posix())


class NamedFiles:
    """The files below a folder by their :func:`plain` names, relative to it; hidden ones are left out.

    Attributes:
        folder: the folder; links below it are followed.
    """

    def __init__(self, folder: Path, *, deep: bool = True) -> None:
        """List the folder.

        Args:
            folder: to list.
            deep: with the folders below it.

        Raises:
            DatasetError: it, or a folder below it, cannot be listed.
        """
        self.folder = folder
        self._files: dict[str, list[Path]] = {}
        for path in listed(folder, deep=deep):
            self._files.setdefault(plain(path), []).append(path)

    def find(self, name: PurePath | str) -> Path | None:
        """The file of this name, relative to the folder; None if there is none.

        Raises:
            DatasetError: two files differ only in the case of the suffix or in the Unicode form.
        """
        found = self._files.get(plain(name), [])
        if len(found) > 1:
            raise DatasetError(
                f"{self.folder}: {' and '.join(repr(str(path)) for path in found)} differ only in the case of the "
                "suffix or in the Unicode form of the name; expected one of them"
            )
        return self.folder / found[0] if found else None


def listed(folder: Path, *, deep: bool = True) -> list[Path]:
    """Files in or below a folder, relative to it, in the order of their plain names; hidden ones are left out.

    Args:
        folder: to list.
        deep: with the folders below it; links are followed.

    Raises:
        DatasetError: it, or a folder below it, cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise DatasetError(f"{error.filename}: the folder cannot be listed ({error.strerror})") from error

    found = []
    for place, below, names in os.walk(folder, onerror=refuse, followlinks=True):
        below[:] = [name for name in below if deep and not name.startswith(".")]
        found += [Path(place, name).relative_to(folder) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: (PurePath(plain(path)), path))
