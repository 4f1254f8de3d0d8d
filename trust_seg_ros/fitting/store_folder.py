"""The folder of a segment table: one writer at a time, and no foreign files are removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trust_seg_ros.fitting.store import DRAFT, MANIFEST, WORK, SegmentStore
from trust_seg_ros.fitting.store_identity import NetworkIdentity, package_version
from trust_seg_ros.fitting.store_rows import remove_quietly
from trust_seg_ros.meta.errors import StoreError
from trust_seg_ros.support.resumable import FolderInUseError, FolderLock, remove_folder

WAY_OUT = "collect anew with --force, which removes this table, or into another folder with --cache"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a table's folder (made if needed) for one writer; the lock ends with the process.

    Raises:
        StoreError: another process writes into it, or it cannot be made or written to.
    """
    try:
        lock = FolderLock(path)
    except FolderInUseError:
        raise StoreError(f"{path}: another run writes into this segment table; wait for it, or name another") from None
    except OSError as error:
        raise StoreError(f"{path}: the folder for the segment table cannot be made ({error.strerror})") from error
    with lock, writing(path):
        yield


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn write errors inside (disk full, no permission) into StoreError."""
    try:
        yield
    except ConnectionError:  # a closed pipe, not a file
        raise
    except OSError as error:
        raise StoreError(f"{path}: the segment table cannot be written ({error}); finished images are kept") from error


def discard(path: str | Path) -> None:
    """Remove a segment table, and no other files in its folder; does nothing if there is none.

    Raises:
        StoreError: the folder holds something, but no segment table; or another run writes into it.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        return
    if path.is_symlink():
        raise StoreError(
            f"{path} is a symbolic link to {path.resolve()}, and nothing is removed through links: name that folder "
            "itself, or another with --cache"
        )
    with locked(path):
        check_ours(path)
        for folder in path.glob("split=*"):
            remove_parts(folder)
        remove_folder(path / WORK)
        remove_quietly(path / MANIFEST)
    remove_quietly(path)


def remove_parts(folder: Path) -> None:
    """Remove the Parquet files of a split, and its folder if it is then empty; of a symbolic link, only the link."""
    if folder.is_symlink():
        folder.unlink()
        return
    for part in folder.glob("part-*.parquet"):
        part.unlink()
    remove_quietly(folder)


def refuse_links(*folders: Path) -> None:
    """Refuse folders of a table that are symbolic links: files are removed in them.

    Raises:
        StoreError: one is.
    """
    for folder in folders:
        if folder.is_symlink():
            raise StoreError(
                f"{folder} is a symbolic link to {folder.resolve()}; expected a folder of this table: remove the link"
            )


def check_ours(path: Path) -> None:
    """Refuse a folder with other contents; an empty one is fine.

    Raises:
        StoreError: the folder holds something else.
    """
    if not (path / MANIFEST).is_file() and any(file.name != DRAFT for file in path.iterdir()):
        raise StoreError(f"{path}: this folder is not empty, and not a segment table; name another with --cache")


def open_or_begin(path: Path, identity: NetworkIdentity) -> SegmentStore:
    """The table of a folder, or a new one there.

    Raises:
        StoreError: the folder holds something else, or a table of another network.
    """
    check_ours(path)
    if not (path / MANIFEST).is_file():
        return SegmentStore(path, identity, {}, package_version())
    store = SegmentStore.open(path)
    differences = store.identity.differences(identity)
    if differences:
        raise StoreError(f"{path}: this segment table is not of this network: {'; '.join(differences)}; {WAY_OUT}")
    return store
