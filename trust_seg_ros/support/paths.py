"""Where the package's files are: in a checkout, a colcon install, or a pip install.

A checkout (also reached through a symlink or editable install) is searched first, so that an edited label file takes
effect at once; an installation keeps the same folders in ``share/trust_seg_ros``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trust_seg_ros.errors import TrustSegError

PACKAGE = "trust_seg_ros"
_HERE = Path(__file__).resolve()


class PathsError(TrustSegError):
    """A file or folder of the package was not found."""


def config_dir() -> Path:
    """Folder of the parameter files, label files, RViz layout and Fast DDS profile.

    Raises:
        PathsError: no such folder; the text lists every place searched.
    """
    return _package_folder("config")


def launch_dir() -> Path:
    """Folder of the launch files; raises :class:`PathsError` like :func:`config_dir`."""
    return _package_folder("launch")


def config_file(name: str) -> Path:
    """One file of :func:`config_dir`, e.g. ``fastdds_shm.xml``.

    Raises:
        PathsError: there is no such file; the text lists the existing ones.
    """
    folder = config_dir()
    path = folder / name
    if not path.is_file():
        there = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_file())) or "none"
        raise PathsError(f"no config file {name!r} in {folder}; there are: {there}")
    return path


def label_names() -> tuple[str, ...]:
    """Names of the shipped label sets, sorted; empty if there are none."""
    return tuple(sorted(p.stem for p in (config_dir() / "labels").glob("*.yaml")))


def label_file(name: str | Path) -> Path:
    """The YAML file of a label set.

    Args:
        name: a shipped label set (``camvid11``), or the path of another file.

    Raises:
        PathsError: neither a shipped name nor an existing file; the text lists the shipped names.
    """
    own = Path(name).expanduser()
    if own.suffix in {".yaml", ".yml"} or len(own.parts) > 1:
        if own.is_file():
            return own
        raise PathsError(f"label file {str(name)!r} does not exist (looked at {own.absolute()})")
    names = label_names()
    if own.name not in names:
        raise PathsError(
            f"no label set {str(name)!r}; shipped: {', '.join(names) or 'none'}. "
            "For your own give the path of a .yaml file"
        )
    return config_dir() / "labels" / f"{own.name}.yaml"


def cache_dir(*parts: str) -> Path:
    """Create a folder for files that can be regenerated; works for read-only installations too.

    ``$XDG_CACHE_HOME/trust_seg_ros`` (``~/.cache/trust_seg_ros``), or a folder of this user below the system's
    temporary folder if the home directory is not writable (service accounts, containers).

    Args:
        parts: names of folders below it.
    """
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # the XDG base directory specification: a relative path is invalid and to be ignored
    base = Path(xdg) if Path(xdg).is_absolute() else _home() / ".cache"
    try:
        return _writable(base.joinpath(PACKAGE, *parts))
    except OSError:
        return _writable(_private_temporary().joinpath(*parts))


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # no HOME and no entry for this user
        return Path("/nonexistent")


def _writable(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write to {folder}")
    return folder


def _private_temporary() -> Path:
    """A folder below the temporary folder that only this user can write (compiled code is loaded from it)."""
    folder = Path(tempfile.gettempdir()) / f"{PACKAGE}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        return Path(tempfile.mkdtemp(prefix=f"{PACKAGE}-"))
    return folder


def _package_folder(name: str) -> Path:
    looked_at = list(dict.fromkeys(_candidates(name)))
    for folder in looked_at:
        if folder.is_dir():
            return folder
    places = "\n  ".join(str(p) for p in looked_at)
    raise PathsError(
        f"the folder {name!r} of {PACKAGE} was not found; looked at\n  {places}\n"
        "Install the package again (pip install . or colcon build), or source the workspace it is installed in."
    )


def _candidates(name: str) -> Iterator[Path]:
    root = _HERE.parents[2]
    if (root / "package.xml").is_file():
        yield root / name
    prefixes = list(_HERE.parents[2:-1])  # <prefix>/lib/python3.x/site-packages/trust_seg_ros/support/paths.py
    prefixes += [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    prefixes.append(Path(sys.prefix))
    for prefix in prefixes:
        yield prefix / "share" / PACKAGE / name
