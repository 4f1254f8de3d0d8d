"""Files of meta models and calibrations: JSON with a format and a version, made for one network."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.json_parts import JsonError
from trust_seg_ros.support.resumable import write_text
from trust_seg_ros.types import Json

_PROGRAMS = (".pt2", ".ts", ".torchscript", ".pt")


@contextmanager
def raised_as(kind: type[TrustSegError]) -> Iterator[None]:
    """Turn a :class:`JsonError` into an error of another kind with the same text."""
    try:
        yield
    except JsonError as error:
        raise kind(str(error)) from error


def portable_name(network: str) -> str:
    """Name of a network without its location: ``/models/net.pt2`` and ``./net.pt2`` are both ``net.pt2``.

    ``embedded``, ``embedded:NAME``, ``hf:organisation/name`` and ``package.module:callable`` stay as they are.
    """
    if network.startswith("hf:") or (":" in network and "/" not in network):
        return network
    return Path(network).absolute().name


def fingerprint(features: Sequence[str], *numbers: np.ndarray | float) -> str:
    """Twelve characters that identify a model's content, independent of the file's name."""
    content = hashlib.sha256("\n".join(features).encode())
    for part in numbers:
        content.update(np.asarray(part, np.float64).tobytes())
    return content.hexdigest()[:12]


def check_network(
    fitted: tuple[str, tuple[str, ...]], running: tuple[str, tuple[str, ...]], what: str, way_out: str
) -> None:
    """Refuse a model that was fitted for another network.

    The network's file or folder may have moved, and a file may have been exported again.

    Args:
        fitted: name and classes of the network the model was fitted for.
        running: name and classes of the network it is used with.
        what: the model, for the error text.
        way_out: what to do, for the error text.

    Raises:
        JsonError: names or classes differ.
    """
    if _without_format(portable_name(fitted[0])) != _without_format(portable_name(running[0])):
        raise JsonError(f"{what} was fitted for network {fitted[0]!r}, running is {running[0]!r}; {way_out}")
    if fitted[1] != tuple(running[1]):
        raise JsonError(
            f"{what} knows the {len(fitted[1])} classes {', '.join(fitted[1])}; "
            f"the network has {len(running[1])}: {', '.join(running[1])}; {way_out}"
        )


def write_json(content: Json, path: str | Path, what: str, *, short_lists: bool = False) -> None:
    """Write a model file; atomic rename, so an interrupted run leaves nothing half-written.

    Args:
        content: plain values.
        path: the file.
        what: kind of file, for the error text.
        short_lists: lists of numbers on one line each.

    Raises:
        JsonError: the file cannot be written.
    """
    path = Path(path).expanduser()
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    if short_lists:
        text = re.sub(r"\[\s+([^\[\]{}\"]*?)\s+\]", lambda found: "[" + " ".join(found[1].split()) + "]", text)
    try:
        write_text(path, text)
    except OSError as error:
        raise JsonError(f"{path}: {what} cannot be written there ({error.strerror})") from error


def read_json(path: Path, form: str, version: int, what: str, remedy: str) -> Json:
    """Read a model file of one format.

    Args:
        path: the file.
        form, version: required values of its entries "format" and "version".
        what: kind of file, for error texts.
        remedy: what to do if the file is missing, for the error text.

    Raises:
        JsonError: missing, not JSON, of another format or version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise JsonError(f"{path}: no such {what}; {remedy}") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON
        raise JsonError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(data, dict) or data.get("format") != form:
        raise JsonError(f'{path}: not a {what} (expected "format": "{form}")')
    if data.get("version") != version:
        raise JsonError(f"{path}: version {data.get('version')}, this program reads version {version}")
    return data


def _without_format(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix.lower() in _PROGRAMS else name
